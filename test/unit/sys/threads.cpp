#include <ocitk/sys/threads.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <mutex>
#include <thread>

using namespace ocitk;

TEST_CASE("threads: the twentieth field, whatever the name holds") {
  CHECK(sys::thread_count_from("42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 17 0 987654 1 2 3\n") == 17);
  for (const char* text : {"", "42", "42 (x)", "42 (x) S 1 2", "1 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 - 0",
                           "1 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 0 0"})
    CHECK_FALSE(sys::thread_count_from(text));
}

TEST_CASE("threads: a process of one thread may be copied") {
  CHECK(sys::thread_count() == 1);
  CHECK(sys::refuse_threads());
}

TEST_CASE("threads: with a second thread the process is refused, and says why") {
  std::mutex door;
  std::unique_lock closed{door};
  std::thread second{[&] { std::lock_guard wait{door}; }};
  CHECK(sys::thread_count() == 2);
  const auto refused = sys::refuse_threads();
  closed.unlock();
  second.join();
  REQUIRE_FALSE(refused);
  CHECK(to_string(refused.error()) ==
        "the calling process has 2 threads and only one of them would be in its copy: start a helper process");
}

TEST_CASE("threads: one that is about to end is waited for") {
  // What a thread looks like that was joined a moment ago, only longer: that one is seen in one case of thousands.
  std::thread second{[] { std::this_thread::sleep_for(std::chrono::milliseconds{2}); }};
  const auto seen = sys::thread_count();
  const auto refused = sys::refuse_threads();
  second.join();
  CHECK(seen == 2);
  CHECK(refused);
}
