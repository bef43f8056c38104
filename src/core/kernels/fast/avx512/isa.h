// AVX-512 F, BW, DQ, VL: 16 floats a vector, 32 registers.
#pragma once

#include <immintrin.h>

#include "core/kernels/fast/avx512/curve.h"
#include "core/kernels/fast/vector.h"

namespace openrknn::avx512 {

struct Isa {
  static constexpr int kBytes = 64;
  using Ints = fast::Registers<kBytes>::Ints;
  static constexpr int kFloatRows = 12, kIntRows = 12;

  OPENRKNN_INLINE static __m512 fma(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
  OPENRKNN_INLINE static __m512 square_root(__m512 a) { return _mm512_sqrt_ps(a); }

  OPENRKNN_INLINE static __mmask16 first(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }
  OPENRKNN_INLINE static void store_first(float* to, __m512 v, int64_t count) {
    _mm512_mask_storeu_ps(to, first(count), v);
  }
  OPENRKNN_INLINE static __m512 load_first(const float* from, int64_t count) {
    return _mm512_maskz_loadu_ps(first(count), from);
  }

  OPENRKNN_INLINE static __m512 load_half(const uint16_t* from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  OPENRKNN_INLINE static void store_half(uint16_t* to, __m512 v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  OPENRKNN_INLINE static void widen(const int8_t* from, int16_t* to) {
    _mm512_storeu_si512(to, _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
  }

  using Code = int16_t;
  static constexpr int kGroup = 2;
  static constexpr bool kInterleaved = true;
  static constexpr int kCodeOffset = 0;
  OPENRKNN_INLINE static Ints dot(Ints sum, Ints weights, Ints codes) {
    return (Ints)_mm512_add_epi32((__m512i)sum, _mm512_madd_epi16((__m512i)weights, (__m512i)codes));
  }
  OPENRKNN_INLINE static Ints add_codes(Ints sum, Ints codes) { return dot(sum, (Ints)_mm512_set1_epi16(1), codes); }
  OPENRKNN_INLINE static __m256i halve(Ints v) {
    return _mm256_add_epi32(_mm512_castsi512_si256((__m512i)v), _mm512_extracti64x4_epi64((__m512i)v, 1));
  }
  /// The sum of each vector's lanes.
  OPENRKNN_INLINE static void store_totals(int32_t* to, Ints a, Ints b, Ints c, Ints d) {
    const __m256i ab = _mm256_hadd_epi32(halve(a), halve(b)), cd = _mm256_hadd_epi32(halve(c), halve(d));
    const __m256i all = _mm256_hadd_epi32(ab, cd);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
  }

  /// As avx2's, twice as wide.
  struct ByteTable {
    __m512i parts[16];
    OPENRKNN_INLINE explicit ByteTable(const int8_t* bytes) {
      for (int i = 0; i < 16; ++i) {
        parts[i] = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 16 * i)));
      }
    }
    OPENRKNN_INLINE void look_up(const int8_t* from, int8_t* to) const {
      const __m512i codes = _mm512_loadu_si512(from);
      __m512i found = _mm512_setzero_si512();
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        const __m512i own = _mm512_xor_si512(codes, _mm512_set1_epi8(static_cast<char>(16 * i)));
        const __m512i at = _mm512_adds_epu8(own, _mm512_set1_epi8(0x70));
        found = _mm512_or_si512(found, _mm512_shuffle_epi8(parts[i], at));
      }
      _mm512_storeu_si512(to, found);
    }
  };

  using Doubles = fast::Registers<kBytes>::Doubles;
  OPENRKNN_INLINE static Doubles low_doubles(Ints v) { return _mm512_cvtepi32_pd(_mm512_castsi512_si256((__m512i)v)); }
  OPENRKNN_INLINE static Doubles high_doubles(Ints v) {
    return _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64((__m512i)v, 1));
  }
  OPENRKNN_INLINE static Ints join(Doubles low, Doubles high) {
    return (Ints)_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvttpd_epi32(low)), _mm512_cvttpd_epi32(high), 1);
  }
  OPENRKNN_INLINE static Doubles fma_doubles(Doubles a, Doubles b, Doubles c) { return _mm512_fmadd_pd(a, b, c); }
  /// The low 32 bits of each.
  OPENRKNN_INLINE static Ints join_low_bits(Doubles low, Doubles high) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return (Ints)_mm512_permutex2var_epi32((__m512i)low, even, (__m512i)high);
  }
  OPENRKNN_INLINE static Doubles clamp(Doubles v, Doubles low, Doubles high) {
    return _mm512_min_pd(_mm512_max_pd(v, low), high);
  }
  OPENRKNN_INLINE static Ints load_codes(const int8_t* from) {
    return (Ints)_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  /// What is no code saturates.
  OPENRKNN_INLINE static void store_codes(int8_t* to, Ints v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtsepi32_epi8((__m512i)v));
  }
  OPENRKNN_INLINE static void store_first_codes(int8_t* to, Ints v, int64_t count) {
    _mm512_mask_cvtsepi32_storeu_epi8(to, first(count), (__m512i)v);
  }

  /// Eight vectors of pre-activations to the codes of a curve, in order.
  static constexpr bool kCurves = true;
  OPENRKNN_INLINE static void curve_codes(const fast::CurveTable& curve, const Ints (&values)[8], int8_t* to) {
    __m512i in[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) in[i] = (__m512i)values[i];
    __m256i codes[4];
    avx512::curve_codes(curve, in, codes);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 32 * i), codes[i]);
  }

  OPENRKNN_INLINE static Ints multiply_pairs(Ints a, Ints b) { return (Ints)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
};

}  // namespace openrknn::avx512
