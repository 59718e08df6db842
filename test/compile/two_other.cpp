#include "all_headers.hpp"

auto other() -> int { return 0; }
