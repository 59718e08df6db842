// What nearly every unit test includes, compiled once.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <string>
#include <vector>
