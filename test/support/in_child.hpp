#ifndef OCITK_TEST_IN_CHILD_HPP
#define OCITK_TEST_IN_CHILD_HPP

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

/// Runs something in a process of its own; its exit code, or minus the signal that ended it.
inline auto in_child(const std::function<int()>& act) -> int {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(act());
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
