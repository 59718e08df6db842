#include "tools.hpp"

#include <ocitk/stages/console.hpp>
#include <ocitk/sys/socket.hpp>

// ocitk-console: a session of its own, and a terminal of the container's. Its master goes to whoever listens at the
// socket, or to the ocitk-unshare that waits outside.
namespace ocitk::tools::stages {

namespace {

class console_tool : public cli::stage_tool<ocitk::stages::open_console> {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("terminal", &terminal_, "open a terminal too");
    o.add("console-socket", &socket_, "socket that receives its master");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    if (terminal_) cli::process_of(here).terminal = true;
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    const bool terminal = here.config.process && here.config.process->terminal;
    if (!terminal) return stage_tool::run(here);
    OCITK_TRY(cli::require_root(here));
    if (!here.has_spec) here.config.linux.namespaces = OCITK_TRY(cli::own_namespaces(here.state));
    if (socket_.empty() && !here.state.relay)
      return failure("nobody would hold the terminal: give --console-socket, or let ocitk-unshare of the bundle make a "
                     "PID namespace");
    unique_fd listener;
    if (!socket_.empty()) listener = OCITK_TRY(sys::connect_unix(socket_));  // while the path is in sight
    auto done = cli::run_stages(ocitk::stages::open_console{}, here, [&](init_context& ctx) {
      const auto& to = listener ? listener : here.state.relay;
      return trying("hand over the terminal", sys::send_message(to, ctx.console_name, ctx.console.get()));
    });
    here.state.relay.reset();
    return done;
  }

 private:
  bool terminal_ = false;
  std::string socket_;
};

}  // namespace

auto make_console() -> made_tool { return std::make_unique<console_tool>(); }

}  // namespace ocitk::tools::stages
