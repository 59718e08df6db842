#ifndef OCITK_WATCH_RECORDER_HPP
#define OCITK_WATCH_RECORDER_HPP

#include <ocitk/sys/kernel/pretence.hpp>
#include <ocitk/watch.hpp>
#include <ocitk/watch/names.hpp>
#include <ocitk/watch/recording.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Watches and writes down. Clones of the process go on recording into the same file.
namespace ocitk::watch {

class recorder : public watcher {
 public:
  /// `answers` is null for a trace; in a rehearsal it stands in for the kernel.
  explicit recorder(recording into, pretence* answers = nullptr) : into_{std::move(into)}, answers_{answers} {}

  /// A program that takes our place leaves nobody to tell of it afterwards.
  auto before(const operation& op) -> void override {
    call_began_ = now();
    if (op.call == "execve") note(op, 0, 0, 0);
  }
  auto after(const operation& op, long returned, int code) -> void override {
    const auto took = now() - call_began_;
    if (op.call == "clone3" && returned == 0) {  // its maker tells of it, and ends the stages that it is in
      for (auto& stage : stages_began_) stage.by_us = false;
      return;
    }
    names_.learn(op, returned);
    note(op, took, returned, code);
  }
  auto stage_begins(std::string_view) -> void override { stages_began_.push_back({.at = now()}); }
  auto stage_ends(std::string_view name, bool succeeded) -> void override {
    const auto [began, by_us] = stages_began_.back();
    stages_began_.pop_back();
    if (!by_us) return;
    into_.add({.is_stage = true, .process = std::string{standing.process}, .stage = std::string{name}, .started = began,
               .duration = now() - began, .code = succeeded ? 0 : 1});
  }
  auto name_of(int fd) -> std::string override { return names_.of(fd); }
  auto learn(int fd, std::string_view name) -> void override {
    names_.learn(fd, name);
    if (answers_ != nullptr) answers_->forget(fd);
  }
  auto duplicated(int fd, int copy) -> void override {
    names_.learn(copy, names_.of(fd));
    if (answers_ != nullptr) answers_->duplicated(fd, copy);
  }
  auto pretends() -> pretence* override { return answers_; }
  [[nodiscard]] auto needs() const -> std::vector<int> override { return {into_.number()}; }

  [[nodiscard]] auto tape() const -> const recording& { return into_; }

 private:
  struct begun {
    std::int64_t at = 0;
    bool by_us = true;  ///< not before this process was cloned
  };
  auto note(const operation& op, std::int64_t took, long returned, int code) -> void {
    into_.add({.does = op.does, .process = std::string{standing.process}, .stage = std::string{standing.stage},
               .pointer = std::string{standing.pointer}, .call = std::string{op.call}, .args = op.args,
               .started = call_began_, .duration = took, .returned = returned, .code = code});
  }

  recording into_;
  pretence* answers_;
  descriptor_names names_{};
  std::int64_t call_began_ = 0;
  std::vector<begun> stages_began_{};
};

/// Has a watcher watch the calling thread for as long as the object lives.
class watched_by {
 public:
  explicit watched_by(watcher& who) : before_{watching} { watching = &who; }
  watched_by(const watched_by&) = delete;
  auto operator=(const watched_by&) -> watched_by& = delete;
  ~watched_by() { watching = before_; }

 private:
  watcher* before_;
};

}  // namespace ocitk::watch

#endif
