// AVX-512 with VNNI: four byte products a lane in one instruction. Float code is that of avx512.
#pragma once

#include "core/kernels/fast/avx512/isa.h"

namespace openrknn::avx512vnni {

struct Isa : avx512::Isa {
  /// dpbusd multiplies unsigned by signed bytes and wraps (it never saturates). Activations take the unsigned side, as
  /// x + 128: a zero point of x moves with them, while one of the weights would cost the sum of each window.
  using Code = uint8_t;
  static constexpr int kGroup = 4;
  static constexpr int kCodeOffset = 128;
  OPENRKNN_INLINE static Ints dot(Ints sum, Ints weights, Ints codes) {
    return (Ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)codes, (__m512i)weights);
  }
  OPENRKNN_INLINE static Ints add_codes(Ints sum, Ints codes) { return dot(sum, (Ints)_mm512_set1_epi8(1), codes); }
};

}  // namespace openrknn::avx512vnni
