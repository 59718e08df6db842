#ifndef OCITK_SYS_PACKING_HPP
#define OCITK_SYS_PACKING_HPP

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

/// Numbers and texts in a row of bytes, between processes of one program on one machine.
namespace ocitk::sys {

inline auto put_number(std::string& out, std::uint32_t number) -> void {
  std::array<char, sizeof number> bytes{};
  std::memcpy(bytes.data(), &number, sizeof number);
  out.append(bytes.data(), bytes.size());
}

inline auto put_text(std::string& out, std::string_view text) -> void {
  put_number(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

/// Takes values off the front of a message; remembers when there was less than expected.
class unpacker {
 public:
  explicit unpacker(std::string_view bytes) : rest_{bytes} {}
  auto number() -> std::uint32_t {
    std::uint32_t value = 0;
    if (rest_.size() < sizeof value) {
      short_ = true;
      return 0;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  auto text() -> std::string {
    const auto size = number();
    if (size > rest_.size()) {
      short_ = true;
      return {};
    }
    std::string value{rest_.substr(0, size)};
    rest_.remove_prefix(size);
    return value;
  }
  [[nodiscard]] auto is_short() const -> bool { return short_; }
  [[nodiscard]] auto complete() const -> bool { return !short_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool short_ = false;
};

}  // namespace ocitk::sys

#endif
