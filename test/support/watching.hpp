#ifndef OCITK_TEST_WATCHING_HPP
#define OCITK_TEST_WATCHING_HPP

#include <ocitk/sys/kernel/pretence.hpp>
#include <ocitk/watch.hpp>

#include <string>
#include <vector>

namespace support {

/// A call that went by.
struct seen {
  std::string call{};
  ocitk::effect does = ocitk::effect::changes;
  std::vector<std::string> args{};
  long returned = 0;
  int code = 0;
};

/// Remembers all it is told, for as long as it lives.
class listener : public ocitk::watcher {
 public:
  explicit listener(ocitk::pretence* answers = nullptr) : answers_{answers} { ocitk::watching = this; }
  ~listener() override { ocitk::watching = nullptr; }
  listener(const listener&) = delete;
  auto operator=(const listener&) -> listener& = delete;

  auto before(const ocitk::operation&) -> void override { ++begun; }
  auto after(const ocitk::operation& op, long returned, int code) -> void override {
    calls.push_back({std::string{op.call}, op.does, op.args, returned, code});
    errno = 12345;  // a watcher's own calls may fail
  }
  auto stage_begins(std::string_view) -> void override {}
  auto stage_ends(std::string_view, bool) -> void override {}
  auto name_of(int fd) -> std::string override { return "<" + std::to_string(fd) + ">"; }
  auto learn(int, std::string_view) -> void override {}
  auto duplicated(int, int) -> void override {}
  auto pretends() -> ocitk::pretence* override { return answers_; }

  int begun = 0;
  std::vector<seen> calls{};

 private:
  ocitk::pretence* answers_;
};

/// Gives the same answer to every call.
struct one_answer : ocitk::pretence {
  explicit one_answer(long says) : answer{says} {}
  long answer;
  bool every_capability = false;

  auto open(int, const char*, std::uint64_t, std::uint64_t) -> long override { return answer; }
  auto stat(int, const char*, int, struct stat&) -> long override { return answer; }
  auto statfs(int, struct statfs&) -> long override { return answer; }
  auto readlink(int, const char*, char*, std::size_t) -> long override { return answer; }
  auto access(int, const char*, int, int) -> long override { return answer; }
  auto read(int, void*, std::size_t) -> long override { return answer; }
  auto write(int, const void*, std::size_t) -> long override { return answer; }
  auto symlink(const char*, int, const char*) -> long override { return answer; }
  auto make(int, const char*, mode_t, dev_t) -> long override { return answer; }
  auto remove(int, const char*) -> long override { return answer; }
  auto rename(int, const char*, const char*) -> long override { return answer; }
  auto open_tree(int, const char*, unsigned) -> long override { return answer; }
  auto fsopen(const char*) -> long override { return answer; }
  auto fsmount(int) -> long override { return answer; }
  auto move_mount(int, int, const char*) -> long override { return answer; }
  auto change_root() -> long override { return answer; }
  auto chdir(int, const char*) -> long override { return answer; }
  auto getcwd(char*, std::size_t) -> long override { return answer; }
  auto dup2(int, int) -> long override { return answer; }
  auto is_terminal(int) -> bool override { return answer > 0; }
  auto duplicated(int, int) -> void override {}
  auto forget(int) -> void override {}
  auto enter_user_namespace() -> void override { every_capability = true; }
  auto has_every_capability() -> bool override { return every_capability; }
  auto connect(int) -> long override { return answer; }
  auto is_connected(int) -> bool override { return true; }
  auto placeholder(const char*) -> long override { return answer; }
};

}  // namespace support

#endif
