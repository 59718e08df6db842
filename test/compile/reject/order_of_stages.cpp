// a stage stands before one named in its `after`
#include <ocitk/stages/pivot.hpp>
#include <ocitk/stages/rootfs.hpp>

constexpr auto row = ocitk::stages::change_root{} | ocitk::stages::build_rootfs{};

auto main() -> int {}
