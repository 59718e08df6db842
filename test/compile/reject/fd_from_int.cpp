// could not convert
#include <ocitk/fd.hpp>

auto borrow(ocitk::fd_ref fd) -> int;

auto main() -> int { return borrow(3); }
