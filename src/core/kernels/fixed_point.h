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
/// What Int16 codes accumulate in.
inline int64_t saturate48(int64_t v) {
  constexpr int64_t kHalf = int64_t{1} << 47;
  return std::clamp<int64_t>(v, -kHalf, kHalf - 1);
}

/// Per-channel stage: the accumulator times the channel's multiplier.
inline int64_t scale_channel(int64_t acc, int32_t channel, int channel_shift) {
  return saturate32(round_shift(acc * channel, channel_shift));
}
/// The same for Int16 codes: 48 bits in and out, so that the product with a multiplier of 15 bits fits in 64.
inline int64_t scale_channel_wide(int64_t acc, int32_t channel, int channel_shift) {
  return saturate48(round_shift(saturate48(acc) * channel, channel_shift));
}
/// Layer stage: multiplier, shift, zero point (before or after the shift by the law), clamp of output codes.
inline int32_t scale_output(int64_t v, int32_t multiplier, int shift, int32_t zero_point, bool zero_point_before_shift,
                            int32_t low, int32_t high) {
  const int64_t product = v * multiplier;
  int64_t code = zero_point + product;
  if (shift > 0) {
    // round_shift(product + (zero_point << shift), shift), without the sum that might not fit: a zero point that enters
    // before the shift shows in ties alone, by its parity.
    const int64_t half_minus_one = (int64_t{1} << (shift - 1)) - 1;
    const int64_t parity = (product >> shift) + (zero_point_before_shift ? zero_point : 0);
    code = ((product + half_minus_one + (parity & 1)) >> shift) + zero_point;
  }
  return static_cast<int32_t>(std::clamp<int64_t>(code, low, high));
}
/// Stored table with linear interpolation: p is the int16 pre-activation, table has 513 entries (docs/arithmetic.md).
inline int32_t interpolate_table(const int16_t* table, int32_t p, int32_t zero_point, int32_t low, int32_t high) {
  const int32_t index = (p + 32768) >> 7, rest = (p + 32768) & 127;
  const int64_t sum = static_cast<int64_t>(table[index]) * (128 - rest) + static_cast<int64_t>(table[index + 1]) * rest;
  return static_cast<int32_t>(std::clamp<int64_t>(round_shift(sum, 14) + zero_point, low, high));
}

/// The table of Int16 results: p has 24 bits, 4097 entries hold codes times 256, relative to the zero point.
inline constexpr int kWidePreBits = 24, kWideTableBits = 12, kWideEntryBits = 8;
inline constexpr int kWideTableSize = (1 << kWideTableBits) + 1;
inline int64_t saturate_wide_pre(int64_t p) {
  constexpr int64_t kHalf = int64_t{1} << (kWidePreBits - 1);
  return std::clamp<int64_t>(p, -kHalf, kHalf - 1);
}
inline int32_t interpolate_wide_table(const int32_t* table, int64_t p, int32_t zero_point, int32_t low, int32_t high) {
  constexpr int kRestBits = kWidePreBits - kWideTableBits;
  const int64_t at = p + (int64_t{1} << (kWidePreBits - 1)), index = at >> kRestBits;
  const int64_t rest = at & ((int64_t{1} << kRestBits) - 1);
  const int64_t sum = table[index] * ((int64_t{1} << kRestBits) - rest) + table[index + 1] * rest;
  return static_cast<int32_t>(
      std::clamp<int64_t>(round_shift(sum, kRestBits + kWideEntryBits) + zero_point, low, high));
}

}  // namespace openrknn
