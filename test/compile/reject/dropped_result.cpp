// ignoring returned value
#include <ocitk/error.hpp>

auto step() -> ocitk::result<>;

auto main() -> int { step(); }
