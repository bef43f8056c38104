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
};

}  // namespace openrknn::dotprod
