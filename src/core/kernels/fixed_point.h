// The integer primitives of the NPU's output path (docs/arithmetic.md). Everything integer goes through these.
#pragma once

#include <algorithm>
#include <cstdint>

namespace openrknn {

/// v >> shift, rounded half to even; shift 0..62.
inline int64_t round_shift(int64_t v, int shift) {
  if (shift == 0) return v;
  const int64_t half_minus_one = (int64_t{1} << (shift - 1)) - 1;
  return (v + half_minus_one + ((v >> shift) & 1)) >> shift;
}
inline int64_t saturate32(int64_t v) { return std::clamp<int64_t>(v, INT32_MIN, INT32_MAX); }
inline int64_t saturate16(int64_t v) { return std::clamp<int64_t>(v, INT16_MIN, INT16_MAX); }

/// Per-channel stage: the accumulator times the channel's multiplier.
inline int64_t scale_channel(int64_t acc, int32_t channel, int channel_shift) {
  return saturate32(round_shift(acc * channel, channel_shift));
}
/// Layer stage: multiplier, shift, zero point (before or after the shift by the law), clamp of output codes.
inline int32_t scale_output(int64_t v, int32_t multiplier, int shift, int32_t zero_point, bool zero_point_before_shift,
                            int32_t low, int32_t high) {
  const int64_t code = zero_point_before_shift
                           ? round_shift(v * multiplier + (static_cast<int64_t>(zero_point) << shift), shift)
                           : round_shift(v * multiplier, shift) + zero_point;
  return static_cast<int32_t>(std::clamp<int64_t>(code, low, high));
}
/// Stored table with linear interpolation: p is the int16 pre-activation, table has 513 entries (docs/arithmetic.md).
inline int32_t interpolate_table(const int16_t* table, int32_t p, int32_t zero_point, int32_t low, int32_t high) {
  const int32_t index = (p + 32768) >> 7, rest = (p + 32768) & 127;
  const int64_t sum = static_cast<int64_t>(table[index]) * (128 - rest) + static_cast<int64_t>(table[index + 1]) * rest;
  return static_cast<int32_t>(std::clamp<int64_t>(round_shift(sum, 14) + zero_point, low, high));
}

}  // namespace openrknn
