// stages of different processes
#include <ocitk/stages/hostname.hpp>
#include <ocitk/stages/idmap.hpp>

constexpr auto row = ocitk::stages::map_ids{} | ocitk::stages::set_hostname{};

auto main() -> int {}
