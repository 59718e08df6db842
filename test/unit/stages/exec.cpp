#include <ocitk/stages/exec.hpp>

#include "../../support/in_child.hpp"

#include <doctest/doctest.h>


#include <cstdlib>
#include <fstream>

using namespace ocitk;
namespace exec = stages::exec;

static_assert(stage<stages::execute>);

namespace {

/// bin/prog may run, bin/plain may not, bin/dir is a directory.
struct folder {
  std::string path = "/tmp/ocitk-exec-XXXXXX";
  folder() {
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    REQUIRE(::mkdir((path + "/bin").c_str(), 0755) == 0);
    REQUIRE(::mkdir((path + "/bin/dir").c_str(), 0755) == 0);
    for (const char* name : {"/bin/prog", "/bin/plain"}) std::ofstream{path + name} << "#!/bin/sh\nexit 3\n";
    REQUIRE(::chmod((path + "/bin/prog").c_str(), 0755) == 0);
    REQUIRE(::chmod((path + "/bin/plain").c_str(), 0644) == 0);
  }
  ~folder() {
    for (const char* name : {"/bin/prog", "/bin/plain"}) ::unlink((path + name).c_str());
    for (const char* name : {"/bin/dir", "/bin", ""}) ::rmdir((path + name).c_str());
  }
};

}  // namespace

TEST_CASE("exec: a bare name is looked up in PATH of the spec, in order") {
  const folder f;
  const auto bin = f.path + "/bin";
  CHECK(exec::find_program("prog", {"PATH=/nowhere:" + bin + ":/bin"}, "/") == bin + "/prog");
  CHECK(exec::find_program("prog", {"PATH=bin"}, f.path) == bin + "/prog");
  CHECK(exec::find_program("prog", {"PATH="}, bin).error().code == ENOENT);
  CHECK(exec::find_program("prog", {"PATH=:/bin"}, bin) == bin + "/prog");
  CHECK_FALSE(exec::find_program("prog", {"XPATH=" + bin}, "/"));
  CHECK_FALSE(exec::find_program("dir", {"PATH=" + bin}, "/"));
  CHECK_FALSE(exec::find_program("plain", {"PATH=" + bin}, "/"));
  CHECK_FALSE(exec::find_program("", {"PATH=" + bin}, "/"));
}

TEST_CASE("exec: a program that is not found is told in Go's words") {
  const auto none = exec::find_program("sh", {}, "/");
  REQUIRE_FALSE(none);
  CHECK(none.error().detail == "exec: \"sh\": executable file not found in $PATH");
  CHECK(none.error().code == ENOENT);
  CHECK(none.error().pointer == "/process/args/0");
}

TEST_CASE("exec: a name with a slash is taken as it is") {
  const folder f;
  CHECK(exec::find_program("bin/prog", {}, f.path) == "bin/prog");
  CHECK(exec::find_program(f.path + "/bin/prog", {}, "/") == f.path + "/bin/prog");
  CHECK(to_string(exec::find_program("./x", {}, f.path).error()).starts_with("exec: \"./x\": stat ./x: no such file"));
  CHECK(to_string(exec::find_program("./bin", {}, f.path).error()).starts_with("exec: \"./bin\": is a directory"));
  CHECK(to_string(exec::find_program("bin/plain", {}, f.path).error())
            .starts_with("exec: \"bin/plain\": permission denied"));
}

TEST_CASE("exec: ignored and blocked signals are back to normal") {
  CHECK(in_child([] {
          ::signal(SIGTERM, SIG_IGN);
          sigset_t set;
          ::sigemptyset(&set);
          ::sigaddset(&set, SIGTERM);
          ::sigprocmask(SIG_BLOCK, &set, nullptr);
          exec::reset_signals();
          ::raise(SIGTERM);
          return 0;
        }) == -SIGTERM);
}

TEST_CASE("exec: the payload gets its arguments and nothing but its environment") {
  ::setenv("OCITK_LEAK", "1", 1);
  const int status = in_child([] {
    (void)exec::become("/bin/sh", {"name", "-c", "test \"$A\" = 1 && test -z \"$OCITK_LEAK\" && exit 5"}, {"A=1"});
    return 9;
  });
  ::unsetenv("OCITK_LEAK");
  CHECK(status == 5);
}

TEST_CASE("exec: no descriptor above stdio gets through, unless it is below the limit") {
  const auto open_in_payload = [](unsigned first_closed, auto close) {
    return in_child([&] {
      if (::dup2(1, 3) != 3 || ::dup2(1, 4) != 4 || !close(first_closed)) return 9;
      (void)exec::become("/bin/sh", {"sh", "-c", "test -e /proc/self/fd/4 && exit 2; test -e /proc/self/fd/3"}, {},
                         first_closed);
      return 8;
    });
  };
  const auto nothing = [](unsigned) { return true; };
  CHECK(open_in_payload(3, nothing) == 1);
  CHECK(open_in_payload(4, nothing) == 0);
  CHECK(in_child([] {
          if (::dup2(1, 3) != 3 || !sys::detail::close_on_exec_by_listing(3)) return 9;
          return ::fcntl(3, F_GETFD) == FD_CLOEXEC && ::fcntl(1, F_GETFD) == 0 ? 0 : 1;
        }) == 0);
}

TEST_CASE("exec: a failed execve says so") {
  CHECK(in_child([] {
          const auto r = exec::become("/nowhere/x", {"x"}, {});
          return !r && r.error().call == "execve" && r.error().code == ENOENT ? 0 : 1;
        }) == 0);
}

TEST_CASE("exec: the stage runs the program of the spec") {
  const folder f;
  spec::config config{};
  config.process = spec::process{.args = {"prog"}, .env = {"PATH=" + f.path + "/bin"}, .cwd = f.path};
  CHECK(in_child([&] {
          init_context ctx{config};
          (void)stages::execute{}(ctx);
          return 9;
        }) == 3);
  config.process->args.clear();
  init_context ctx{config};
  CHECK(stages::execute{}(ctx).error().pointer == "/process/args");
  config.process.reset();
  CHECK_FALSE(stages::execute{}(ctx));
}
