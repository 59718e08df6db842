#include "all_headers.hpp"

auto other() -> int;

auto main() -> int { return other(); }
