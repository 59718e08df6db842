#ifndef OCITK_RUNTIME_BRIDGE_HPP
#define OCITK_RUNTIME_BRIDGE_HPP

#include <ocitk/runtime/explain.hpp>
#include <ocitk/runtime/handshake.hpp>
#include <ocitk/runtime/init.hpp>
#include <ocitk/stages/unshare.hpp>
#include <ocitk/sys/process.hpp>

#include <sched.h>

#include <cstdint>

/// The process between parent and init where namespaces are joined by path: a PID namespace takes in only
/// children, and the parent must not leave its own.
namespace ocitk::runtime {

/// Joins, makes init as a child of our parent, tells its pid, goes. Never returns in the bridge itself.
///
/// Calls  setns(2), clone3(2) CLONE_PARENT
[[noreturn]] inline auto bridge_main(const stages::unshare::plan& namespaces, init_context& ctx, newborn& n) -> void {
  standing = {.process = "bridge"};
  if (n.published != nullptr) n.published->publish("bridge", "unshare");
  const auto cross = [&]() -> result<> {
    (void)sys::set_name("ocitk:bridge");  // for ps(1) only
    auto keep = detail::numbers_of(n, ctx);
    OCITK_TRY(detail::close_strangers(3 + n.preserved, std::move(keep)));
    OCITK_TRY(sys::set_dumpable(false));  // before anybody inside can look at us
    OCITK_TRY(in_stage("unshare", [&] { return stages::unshare::join(namespaces.joins); }));
    const auto clone = [&] {
      return sys::clone_process({.flags = namespaces.at_birth | CLONE_PARENT, .exit_signal = 0});
    };
    auto init = OCITK_TRY(in_stage("unshare", [&] { return at("/linux/namespaces", clone); }));
    if (init.pid == 0) init_main(ctx, n);
    return n.parent.say_born(init.pid, init.pidfd);
  };
  const auto done = cross();
  if (!done) (void)n.parent.fail(explained(done.error(), ctx));  // a parent that is gone needs no reason
  ::_exit(done ? 0 : detail::failed_at_start);
}

}  // namespace ocitk::runtime

#endif
