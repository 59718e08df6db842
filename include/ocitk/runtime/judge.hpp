#ifndef OCITK_RUNTIME_JUDGE_HPP
#define OCITK_RUNTIME_JUDGE_HPP

#include <ocitk/error.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/stages/apparmor.hpp>
#include <ocitk/stages/ioprio.hpp>
#include <ocitk/stages/mempolicy.hpp>
#include <ocitk/stages/netdev.hpp>
#include <ocitk/stages/personality.hpp>
#include <ocitk/stages/rdt.hpp>
#include <ocitk/stages/rlimits.hpp>
#include <ocitk/stages/scheduler.hpp>
#include <ocitk/stages/selinux.hpp>
#include <ocitk/stages/time.hpp>

/// What can be judged before anything of a container exists: by the document alone, or by what this host has.
namespace ocitk::runtime {

/// Of any process, be it init or one of `exec`.
inline auto judge_process(const spec::process& process) -> result<> {
  OCITK_TRY(in_stage("rlimits", stages::rlimits::plan(process.rlimits)));
  if (process.scheduler) OCITK_TRY(in_stage("scheduler", stages::scheduler::plan(*process.scheduler)));
  if (process.io_priority) OCITK_TRY(in_stage("ioprio", stages::ioprio::plan(*process.io_priority)));
  if (!process.apparmor_profile.empty()) OCITK_TRY(in_stage("apparmor", [] { return stages::apparmor::require(); }));
  if (!process.selinux_label.empty())
    OCITK_TRY(in_stage("selinux", [] { return stages::selinux::require("/process/selinuxLabel"); }));
  return {};
}

inline auto judge(const spec::config& spec) -> result<> {
  if (spec.process) OCITK_TRY(judge_process(*spec.process));
  if (!spec.linux.mount_label.empty())
    OCITK_TRY(in_stage("rootfs", [] { return stages::selinux::require("/linux/mountLabel"); }));
  OCITK_TRY(in_stage("netdev", stages::netdev::plan(spec.linux.net_devices)));
  if (spec.linux.intel_rdt) OCITK_TRY(in_stage("rdt", stages::rdt::plan(*spec.linux.intel_rdt, "id")));
  OCITK_TRY(in_stage("time", stages::time::plan(spec.linux.time_offsets)));
  if (spec.linux.personality) OCITK_TRY(in_stage("personality", stages::personality::plan(*spec.linux.personality)));
  if (spec.linux.memory_policy) OCITK_TRY(in_stage("mempolicy", stages::mempolicy::plan(*spec.linux.memory_policy)));
  return {};
}

}  // namespace ocitk::runtime

#endif
