#include "tools.hpp"

#include <ocitk/cli/waiting.hpp>
#include <ocitk/runtime/handshake.hpp>
#include <ocitk/stages/idmap.hpp>
#include <ocitk/sys/process.hpp>

#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

// ocitk-idmap: leaves a helper behind that keeps the privileges of here, and writes the maps when ocitk-unshare has made
// the namespace. The helper ends with its work, or with the chain.
namespace ocitk::tools::stages {

namespace {

/// "0:100000:65536"
auto mapping_of(const std::string& text) -> result<spec::id_mapping> {
  const auto parts = cli::detail::parts_of(text, ':');
  if (parts.size() != 3) return failure(text + ": a mapping is INSIDE:OUTSIDE:COUNT");
  using cli::detail::number_in;
  return spec::id_mapping{.container_id = OCITK_TRY(number_in<std::uint32_t>(parts[0])),
                          .host_id = OCITK_TRY(number_in<std::uint32_t>(parts[1])),
                          .size = OCITK_TRY(number_in<std::uint32_t>(parts[2]))};
}

/// Holds nothing of the caller's: who waits for the end of a pipe must not wait for the helper.
auto let_go_of_everything(fd_ref but) -> result<> {
  const unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (!null) return failed("open", "/dev/null");
  for (const int number : {0, 1, 2}) OCITK_TRY(checked(::dup2(null.get(), number), "dup2"));
  const auto own = static_cast<unsigned>(but.get());
  if (own > 3) OCITK_TRY(checked(::close_range(3, own - 1, 0), "close_range"));
  return checked(::close_range(own + 1, ~0U, 0), "close_range");
}

[[noreturn]] auto helper_main(const runtime::channel& talk, const std::vector<ocitk::stages::idmap::write>& plan) -> void {
  (void)sys::set_name("ocitk:idmap");  // for ps(1) only
  auto work = [&]() -> result<> {
    OCITK_TRY(let_go_of_everything(talk.end()));
    const auto heard = OCITK_TRY(talk.listen());
    if (heard.gone) return {};
    if (heard.said != runtime::word::born || !heard.passed) return failure("ocitk-unshare said something else than expected");
    OCITK_TRY(in_stage("idmap", ocitk::stages::idmap::apply(plan, heard.passed)));
    return talk.say(runtime::word::mapped);
  };
  const auto done = work();
  if (!done) (void)talk.fail(done.error());  // a chain that is gone needs no reason
  ::_exit(done ? 0 : cli::exit_code::failed);
}

/// A grandchild: the program at the end of the chain must not find a child that it never made.
auto leave_helper(const std::vector<ocitk::stages::idmap::write>& plan) -> result<unique_fd> {
  auto [mine, theirs] = OCITK_TRY(sys::seqpacket_pair());
  auto w = OCITK_TRY(cli::watch::begin());
  const auto between = OCITK_TRY(sys::clone_process({}));
  if (between.pid == 0) {
    mine.reset();
    const auto done = w.end_in_child();
    const auto helper = done ? sys::clone_process({}) : result<sys::child>{std::unexpected(done.error())};
    if (helper && helper->pid == 0) helper_main(runtime::channel{std::move(theirs)}, plan);
    ::_exit(helper ? 0 : cli::exit_code::failed);
  }
  const int status = OCITK_TRY(sys::exit_status(between.pid));
  OCITK_TRY(w.end_in_child());  // here, too: the next program gets the caller's signals
  if (status != 0) return failure("the helper could not be started");
  return cli::lifted(std::move(mine));
}

class idmap_tool : public cli::tool {
 public:
  auto options(cli::option_list& o) -> void override {
    o.add("uid-map", &uids_, "INSIDE:OUTSIDE:COUNT, may be given again");
    o.add("gid-map", &gids_, "INSIDE:OUTSIDE:COUNT, may be given again");
  }
  auto fill(cli::chain_link& here) -> result<> override {
    auto& linux = here.config.linux;
    for (const auto& text : uids_) linux.uid_mappings.push_back(OCITK_TRY(mapping_of(text)));
    for (const auto& text : gids_) linux.gid_mappings.push_back(OCITK_TRY(mapping_of(text)));
    if (here.has_spec) return {};
    if (uids_.empty() || gids_.empty()) return failure("--uid-map and --gid-map are needed");
    linux.namespaces = {{.type = "user"}};
    return {};
  }
  auto run(cli::chain_link& here) -> result<> override {
    const auto plan = ocitk::stages::idmap::plan_for(here.config.linux, ::geteuid() == 0);
    if (!plan.empty()) here.state.idmap = OCITK_TRY(leave_helper(plan));
    return {};
  }

 private:
  std::vector<std::string> uids_, gids_;
};

}  // namespace

auto make_idmap() -> made_tool { return std::make_unique<idmap_tool>(); }

}  // namespace ocitk::tools::stages
