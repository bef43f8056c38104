// The last step of the integer laws in the form the inner loops take.
#pragma once

#include <cmath>
#include <cstdlib>

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/output_stage.h"

namespace openrknn::fast {

/// Multipliers as lower() makes them: with sums of up to 32 bits every step stays exact in doubles.
inline bool scale_fits(const OutputScale& scale) { return std::abs(scale.multiplier) < 1 << 15 && scale.shift >= 0; }

/// Times 255, the largest code less its zero point: what an int32 holds.
inline constexpr int64_t kMostSummedCodes = 1 << 23;

inline CodeScale code_scale_of(const OutputScale& scale) {
  CodeScale s;
  s.multiplier = std::ldexp(scale.multiplier, -scale.shift);
  (scale.zero_point_before_shift ? s.zero_point_before : s.zero_point_after) = scale.zero_point;
  s.low = scale.low;
  s.high = scale.high;
  return s;
}

}  // namespace openrknn::fast
