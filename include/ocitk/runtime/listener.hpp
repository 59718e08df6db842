#ifndef OCITK_RUNTIME_LISTENER_HPP
#define OCITK_RUNTIME_LISTENER_HPP

#include <ocitk/context.hpp>
#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/runtime/handshake.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/defaults.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/stages/seccomp.hpp>
#include <ocitk/sys/process.hpp>
#include <ocitk/sys/socket.hpp>
#include <ocitk/watch.hpp>

#include <charconv>
#include <string>
#include <system_error>
#include <utility>

/// The way of a seccomp listener from the process under the filter to the agent that answers for it. The agent's socket
/// is of the host: the parent connects to it, and never the process, which would look for it in the container.
namespace ocitk::runtime {

namespace detail {

/// In init: right after the filter came into force. Whatever it asks the kernel from here on may have to wait for the
/// agent, so sendmsg(2) is used only if it does not, and write(2), which no profile may have to wait, where it may not.
inline auto give_listener(const channel& parent, const sys::seccomp_filter& filter, const unique_fd& listener) -> result<> {
  if (filter.sendmsg_waits && !rehearsing()) return parent.name_listener(listener);
  auto sent = parent.say_listener(listener);
  return sent ? sent : parent.name_listener(listener);
}

/// In the parent. A number is init's, which was told by nobody else: its descriptors are still ours to take.
///
/// Calls  pidfd_getfd(2), if it was not sent
/// Fails  EPERM: a parent without CAP_SYS_PTRACE over init
inline auto take_listener(told& heard, fd_ref init) -> result<unique_fd> {
  if (heard.passed) return std::move(heard.passed);
  int number = -1;
  const auto end = heard.text.data() + heard.text.size();
  if (const auto read = std::from_chars(heard.text.data(), end, number); read.ec != std::errc{} || read.ptr != end)
    return failure("init said something else than expected");
  return sys::descriptor_of(init, number);
}

}  // namespace detail

/// Tells the agent of a process and gives it the listener, in one message. It has 5 s to accept it.
///
/// Reads    /linux/seccomp/listenerPath, /linux/seccomp/listenerMetadata
/// Process  parent; `state` tells of the container, `pid` is the process under the filter
/// Calls    connect(2), sendmsg(2) SCM_RIGHTS
/// Fails    `failed to connect with seccomp agent`: nobody listens
inline auto tell_agent(const spec::seccomp& profile, spec::hook_state state, int pid, fd_ref listener) -> result<> {
  const spec::container_process_state message{.oci_version = std::string{spec::oci_version},
                                              .fds = {"seccompFd"},
                                              .pid = pid,
                                              .metadata = profile.listener_metadata,
                                              .state = std::move(state)};
  const auto tell = [&]() -> result<> {
    auto agent = sys::connect_unix(profile.listener_path);
    if (!agent) {
      agent.error().detail = "failed to connect with seccomp agent " + profile.listener_path;
      return std::unexpected(std::move(agent).error());
    }
    return trying("cannot send the listener to seccomp agent " + profile.listener_path,
                  sys::send_stream(*agent, spec::state_text(message), listener));
  };
  return in_stage(stages::load_filter::name, [&] { return at("/linux/seccomp/listenerPath", tell); });
}

}  // namespace ocitk::runtime

#endif
