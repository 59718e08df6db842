#ifndef OCITK_OWNED_HPP
#define OCITK_OWNED_HPP

#include <utility>

namespace ocitk {

/// Owns what a C library gives by pointer and takes back by a function. <memory> has the same, at 0.2 s for every file
/// that includes a stage.
template <class Pointer, auto Free>
class owned {
 public:
  explicit owned(Pointer what) noexcept : what_{what} {}
  owned(owned&& other) noexcept : what_{std::exchange(other.what_, nullptr)} {}
  owned(const owned&) = delete;
  auto operator=(const owned&) -> owned& = delete;
  auto operator=(owned&&) -> owned& = delete;
  ~owned() {
    if (what_ != nullptr) (void)Free(what_);
  }

  [[nodiscard]] auto get() const noexcept -> Pointer { return what_; }
  explicit operator bool() const noexcept { return what_ != nullptr; }

 private:
  Pointer what_;
};

}  // namespace ocitk

#endif
