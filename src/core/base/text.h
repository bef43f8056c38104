// Words and digits as people write them.
#pragma once

#include <string>

namespace openrknn {

std::string lower_case(std::string text);

/// -1 for what is none, in either case.
int hex_digit(char);

}  // namespace openrknn
