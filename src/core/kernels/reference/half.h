// Runs of Float16 as float32 and back: the bits of core/base/dtype.h, written with selects instead of branches so that
// compilers vectorise them.
#pragma once

#include <bit>
#include <cstdint>

#include "core/base/dtype.h"

namespace openrknn::reference {

inline void load_halves(const Float16* in, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t half = in[i].bits, magnitude = half & 0x7fffu, sign = (half & 0x8000u) << 16;
    const uint32_t normal = (magnitude << 13) + 0x38000000u;
    const uint32_t special = (magnitude << 13) | 0x7f800000u;  // infinity and NaN
    // Small magnitudes count units of 2^-24. As int32 they convert to float32 exactly.
    const uint32_t subnormal = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
    const uint32_t finite = magnitude < 0x400u ? subnormal : normal;
    out[i] = std::bit_cast<float>(sign | (magnitude < 0x7c00u ? finite : special));
  }
}

inline void store_halves(const float* in, Float16* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(in[i]), magnitude = bits & 0x7fffffffu;
    // As signed numbers: SSE2 compares no others.
    const int32_t size = static_cast<int32_t>(magnitude);
    const uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
    const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
    const uint32_t finite = size < 0x38800000 ? subnormal : normal;
    const uint32_t limited = size < 0x477ff000 ? finite : 0x7c00u;
    const uint32_t half = size > 0x7f800000 ? 0x7e00u : limited;
    out[i].bits = static_cast<uint16_t>(half | ((bits >> 16) & 0x8000u));
  }
}

}  // namespace openrknn::reference
