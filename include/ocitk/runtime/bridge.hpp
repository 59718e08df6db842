#ifndef OCITK_RUNTIME_BRIDGE_HPP
#define OCITK_RUNTIME_BRIDGE_HPP

#include <ocitk/runtime/explain.hpp>
#include <ocitk/runtime/handshake.hpp>
#include <ocitk/runtime/init.hpp>
#include <ocitk/stages/unshare.hpp>
#include <ocitk/sys/process.hpp>

#include <sched.h>

#include <algorithm>
#include <iterator>
#include <vector>

/// The process between parent and init where namespaces are joined by path: a PID namespace takes in only
/// children, and the parent must not leave its own.
namespace ocitk::runtime {

namespace detail {

/// Has `join` enter namespaces and makes who lives there, by `live`, as a child of our parent; tells its pid, goes.
/// Never returns in the bridge itself.
///
/// Calls  setns(2), clone3(2) CLONE_PARENT
template <class Join, class Live>
[[noreturn]] auto cross(init_context& ctx, newborn& n, std::vector<int> keep, const sys::clone_request& birth, Join join,
                        Live live) -> void {
  standing = {.process = "bridge"};
  if (n.published != nullptr) n.published->publish("bridge", "unshare");
  const auto over = [&]() -> result<> {
    (void)sys::set_name("ocitk:bridge");  // for ps(1) only
    std::ranges::copy(numbers_of(n, ctx), std::back_inserter(keep));
    OCITK_TRY(close_strangers(3 + n.preserved, std::move(keep)));
    OCITK_TRY(sys::set_dumpable(false));  // before anybody inside can look at us
    OCITK_TRY(in_stage("unshare", [&] { return join(); }));
    OCITK_TRY(sys::set_dumpable(false));  // a user namespace brings new credentials
    auto [told, teller] = OCITK_TRY(make_channel());
    const auto clone = [&] {
      return sys::clone_process({.flags = birth.flags | CLONE_PARENT, .exit_signal = 0, .cgroup = birth.cgroup});
    };
    auto init = OCITK_TRY(in_stage("unshare", [&] { return at("/linux/namespaces", clone); }));
    if (init.pid == 0) {  // silent until the parent was told that it is there: else that would come second
      standing = {.process = "init"};
      teller.close();
      OCITK_TRY(told.listen());
      told.close();
      live(ctx, n);
    }
    return n.parent.say_born(init.pid, init.pidfd);
  };
  const auto done = over();
  if (!done) (void)n.parent.fail(explained(done.error(), ctx));  // a parent that is gone needs no reason
  ::_exit(done ? 0 : failed_at_start);
}

}  // namespace detail

/// Joins, makes init as a child of our parent, tells its pid, goes. Never returns in the bridge itself.
[[noreturn]] inline auto bridge_main(const stages::unshare::plan& namespaces, init_context& ctx, newborn& n) -> void {
  detail::cross(ctx, n, {}, {.flags = namespaces.at_birth}, [&] { return stages::unshare::join(namespaces.joins); }, init_main);
}

}  // namespace ocitk::runtime

#endif
