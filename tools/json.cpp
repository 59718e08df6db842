// The one file with the code of the JSON parser; see spec/detail/linkage.hpp.
#define OCITK_JSON_HERE

#include <ocitk/spec/read.hpp>
#include <ocitk/spec/write.hpp>
