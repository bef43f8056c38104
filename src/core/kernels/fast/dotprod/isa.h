// aarch64 with the dot product extension: four signed byte products a lane in one instruction.
#pragma once

#include "core/kernels/fast/neon/isa.h"

namespace openrknn::dotprod {

struct Isa : neon::Isa {
  using Code = int8_t;
  static constexpr int kGroup = 4;
  static constexpr bool kInterleaved = true;
  OPENRKNN_INLINE static Ints dot(Ints sum, Ints weights, Ints codes) {
    return (Ints)vdotq_s32((int32x4_t)sum, (int8x16_t)weights, (int8x16_t)codes);
  }
  OPENRKNN_INLINE static Ints add_codes(Ints sum, Ints codes) {
    return (Ints)vdotq_s32((int32x4_t)sum, vdupq_n_s8(1), (int8x16_t)codes);
  }

  /// Four lines of 16 codes to one group of four a code.
  OPENRKNN_INLINE static void interleave(const int8_t* a, const int8_t* b, const int8_t* c, const int8_t* d,
                                         std::byte* to) {
    const int8x16x2_t ab = vzipq_s8(vld1q_s8(a), vld1q_s8(b)), cd = vzipq_s8(vld1q_s8(c), vld1q_s8(d));
    for (int half = 0; half < 2; ++half) {
      const int16x8x2_t groups = vzipq_s16(vreinterpretq_s16_s8(ab.val[half]), vreinterpretq_s16_s8(cd.val[half]));
      vst1q_s16(reinterpret_cast<int16_t*>(to + 32 * half), groups.val[0]);
      vst1q_s16(reinterpret_cast<int16_t*>(to + 32 * half + 16), groups.val[1]);
    }
  }
};

}  // namespace openrknn::dotprod
