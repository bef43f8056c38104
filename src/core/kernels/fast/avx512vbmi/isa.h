// AVX-512 with VBMI: permutations of bytes. Everything else is that of avx512.
#pragma once

#include "core/kernels/fast/avx512/isa.h"

namespace openrknn::avx512vbmi {

struct Isa : avx512::Isa {
  /// 256 bytes, looked up 128 at a time; the high bit of a code says in which half.
  struct ByteTable {
    __m512i parts[4];
    OPENRKNN_INLINE explicit ByteTable(const int8_t* bytes) {
      for (int i = 0; i < 4; ++i) parts[i] = _mm512_loadu_si512(bytes + 64 * i);
    }
    OPENRKNN_INLINE void look_up(const int8_t* from, int8_t* to) const {
      const __m512i codes = _mm512_loadu_si512(from);
      const __m512i low = _mm512_permutex2var_epi8(parts[0], codes, parts[1]);
      const __m512i high = _mm512_permutex2var_epi8(parts[2], codes, parts[3]);
      _mm512_storeu_si512(to, _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), low, high));
    }
  };
};

}  // namespace openrknn::avx512vbmi
