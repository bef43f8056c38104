// Words as people write them.
#pragma once

#include <string>

namespace openrknn {

std::string lower_case(std::string text);

}  // namespace openrknn
