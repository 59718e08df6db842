#ifndef OCITK_WATCH_NAMES_HPP
#define OCITK_WATCH_NAMES_HPP

#include <ocitk/watch.hpp>

#include <fcntl.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

/// What descriptors are of, learned from the calls that made them.
namespace ocitk::watch {

class descriptor_names {
 public:
  descriptor_names() : names_{{0, "stdin"}, {1, "stdout"}, {2, "stderr"}} {}

  [[nodiscard]] auto of(int fd) const -> std::string {
    if (fd == AT_FDCWD) return "AT_FDCWD";
    const auto found = names_.find(fd);
    return found == names_.end() ? "<fd " + std::to_string(fd) + ">" : "<" + found->second + ">";
  }
  auto learn(int fd, std::string_view name) -> void {
    while (name.starts_with('<') && name.ends_with('>')) name = name.substr(1, name.size() - 2);
    names_[fd] = name;
  }
  auto learn(const operation& op, long returned) -> void {
    if (returned < 0) return;
    const auto fd = static_cast<int>(returned);
    if (op.call == "openat" || op.call == "openat2" || op.call == "open_tree") learn(fd, joined(op.args[0], op.args[1]));
    if (op.call == "fsopen") learn(fd, "fs " + bare(op.args[0]));
    if (op.call == "fsmount") learn(fd, "new " + bare(op.args[0]).substr(3));
    if (op.call == "ioctl" && op.args[1] == "TIOCGPTPEER") learn(fd, "terminal");
    if (op.call == "socket") learn(fd, "socket");
    if (op.call == "dup2") learn(fd, op.args[0]);
  }

 private:
  /// Without its quotes or angle brackets.
  static auto bare(std::string_view shown) -> std::string {
    return shown.size() < 2 ? std::string{shown} : std::string{shown.substr(1, shown.size() - 2)};
  }
  static auto joined(std::string_view dir, std::string_view path) -> std::string {
    const auto below = bare(path);
    if (dir == "AT_FDCWD") return below;
    auto base = bare(dir);
    if (below.empty() || below == ".") return base;
    while (base.ends_with('/')) base.pop_back();
    return base + (below.starts_with('/') ? "" : "/") + below;
  }

  std::map<int, std::string> names_;
};

}  // namespace ocitk::watch

#endif
