#include <ocitk/sys/kernel/process.hpp>

#include "../../../support/watching.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace ocitk;
namespace kernel = ocitk::sys::kernel;
using strings = std::vector<std::string>;

TEST_CASE("kernel processes: nothing of it is done in a rehearsal") {
  support::one_answer stands_in{0};
  support::listener all{&stands_in};
  CHECK(kernel::sethostname("name") == 0);
  CHECK(kernel::setdomainname("a.b") == 0);
  CHECK(kernel::unshare(CLONE_NEWNS | CLONE_NEWUTS) == 0);
  const std::vector<gid_t> groups{5, 6};
  CHECK(kernel::setgroups(2, groups.data()) == 0);
  CHECK(kernel::setresuid(12345) == 0);
  CHECK(::getuid() != 12345);
  CHECK(kernel::prctl("PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS, 1) == 0);
  CHECK(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
  CHECK(kernel::prlimit64(0, RLIMIT_NOFILE, "RLIMIT_NOFILE", {.rlim_cur = 1, .rlim_max = RLIM64_INFINITY}) == 0);
  CHECK(all.calls.at(0).args == strings{"\"name\"", "4"});
  CHECK(all.calls.at(2).args == strings{"CLONE_NEWNS|CLONE_NEWUTS"});
  CHECK(all.calls.at(3).args == strings{"2", "[5, 6]"});
  CHECK(all.calls.at(6).args == strings{"0", "RLIMIT_NOFILE", "{rlim_cur=1, rlim_max=RLIM64_INFINITY}"});
}

TEST_CASE("kernel processes: closing is nobody's business, marking is") {
  support::one_answer stands_in{0};
  support::listener all{&stands_in};
  kernel::close_range(3, ~0U, 0);
  kernel::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  CHECK(all.calls.at(0).does == effect::asks);
  CHECK(all.calls.at(1).does == effect::changes);
  CHECK(all.calls.at(1).args == strings{"3", "~0U", "CLOSE_RANGE_CLOEXEC"});
}

TEST_CASE("kernel processes: no key's number is shown, its permissions are") {
  support::one_answer stands_in{0};
  support::listener all{&stands_in};
  CHECK(kernel::keyctl("KEYCTL_JOIN_SESSION_KEYRING", KEYCTL_JOIN_SESSION_KEYRING, "_ses.a", 0, 0) == 0);
  CHECK(kernel::set_key_permissions(77, 0x3f1b0000) == 0);
  CHECK(all.calls.at(0).args == strings{"KEYCTL_JOIN_SESSION_KEYRING", "\"_ses.a\""});
  CHECK(all.calls.at(1).args == strings{"KEYCTL_SETPERM", "<keyring>", "0x3f1b0000"});
}

TEST_CASE("kernel processes: a user namespace of the rehearsal bounds nothing") {
  support::one_answer stands_in{0};
  support::listener all{&stands_in};
  constexpr unsigned long no_such = 63;
  CHECK(kernel::prctl_asking("PR_CAPBSET_READ", PR_CAPBSET_READ, no_such) == -1);
  CHECK(errno == EINVAL);
  SUBCASE("born into") { kernel::unshare(CLONE_NEWUSER); }
  SUBCASE("joined") { kernel::setns(-1, CLONE_NEWUSER); }
  CHECK(stands_in.every_capability);
  for (unsigned long n = 0; n < 30; ++n) CHECK(kernel::prctl_asking("PR_CAPBSET_READ", PR_CAPBSET_READ, n) == 1);
  CHECK(kernel::prctl_asking("PR_CAPBSET_READ", PR_CAPBSET_READ, no_such) == -1);
}

TEST_CASE("kernel processes: other namespaces leave capabilities alone") {
  support::one_answer stands_in{0};
  support::listener all{&stands_in};
  kernel::unshare(CLONE_NEWNS);
  kernel::setns(-1, CLONE_NEWNET);
  CHECK_FALSE(stands_in.every_capability);
}
