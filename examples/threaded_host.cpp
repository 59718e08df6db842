// A program with threads runs a container by a helper process, ocitk itself. usage: threaded_host OCITK BUNDLE ID
#include <ocitk/sys/process.hpp>
#include <ocitk/sys/threads.hpp>

#include <spawn.h>

#include <cstdio>
#include <future>

using namespace ocitk;

// posix_spawn(3) copies no memory and takes no lock between its clone and its exec: safe with any number of threads.
auto run_container(char* ocitk, char* bundle, char* id) -> result<int> {
  char run[] = "run", option[] = "--bundle";
  char* const args[] = {ocitk, run, option, bundle, id, nullptr};
  pid_t pid = 0;
  if (const int code = ::posix_spawn(&pid, ocitk, nullptr, nullptr, args, environ); code != 0)
    return std::unexpected(error{.code = code, .call = "posix_spawn", .detail = ocitk});
  return sys::exit_status(pid);
}

auto main(int argc, char** argv) -> int {
  if (argc != 4) return 2;
  auto container = std::async(std::launch::async, [&] { return run_container(argv[1], argv[2], argv[3]); });
  if (const auto alone = sys::refuse_threads(); !alone) std::puts(to_string(alone.error()).c_str());
  std::fflush(stdout);
  const auto status = container.get();
  std::printf("%s: %s\n", argv[3], status ? std::to_string(*status).c_str() : to_string(status.error()).c_str());
}
