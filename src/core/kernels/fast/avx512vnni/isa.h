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

  /// Four lines of 64 codes to one group of four a code.
  OPENRKNN_INLINE static void interleave(const int8_t* a, const int8_t* b, const int8_t* c, const int8_t* d,
                                         std::byte* to) {
    // Unpacking stays within 16 bytes: what shall come out as one vector is spread over those first.
    const __m512i spread = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const auto row = [&](const int8_t* from) __attribute__((always_inline)) {
      return _mm512_permutexvar_epi32(spread, _mm512_xor_si512(_mm512_loadu_si512(from), _mm512_set1_epi8(-128)));
    };
    const __m512i rows[4] = {row(a), row(b), row(c), row(d)};
    const __m512i low_ab = _mm512_unpacklo_epi8(rows[0], rows[1]), high_ab = _mm512_unpackhi_epi8(rows[0], rows[1]);
    const __m512i low_cd = _mm512_unpacklo_epi8(rows[2], rows[3]), high_cd = _mm512_unpackhi_epi8(rows[2], rows[3]);
    _mm512_storeu_si512(to, _mm512_unpacklo_epi16(low_ab, low_cd));
    _mm512_storeu_si512(to + 64, _mm512_unpackhi_epi16(low_ab, low_cd));
    _mm512_storeu_si512(to + 128, _mm512_unpacklo_epi16(high_ab, high_cd));
    _mm512_storeu_si512(to + 192, _mm512_unpackhi_epi16(high_ab, high_cd));
  }
};

}  // namespace openrknn::avx512vnni
