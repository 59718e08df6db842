#ifndef OCITK_RUNTIME_CONSOLE_HPP
#define OCITK_RUNTIME_CONSOLE_HPP

#include <ocitk/error.hpp>
#include <ocitk/fd.hpp>
#include <ocitk/sys/socket.hpp>

#include <string>
#include <string_view>

namespace ocitk::runtime {

/// Gives the master of a terminal to whoever listens at the console socket: one message, its name and one
/// descriptor, as conmon and containerd expect it.
///
/// Fails  nobody listens; EAGAIN after 5 s without being heard (threat F35)
inline auto send_console(const std::string& socket_path, std::string_view name, fd_ref master) -> result<> {
  const auto socket = OCITK_TRY(sys::connect_unix(socket_path));
  return trying("send the console to " + socket_path, sys::send_message(socket, name, master.get()));
}

}  // namespace ocitk::runtime

#endif
