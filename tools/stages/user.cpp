#include "keep.hpp"
#include "tools.hpp"

#include <ocitk/stages/caps.hpp>
#include <ocitk/stages/user.hpp>
#include <ocitk/sys/credentials.hpp>
#include <ocitk/sys/prctl.hpp>

#include <linux/capability.h>
#include <sys/stat.h>

// ocitk-user: becomes another user. Capabilities of who is not root survive an exec in the ambient set only: that is how
// `--keep` keeps them, and how ocitk-caps gets those of a bundle.
namespace ocitk::tools::stages {

namespace {

namespace caps = ocitk::stages::caps;

/// "1000:1000,5": the first group is the user's own number if none is given.
auto user_of(const std::string& text) -> result<spec::user> {
  using cli::detail::number_in;
  const auto colon = text.find(':');
  spec::user u{.uid = OCITK_TRY(number_in<std::uint32_t>(std::string_view{text}.substr(0, colon)))};
  u.gid = u.uid;
  if (colon == text.npos) return u;
  const auto groups = cli::detail::parts_of(std::string_view{text}.substr(colon + 1), ',');
  u.gid = OCITK_TRY(number_in<std::uint32_t>(groups[0]));
  for (std::size_t i = 1; i < groups.size(); ++i) u.additional_gids.push_back(OCITK_TRY(number_in<std::uint32_t>(groups[i])));
  return u;
}

auto current_umask() -> std::uint32_t {
  const auto now = ::umask(0);
  ::umask(now);
  return now;
}

class user_tool : public cli::tool {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("umask", &umask_, "octal; default: as it is");
    o.add("keep", &keep_, "capabilities that the user gets, CAP_NET_BIND_SERVICE,CAP_KILL");
  }
  [[nodiscard]] auto takes(std::string_view, std::size_t index, bool has_spec) const -> bool override {
    return !has_spec && index == 0;
  }
  auto fill(cli::chain_link& here) -> result<> override {
    auto& process = cli::process_of(here);
    if (!here.has_spec) {
      if (here.operands.empty()) return failure("no user is given: UID[:GID[,GID...]]");
      process.user = OCITK_TRY(user_of(here.operands[0]));
      process.user.umask = current_umask();
    }
    if (!umask_.empty()) process.user.umask = OCITK_TRY(cli::detail::number_in<std::uint32_t>(umask_, 8));
    if (!keep_.empty() || !here.has_spec) process.capabilities = OCITK_TRY(capabilities_of(keep_));
    OCITK_TRY(ocitk::stages::user::plan(process.user));
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    const auto& process = *here.config.process;
    if (!OCITK_TRY(may_change(process.user)))
      return failure("ids cannot be changed any more: CAP_SETUID and CAP_SETGID are gone, ocitk-caps comes after ocitk-user");
    const auto have = OCITK_TRY(caps::available());
    if (!keep_.empty()) OCITK_TRY(require_held(process.capabilities->permitted, have.held.permitted));
    const auto wanted = caps::plan(process.capabilities, have).wanted;  // its warnings are for ocitk-caps to tell
    const auto kept = process.user.uid == 0 ? caps::mask{0} : wanted.permitted | wanted.inheritable;
    if (kept != 0) OCITK_TRY(sys::keep_capabilities(true));
    OCITK_TRY(cli::run_stages(ocitk::stages::set_user{}, here));
    if (kept == 0) return {};
    here.state.lent = here.state.lent || here.has_spec;
    std::vector<std::string> warnings;
    OCITK_TRY(caps::apply({.permitted = kept, .effective = kept, .inheritable = kept, .ambient = kept}, warnings));
    for (const auto& text : warnings) cli::print_line(here.row, "warning: " + text);
    return {};
  }

 private:
  /// Without the capabilities, only what the process is already.
  static auto may_change(const spec::user& to) -> result<bool> {
    const bool uids = OCITK_TRY(sys::has_capability(CAP_SETUID));
    const bool gids = OCITK_TRY(sys::has_capability(CAP_SETGID));
    if (uids && gids) return true;
    return to.uid == ::geteuid() && to.gid == ::getegid() && to.additional_gids.empty();
  }
  std::string umask_, keep_;
};

}  // namespace

auto make_user() -> made_tool { return std::make_unique<user_tool>(); }

}  // namespace ocitk::tools::stages
