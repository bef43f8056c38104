#pragma once

#include <string_view>

namespace openrknn {

/// OpenRKNN's own version: the VERSION file.
std::string_view version();

}  // namespace openrknn
