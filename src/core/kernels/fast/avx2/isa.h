// AVX2 with FMA and F16C: 8 floats a vector, 16 registers.
#pragma once

#include <immintrin.h>

#include "core/kernels/fast/vector.h"

namespace openrknn::avx2 {

struct Isa {
  static constexpr int kBytes = 32;
  using Ints = fast::Registers<kBytes>::Ints;
  static constexpr int kFloatRows = 6, kIntRows = 5;  // rows x 2 vectors of accumulators fit 16 registers

  OPENRKNN_INLINE static __m256 fma(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
  OPENRKNN_INLINE static __m256 square_root(__m256 a) { return _mm256_sqrt_ps(a); }

  /// Lanes 0 … count-1 all ones, the others zero.
  OPENRKNN_INLINE static __m256i first(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  OPENRKNN_INLINE static void store_first(float* to, __m256 v, int64_t count) {
    _mm256_maskstore_ps(to, first(count), v);
  }
  OPENRKNN_INLINE static __m256 load_first(const float* from, int64_t count) {
    return _mm256_maskload_ps(from, first(count));
  }

  OPENRKNN_INLINE static __m256 load_half(const uint16_t* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  OPENRKNN_INLINE static void store_half(uint16_t* to, __m256 v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  OPENRKNN_INLINE static void widen(const int8_t* from, int16_t* to) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
  }

  /// Codes are widened to int16 first: x * w summed in pairs is exact in int32 (pmaddubsw on bytes saturates).
  using Code = int16_t;
  static constexpr int kGroup = 2;
  static constexpr bool kInterleaved = true;
  static constexpr int kCodeOffset = 0;
  OPENRKNN_INLINE static Ints dot(Ints sum, Ints weights, Ints codes) {
    return (Ints)_mm256_add_epi32((__m256i)sum, _mm256_madd_epi16((__m256i)weights, (__m256i)codes));
  }
  /// All codes of a vector added to the sums, whichever lane: what the window sums need.
  OPENRKNN_INLINE static Ints add_codes(Ints sum, Ints codes) { return dot(sum, (Ints)_mm256_set1_epi16(1), codes); }
  /// The sum of each vector's lanes.
  OPENRKNN_INLINE static void store_totals(int32_t* to, Ints a, Ints b, Ints c, Ints d) {
    const __m256i ab = _mm256_hadd_epi32((__m256i)a, (__m256i)b), cd = _mm256_hadd_epi32((__m256i)c, (__m256i)d);
    const __m256i all = _mm256_hadd_epi32(ab, cd);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
  }

  /// The output stage: int32 to doubles and back, codes to and from memory.
  /// 256 bytes, looked up 16 at a time: what is no code of a sixteenth has its high bit set by the addition, and gives
  /// 0.
  struct ByteTable {
    __m256i parts[16];
    OPENRKNN_INLINE explicit ByteTable(const int8_t* bytes) {
      for (int i = 0; i < 16; ++i) {
        parts[i] = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 16 * i)));
      }
    }
    OPENRKNN_INLINE void look_up(const int8_t* from, int8_t* to) const {
      const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
      __m256i found = _mm256_setzero_si256();
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        const __m256i own = _mm256_xor_si256(codes, _mm256_set1_epi8(static_cast<char>(16 * i)));
        const __m256i at = _mm256_adds_epu8(own, _mm256_set1_epi8(0x70));
        found = _mm256_or_si256(found, _mm256_shuffle_epi8(parts[i], at));
      }
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), found);
    }
  };

  using Doubles = fast::Registers<kBytes>::Doubles;
  OPENRKNN_INLINE static Doubles low_doubles(Ints v) { return _mm256_cvtepi32_pd(_mm256_castsi256_si128((__m256i)v)); }
  OPENRKNN_INLINE static Doubles high_doubles(Ints v) {
    return _mm256_cvtepi32_pd(_mm256_extracti128_si256((__m256i)v, 1));
  }
  OPENRKNN_INLINE static Ints join(Doubles low, Doubles high) {
    return (Ints)_mm256_set_m128i(_mm256_cvttpd_epi32(high), _mm256_cvttpd_epi32(low));
  }
  OPENRKNN_INLINE static Doubles fma_doubles(Doubles a, Doubles b, Doubles c) { return _mm256_fmadd_pd(a, b, c); }
  /// The low 32 bits of each.
  OPENRKNN_INLINE static Ints join_low_bits(Doubles low, Doubles high) {
    const __m256d even = (__m256d)_mm256_shuffle_ps((__m256)low, (__m256)high, 0x88);  // within halves of a register
    return (Ints)_mm256_permute4x64_pd(even, 0xd8);
  }
  OPENRKNN_INLINE static Doubles clamp(Doubles v, Doubles low, Doubles high) {
    return _mm256_min_pd(_mm256_max_pd(v, low), high);
  }
  OPENRKNN_INLINE static Ints load_codes(const int8_t* from) {
    return (Ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  }
  /// What is no code saturates.
  OPENRKNN_INLINE static void store_codes(int8_t* to, Ints v) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
  }
  OPENRKNN_INLINE static void store_first_codes(int8_t* to, Ints v, int64_t count) {
    int8_t codes[16];
    store_codes(codes, v);
    for (int64_t i = 0; i < count; ++i) {
      to[i] = codes[i];
      asm volatile("" : : : "memory");  // no call of memcpy: it would cost the loop around all of its registers
    }
  }

  static constexpr bool kCurves = false;  ///< curves are looked up code by code

  OPENRKNN_INLINE static Ints multiply_pairs(Ints a, Ints b) { return (Ints)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
};

}  // namespace openrknn::avx2
