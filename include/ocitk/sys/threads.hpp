#ifndef OCITK_SYS_THREADS_HPP
#define OCITK_SYS_THREADS_HPP

#include <ocitk/error.hpp>
#include <ocitk/sys/io.hpp>
#include <ocitk/text.hpp>

#include <time.h>

#include <charconv>
#include <string_view>

/// Threads of the calling process, for who is about to copy it.
namespace ocitk::sys {

/// From the text of /proc/PID/stat, field 20. The name in parentheses may hold anything.
inline auto thread_count_from(std::string_view text) -> result<int> {
  constexpr int fields_between = 17;  // from the space before field 3, the state, to the one before field 20
  const auto end_of_name = text.rfind(')');
  text.remove_prefix(end_of_name == text.npos ? text.size() : end_of_name + 1);
  for (int i = 0; i < fields_between && !text.empty(); ++i) {
    const auto space = text.find(' ', 1);
    text.remove_prefix(space == text.npos ? text.size() : space);
  }
  int count = 0;
  if (text.empty() || std::from_chars(text.data() + 1, text.data() + text.size(), count).ec != std::errc{} || count < 1)
    return failure("cannot understand /proc/self/stat");
  return count;
}

/// Calls  open(2), read(2) of /proc/self/stat
/// Fails  ENOENT where no procfs is mounted
inline auto thread_count() -> result<int> {
  constexpr std::size_t enough = 4096;
  return thread_count_from(OCITK_TRY(read_file(fd_ref::cwd(), "/proc/self/stat", enough)));
}

/// No copy is made of a process with more than one thread: in the copy only the caller lives on, and a lock that
/// another thread held at that moment, malloc's for one, is never released. See docs/embedding.md.
///
/// Fails  with the number of threads; as thread_count() does, since not to know is no permission
inline auto refuse_threads() -> result<> {
  constexpr int looks = 50;
  int count = 0;
  for (int i = 0; i < looks; ++i) {
    count = OCITK_TRY(thread_count());
    if (count == 1) return {};
    // pthread_join(3) returns a moment before the kernel has taken the thread off its list.
    const timespec moment{.tv_sec = 0, .tv_nsec = 1'000'000};
    (void)::clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, nullptr);  // interrupted is as good
  }
  return failure(filled("the calling process has {} threads and only one of them would be in its copy: "
                        "start a helper process", count));
}

}  // namespace ocitk::sys

#endif
