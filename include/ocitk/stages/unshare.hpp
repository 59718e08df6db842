#ifndef OCITK_STAGES_UNSHARE_HPP
#define OCITK_STAGES_UNSHARE_HPP

#include <ocitk/context.hpp>
#include <ocitk/stage.hpp>
#include <ocitk/sys/file.hpp>
#include <ocitk/sys/namespace.hpp>
#include <ocitk/text.hpp>

#include <string>
#include <vector>

namespace ocitk::stages::unshare {

/// One namespace to join by path.
struct joined {
  std::uint64_t flag = 0;
  std::string path{};
  std::string pointer{};
  bool operator==(const joined&) const = default;
};

/// What the list of namespaces comes to.
struct plan {
  std::uint64_t at_birth = 0;   ///< CLONE_NEW* flags init is cloned with
  std::uint64_t in_init = 0;    ///< made by init itself: a cgroup namespace is rooted where its maker stands, and the
                                ///< clocks of a time namespace are set before anybody is inside
  std::vector<joined> joins{};  ///< in order of the spec, user namespace first
  bool operator==(const plan&) const = default;
};

/// Reads  /linux/namespaces; `with_clocks`: there are /linux/timeOffsets
inline auto plan_for(const std::vector<spec::ns>& namespaces, bool with_clocks = false) -> result<plan> {
  plan p;
  const std::uint64_t later = CLONE_NEWCGROUP | (with_clocks ? CLONE_NEWTIME : 0U);
  for (std::size_t i = 0; i < namespaces.size(); ++i) {
    const auto& n = namespaces[i];
    const auto* kind = sys::kind_of(n.type);
    const auto pointer = filled("/linux/namespaces/{}", i);
    if (kind == nullptr) return failure(filled("namespace \"{}\" does not exist", n.type), pointer + "/type");
    if (!n.path.empty())
      p.joins.insert(kind->flag == CLONE_NEWUSER ? p.joins.begin() : p.joins.end(),
                     {.flag = kind->flag, .path = n.path, .pointer = pointer + "/path"});
    else
      ((kind->flag & later) != 0 ? p.in_init : p.at_birth) |= kind->flag;
  }
  return p;
}

/// Joins namespaces by path. Those that the caller's privileges suffice for go first; entering a user namespace
/// gives up the right to the others the host owns, and gives the right to those that it owns itself.
///
/// Process  bridge, or any single-threaded process
/// Calls    open(2), setns(2)
/// Fails    EINVAL where the file is no namespace of that kind, EPERM without privileges over it
inline auto join(const std::vector<joined>& joins) -> result<> {
  std::vector<unique_fd> files;
  for (const auto& j : joins) files.push_back(OCITK_TRY(at(j.pointer, [&] { return sys::open_at(fd_ref::cwd(), j.path, O_RDONLY); })));
  const auto enter = [&](std::size_t i) {
    return at(joins[i].pointer, [&] { return trying(joins[i].path, sys::join_namespace(files[i], joins[i].flag)); });
  };
  std::vector<std::size_t> refused;
  bool user_first = false;
  for (std::size_t i = 0; i < joins.size(); ++i) {
    if (joins[i].flag == CLONE_NEWUSER) {
      user_first = true;
      continue;
    }
    auto entered = enter(i);
    if (entered) continue;
    if (entered.error().code != EPERM || !user_first) return entered;
    refused.push_back(i);
  }
  for (std::size_t i = 0; i < joins.size(); ++i)
    if (joins[i].flag == CLONE_NEWUSER) OCITK_TRY(enter(i));
  for (const auto i : refused) OCITK_TRY(enter(i));
  return {};
}

}  // namespace ocitk::stages::unshare

namespace ocitk::stages {

/// Makes the namespaces that init could not be born into: a cgroup namespace takes its root from where its
/// maker stands, so it comes after the cgroup is joined; for a time namespace see the stage `time`.
///
/// Reads    /linux/namespaces
/// Process  init
/// Calls    unshare(2)
/// Fails    EPERM without CAP_SYS_ADMIN
struct enter_namespaces : stage_in<init_context> {
  static constexpr std::string_view name = "unshare";
  static constexpr std::string_view reads = "/linux/namespaces";
  static constexpr std::string_view summary = "makes or joins the namespaces";
  static constexpr std::array<std::string_view, 1> after{"cgroup"};
  auto operator()(init_context& ctx) const -> result<> {
    const auto wanted = OCITK_TRY(unshare::plan_for(ctx.spec.linux.namespaces, !ctx.spec.linux.time_offsets.empty()));
    if (wanted.in_init == 0) return {};
    return at("/linux/namespaces", [&] { return sys::leave_namespaces(wanted.in_init); });
  }
};

}  // namespace ocitk::stages

#endif
