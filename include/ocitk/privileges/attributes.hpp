#ifndef OCITK_PRIVILEGES_ATTRIBUTES_HPP
#define OCITK_PRIVILEGES_ATTRIBUTES_HPP

#include <ocitk/context.hpp>
#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/procfs.hpp>

#include <string>

/// The attributes of a thread that security modules keep below /proc/thread-self/attr. The stages `apparmor`, `selinux`
/// and `keyring` share it.
namespace ocitk::privileges::attributes {

/// As podman looks for it in messages: in these quotes.
inline auto quoted(const std::string& name) -> std::string { return "`/proc/thread-self/attr/" + name + "`"; }

/// One attribute, for writing, below a procfs that is to be trusted.
///
/// Calls  openat2(2) RESOLVE_BENEATH
inline auto open(fd_ref proc, const std::string& name) -> result<unique_fd> {
  return sys::open_beneath(proc, "thread-self/attr/" + name, O_WRONLY);
}

/// In one write(2): the kernel takes a part for the whole.
inline auto write(fd_ref attribute, const std::string& text) -> result<> {
  const auto n = sys::kernel::write(attribute.get(), text.data(), text.size());
  if (n < 0) return failed("write");
  if (static_cast<std::size_t>(n) != text.size()) return failure("only a part of the attribute was taken");
  return {};
}

/// An SELinux label for what the calling thread does next: `exec` for the program it becomes, `keycreate` for the keys
/// it makes.
inline auto set_label(const std::string& name, const std::string& label, fd_ref proc) -> result<> {
  const auto file = OCITK_TRY(open(proc, name));
  auto done = write(file, label);
  if (!done) done.error().detail = "write label " + label + " to " + quoted(name);
  return done;
}

/// Runs `act` with the procfs that the stage `procfs` has left, or with another one.
template <class Act>
auto with_proc(const init_context& ctx, Act&& act) -> result<> {
  if (ctx.procfs) return act(ctx.procfs);
  return act(OCITK_TRY(sys::trusted_proc()));
}

}  // namespace ocitk::privileges::attributes

#endif
