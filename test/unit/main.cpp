#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

namespace {

unsigned cases_run = 0;

/// Counts the cases that pass the filters of the command line.
struct counter : doctest::IReporter {
  explicit counter(const doctest::ContextOptions&) {}
  void test_run_end(const doctest::TestRunStats& stats) override { cases_run = stats.numTestCasesPassingFilters; }
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("counter", 1, counter);

}  // namespace

/// Runs the cases of one source file, as meson asks for them. A filter that matches nothing is a failure:
/// otherwise a file dropped from the build would pass for ever.
auto main(int argc, char** argv) -> int {
  doctest::Context context{argc, argv};
  const int failed = context.run();
  if (context.shouldExit() || cases_run > 0) return failed;
  std::fputs("no test case matches the filter\n", stderr);
  return 1;
}
