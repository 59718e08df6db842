#ifndef OCITK_STAGES_SYSCTL_HPP
#define OCITK_STAGES_SYSCTL_HPP

#include <ocitk/context.hpp>
#include <ocitk/spec/sysctl.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/mount.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace ocitk::stages::sysctl {

/// One file to write below /proc/sys.
struct write {
  std::string path{}, text{}, pointer{};
  bool operator==(const write&) const = default;
};

/// `/linux/sysctl/net~1ipv4` (RFC 6901).
inline auto pointer_to(std::string_view key) -> std::string {
  std::string pointer = "/linux/sysctl/";
  for (const char c : key) {
    if (c == '~') pointer += "~0";
    else if (c == '/') pointer += "~1";
    else pointer += c;
  }
  return pointer;
}

/// Reads  /linux/sysctl
inline auto plan_for(const spec::string_map& settings) -> result<std::vector<write>> {
  std::vector<write> plan;
  for (const auto& [key, text] : settings) {
    auto pointer = pointer_to(key);
    auto path = OCITK_TRY(at(pointer, spec::sysctl_path(key)));
    plan.push_back({.path = std::move(path), .text = text, .pointer = std::move(pointer)});
  }
  return plan;
}

namespace detail {
inline auto write_once(fd_ref file, const std::string& text) -> result<> {
  const auto n = sys::kernel::write(file.get(), text.data(), text.size());
  if (n < 0) return failed("write");
  if (static_cast<std::size_t>(n) != text.size()) return failure("only a part of the value was taken");
  return {};
}
}  // namespace detail

/// Writes below a procfs handle: one write(2) each, or the kernel takes a part for the whole.
///
/// Calls  openat2(2) RESOLVE_BENEATH, write(2)
inline auto apply(const std::vector<write>& plan, fd_ref proc) -> result<> {
  for (const auto& w : plan) {
    const auto put = [&]() -> result<> {
      const auto file = OCITK_TRY(sys::open_beneath(proc, "sys/" + w.path, O_WRONLY));
      return trying("sys/" + w.path + " = " + w.text, detail::write_once(file, w.text));
    };
    OCITK_TRY(at(w.pointer, put));
  }
  return {};
}

}  // namespace ocitk::stages::sysctl

namespace ocitk::stages {

/// Sets kernel parameters of the container's namespaces, through a procfs that nobody else can see or cover.
///
/// Reads    /linux/sysctl
/// Process  init, in all its namespaces, before the pivot: in a user namespace a new procfs needs an old one in sight
/// Calls    fsopen(2) "proc", fsmount(2), openat2(2), write(2)
/// Fails    ENOENT: no such parameter here; EPERM, EINVAL as the kernel judges
struct set_sysctls : stage_in<init_context> {
  static constexpr std::string_view name = "sysctl";
  static constexpr std::string_view reads = "/linux/sysctl";
  static constexpr std::string_view summary = "sets kernel parameters of the namespaces";
  static constexpr std::array<std::string_view, 2> after{"unshare", "network"};
  auto operator()(init_context& ctx) const -> result<> {
    if (ctx.spec.linux.sysctl.empty()) return {};
    const auto plan = OCITK_TRY(sysctl::plan_for(ctx.spec.linux.sysctl));
    const auto write_all = [&]() -> result<> {
      const auto fs = OCITK_TRY(sys::new_filesystem::open("proc"));
      const auto proc = OCITK_TRY(fs.mount(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
      return sysctl::apply(plan, proc);
    };
    return at("/linux/sysctl", write_all);
  }
};

}  // namespace ocitk::stages

#endif
