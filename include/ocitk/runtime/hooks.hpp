#ifndef OCITK_RUNTIME_HOOKS_HPP
#define OCITK_RUNTIME_HOOKS_HPP

#include <ocitk/context.hpp>
#include <ocitk/error.hpp>
#include <ocitk/runtime/status.hpp>
#include <ocitk/runtime/store.hpp>
#include <ocitk/spec/config.hpp>
#include <ocitk/spec/defaults.hpp>
#include <ocitk/spec/write.hpp>
#include <ocitk/stages/hooks.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>

/// The hooks that belong to commands, not to the setup: what they read, when they are due, and what their failure means.
namespace ocitk::runtime {

/// Is told what went wrong and is no reason to stop.
using warn_to = std::function<void(error)>;

/// What hooks of the runtime read of a container.
inline auto state_for_others(const record& known, status now, int pid) -> spec::hook_state {
  return {.oci_version = std::string{spec::oci_version},
          .id = known.id,
          .status = std::string{to_string(now)},
          .pid = pid,
          .bundle = known.bundle,
          .annotations = known.annotations};
}
inline auto hook_state(const record& known, status now, int pid) -> std::string {
  return spec::state_text(state_for_others(known, now, pid));
}

/// What hooks inside the container read, which see init by the number it has there.
inline auto hook_state(const init_context& ctx, status now) -> std::string {
  return spec::state_text(spec::hook_state{.oci_version = std::string{spec::oci_version},
                                           .id = ctx.id,
                                           .status = std::string{to_string(now)},
                                           .pid = ::getpid(),
                                           .bundle = ctx.bundle,
                                           .annotations = ctx.spec.annotations});
}

/// Has init to wait for its parent in the middle? From there on the container's environment counts as made: `poststop`
/// hooks are due whatever happens, and that has to be on disk before.
inline auto meet_parent(const spec::hooks& all) -> bool {
  return !all.prestart.empty() || !all.create_runtime.empty() || !all.poststop.empty();
}

/// Fails  at the first that fails; the container has to be killed then
inline auto run_poststart_hooks(const record& known, status now) -> result<> {
  const auto state = hook_state(known, now, now == status::stopped ? 0 : known.pid);
  return in_stage(stages::run_create_runtime_hooks::name, [&] {
    return stages::hooks::run_in_order(stages::hooks::plan(known.hooks, stages::hooks::moment::poststart),
                                       {.state = state, .environment = stages::hooks::inherited_environment()});
  });
}

/// Each of them, whatever the others do: a failure is a warning, the container is gone anyway (fault F32).
inline auto run_poststop_hooks(const record& known, const warn_to& warn) -> void {
  const auto commands = stages::hooks::plan(known.hooks, stages::hooks::moment::poststop);
  if (commands.empty()) return;
  const auto state = hook_state(known, status::stopped, 0);
  auto failures = stages::hooks::run_all(commands, {.state = state, .environment = stages::hooks::inherited_environment()});
  for (auto& why : failures) {
    why.stage = stages::run_create_runtime_hooks::name;
    if (warn) warn(std::move(why));
  }
}

/// Runs the poststop hooks of a container that comes to nothing, unless kept: to be destroyed after its cgroups and
/// before its name.
class poststop_guard {
 public:
  explicit poststop_guard(warn_to warn) : warn_{std::move(warn)} {}
  poststop_guard(poststop_guard&& other) noexcept
      : warn_{std::move(other.warn_)}, due_{std::exchange(other.due_, std::nullopt)} {}
  auto operator=(poststop_guard&& other) noexcept -> poststop_guard& {
    std::swap(warn_, other.warn_);
    std::swap(due_, other.due_);
    return *this;
  }
  poststop_guard(const poststop_guard&) = delete;
  auto operator=(const poststop_guard&) -> poststop_guard& = delete;
  ~poststop_guard() {
    if (due_) run_poststop_hooks(*due_, warn_);
  }
  auto arm(const record& known) -> void { due_ = known; }
  auto keep() -> void { due_.reset(); }

 private:
  warn_to warn_;
  std::optional<record> due_{};
};

}  // namespace ocitk::runtime

#endif
