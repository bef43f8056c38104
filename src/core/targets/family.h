// SoCs whose NPUs take the same operators.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/targets/targets.h"

namespace openrknn {

enum class Family : uint8_t { Rk356x, Rk3588, Rk3562, Rk3576, Rv1106, Rv1106b, Rk2118 };
inline constexpr int kFamilyCount = 7;
Family family_of(const Target&);
std::string_view name(Family);  ///< "RK3566, RK3568"

}  // namespace openrknn
