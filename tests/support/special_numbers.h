// Numbers that are none.
#pragma once

#include <limits>

namespace openrknn::test {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace openrknn::test
