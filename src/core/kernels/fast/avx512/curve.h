// Tables of curved activations in registers: 64 entries are one permutation, and eight of them the table.
#pragma once

#include <immintrin.h>

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/fast/vector.h"

namespace openrknn::avx512 {

/// interpolate_table() of 128 pre-activations, eight vectors in order; so are the codes.
OPENRKNN_INLINE void curve_codes(const fast::CurveTable& curve, const __m512i (&values)[8], __m256i (&codes)[4]) {
  __m512i rest[4], index[4], block[4], from[4], to[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    // Within each 16 bytes, four words of the first vector, then four of the second: undone in the end.
    const __m512i words = _mm512_packs_epi32(values[2 * j], values[2 * j + 1]);
    const __m512i at = _mm512_xor_si512(words, _mm512_set1_epi16(INT16_MIN));
    rest[j] = _mm512_and_si512(at, _mm512_set1_epi16(127));
    index[j] = _mm512_srli_epi16(at, 7);
    block[j] = _mm512_srli_epi16(at, 13);
    from[j] = to[j] = _mm512_setzero_si512();
  }
  for (int i = 0; i < 8; ++i) {
    __mmask32 here[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      here[j] = _mm512_cmpeq_epi16_mask(block[j], _mm512_set1_epi16(static_cast<int16_t>(i)));
    }
    if ((here[0] | here[1] | here[2] | here[3]) == 0) continue;  // the ends of the range are seldom met
    const int16_t* entries = curve.entries + 64 * i;
    const __m512i first = _mm512_loadu_si512(entries), second = _mm512_loadu_si512(entries + 32);
    const __m512i next_first = _mm512_loadu_si512(entries + 1), next_second = _mm512_loadu_si512(entries + 33);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      from[j] = _mm512_mask_mov_epi16(from[j], here[j], _mm512_permutex2var_epi16(first, index[j], second));
      to[j] = _mm512_mask_mov_epi16(to[j], here[j], _mm512_permutex2var_epi16(next_first, index[j], next_second));
    }
  }
  const __m512i zero_point = _mm512_set1_epi16(static_cast<int16_t>(curve.zero_point));
  const __m512i low = _mm512_set1_epi16(static_cast<int16_t>(curve.low));
  const __m512i high = _mm512_set1_epi16(static_cast<int16_t>(curve.high));
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i left = _mm512_sub_epi16(_mm512_set1_epi16(128), rest[j]);
    const auto blend = [](__m512i entries, __m512i shares) __attribute__((always_inline)) {
      // Sums have at most 23 bits: exact as floats, and rounded once.
      const __m512 sum = _mm512_cvtepi32_ps(_mm512_madd_epi16(entries, shares));
      return _mm512_cvt_roundps_epi32(_mm512_mul_ps(sum, _mm512_set1_ps(0x1p-14f)),
                                      _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    };
    const __m512i words =
        _mm512_packs_epi32(blend(_mm512_unpacklo_epi16(from[j], to[j]), _mm512_unpacklo_epi16(left, rest[j])),
                           blend(_mm512_unpackhi_epi16(from[j], to[j]), _mm512_unpackhi_epi16(left, rest[j])));
    const __m512i moved = _mm512_add_epi16(words, zero_point);
    const __m256i mixed = _mm512_cvtepi16_epi8(_mm512_min_epi16(_mm512_max_epi16(moved, low), high));
    codes[j] = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
  }
}

}  // namespace openrknn::avx512
