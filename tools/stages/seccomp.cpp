#include "bpf_listing.hpp"
#include "tools.hpp"

#include <ocitk/runtime/listener.hpp>
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/sys/credentials.hpp>
#include <ocitk/sys/io.hpp>

#include <linux/capability.h>
#include <sys/prctl.h>

// ocitk-seccomp: filters the program's system calls, and those of the tools that still come. Without a program it prints
// the filter.
namespace ocitk::tools::stages {

namespace {

class seccomp_tool : public cli::stage_tool<ocitk::stages::load_filter> {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("profile", &profile_, "file with a linux.seccomp object");
    o.add("raw", &raw_, "print the filter as struct sock_filter[], not as a listing");
  }
  [[nodiscard]] auto may_end(bool has_spec) const -> bool override { return has_spec || !profile_.empty(); }

  auto fill(cli::chain_link& here) -> result<> override {
    if (raw_ && !here.next.empty()) return failure("--raw is for printing: no program can follow");
    if (profile_.empty() && !here.has_spec) return failure("--profile is needed");
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    if (!profile_.empty()) here.config.linux.seccomp = OCITK_TRY(read_profile(profile_));
    if (here.next.empty()) return print(here);
    if (!here.config.linux.seccomp) return {};
    if (::prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL) != 1 && !OCITK_TRY(sys::has_capability(CAP_SYS_ADMIN)))
      return cli::comes_first("no-new-privs", "a filter needs CAP_SYS_ADMIN or no_new_privs");
    return cli::run_stages(ocitk::stages::load_filter{}, here, [&](init_context& ctx) { return tell_agent(here, ctx); });
  }

 private:
  /// The tool is its own parent: what would have to wait for the agent cannot be what tells the agent.
  static auto tell_agent(const cli::chain_link& here, init_context& ctx) -> result<> {
    const auto listener = std::move(ctx.listener);
    if (!listener) return {};
    return runtime::tell_agent(*here.config.linux.seccomp,
                               {.oci_version = std::string{spec::oci_version}, .id = here.state.id, .status = "creating",
                                .pid = ::getpid(), .bundle = here.state.bundle, .annotations = here.config.annotations},
                               ::getpid(), listener);
  }
  auto print(cli::chain_link& here) const -> result<> {
    here.ended = 0;
    if (!here.config.linux.seccomp) return {};
    const auto filter = OCITK_TRY(ocitk::stages::seccomp::compile(*here.config.linux.seccomp));
    if (!raw_) return sys::write_all(fd_ref::of(1), listing(filter.program));
    return sys::write_all(fd_ref::of(1), {reinterpret_cast<const char*>(filter.program.data()),
                                          filter.program.size() * sizeof(sock_filter)});
  }
  std::string profile_;
  bool raw_ = false;
};

}  // namespace

auto make_seccomp() -> made_tool { return std::make_unique<seccomp_tool>(); }

}  // namespace ocitk::tools::stages
