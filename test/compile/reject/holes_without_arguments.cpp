// as many {} as arguments are needed
#include <ocitk/text.hpp>

auto text() -> std::string { return ocitk::filled("{} and {}", 1); }
