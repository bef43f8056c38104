// aarch64 with NEON: 4 floats a vector, 32 registers.
#pragma once

#include <arm_neon.h>

#include "core/kernels/fast/vector.h"

namespace openrknn::neon {

struct Isa {
  static constexpr int kBytes = 16;
  using Ints = fast::Registers<kBytes>::Ints;
  using Floats = fast::Registers<kBytes>::Floats;
  using Doubles = fast::Registers<kBytes>::Doubles;
  static constexpr int kFloatRows = 10, kIntRows = 10;  // rows x 2 vectors of accumulators

  OPENRKNN_INLINE static Floats fma(Floats a, Floats b, Floats c) {
    return (Floats)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
  }
  OPENRKNN_INLINE static Floats square_root(Floats a) { return (Floats)vsqrtq_f32((float32x4_t)a); }

  OPENRKNN_INLINE static void store_first(float* to, Floats v, int64_t count) {
    for (int64_t i = 0; i < count; ++i) to[i] = v[i];
  }
  OPENRKNN_INLINE static Floats load_first(const float* from, int64_t count) {
    Floats v{};
    for (int64_t i = 0; i < count; ++i) v[i] = from[i];
    return v;
  }

  OPENRKNN_INLINE static Floats load_half(const uint16_t* from) {
    return (Floats)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
  }
  OPENRKNN_INLINE static void store_half(uint16_t* to, Floats v) {
    vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)v)));
  }
  OPENRKNN_INLINE static void widen(const int8_t* from, int16_t* to) { vst1q_s16(to, vmovl_s8(vld1_s8(from))); }

  /// int16 products in pairs of k. smlal takes four columns at a time, so a weight vector holds four columns of the
  /// first k, then of the second.
  using Code = int16_t;
  static constexpr int kGroup = 2;
  static constexpr bool kInterleaved = false;
  static constexpr int kCodeOffset = 0;
  OPENRKNN_INLINE static Ints dot(Ints sum, Ints weights, Ints codes) {
    const int16x8_t w = (int16x8_t)weights;
    const int16x4_t pair = vget_low_s16((int16x8_t)codes);
    const int32x4_t first = vmlal_lane_s16((int32x4_t)sum, vget_low_s16(w), pair, 0);
    return (Ints)vmlal_high_lane_s16(first, w, pair, 1);
  }
  /// All codes of a vector added up in pairs: what the window sums need.
  OPENRKNN_INLINE static Ints add_codes(Ints sum, Ints codes) {
    return (Ints)vpadalq_s16((int32x4_t)sum, (int16x8_t)codes);
  }
  /// The sum of each vector's lanes.
  OPENRKNN_INLINE static void store_totals(int32_t* to, Ints a, Ints b, Ints c, Ints d) {
    const int32x4_t ab = vpaddq_s32((int32x4_t)a, (int32x4_t)b), cd = vpaddq_s32((int32x4_t)c, (int32x4_t)d);
    vst1q_s32(to, vpaddq_s32(ab, cd));
  }

  /// 256 bytes, looked up 64 at a time: an index beyond its 64 leaves what is there.
  struct ByteTable {
    uint8x16x4_t parts[4];
    OPENRKNN_INLINE explicit ByteTable(const int8_t* bytes) {
      for (int i = 0; i < 4; ++i) parts[i] = vld1q_u8_x4(reinterpret_cast<const uint8_t*>(bytes) + 64 * i);
    }
    OPENRKNN_INLINE void look_up(const int8_t* from, int8_t* to) const {
      const uint8x16_t codes = vld1q_u8(reinterpret_cast<const uint8_t*>(from));
      uint8x16_t found = vqtbl4q_u8(parts[0], codes);
      found = vqtbx4q_u8(found, parts[1], vsubq_u8(codes, vdupq_n_u8(64)));
      found = vqtbx4q_u8(found, parts[2], vsubq_u8(codes, vdupq_n_u8(128)));
      found = vqtbx4q_u8(found, parts[3], vsubq_u8(codes, vdupq_n_u8(192)));
      vst1q_u8(reinterpret_cast<uint8_t*>(to), found);
    }
  };

  OPENRKNN_INLINE static Doubles low_doubles(Ints v) {
    return (Doubles)vcvtq_f64_s64(vmovl_s32(vget_low_s32((int32x4_t)v)));
  }
  OPENRKNN_INLINE static Doubles high_doubles(Ints v) { return (Doubles)vcvtq_f64_s64(vmovl_high_s32((int32x4_t)v)); }
  OPENRKNN_INLINE static Ints join(Doubles low, Doubles high) {
    return (Ints)vmovn_high_s64(vmovn_s64(vcvtq_s64_f64((float64x2_t)low)), vcvtq_s64_f64((float64x2_t)high));
  }
  OPENRKNN_INLINE static Doubles fma_doubles(Doubles a, Doubles b, Doubles c) {
    return (Doubles)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
  }
  /// The low 32 bits of each.
  OPENRKNN_INLINE static Ints join_low_bits(Doubles low, Doubles high) {
    return (Ints)vuzp1q_s32((int32x4_t)low, (int32x4_t)high);
  }
  OPENRKNN_INLINE static Doubles clamp(Doubles v, Doubles low, Doubles high) {
    return (Doubles)vminq_f64(vmaxq_f64((float64x2_t)v, (float64x2_t)low), (float64x2_t)high);
  }
  OPENRKNN_INLINE static Ints load_codes(const int8_t* from) {
    int32_t four;
    __builtin_memcpy(&four, from, sizeof(four));
    return (Ints)vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(static_cast<uint32_t>(four)))));
  }
  /// What is no code saturates.
  OPENRKNN_INLINE static void store_codes(int8_t* to, Ints v) {
    const int16x4_t words = vqmovn_s32((int32x4_t)v);
    const int32_t four = vget_lane_s32(vreinterpret_s32_s8(vqmovn_s16(vcombine_s16(words, words))), 0);
    __builtin_memcpy(to, &four, sizeof(four));
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

  OPENRKNN_INLINE static Ints multiply_pairs(Ints a, Ints b) {
    const int32x4_t low = vmull_s16(vget_low_s16((int16x8_t)a), vget_low_s16((int16x8_t)b));
    return (Ints)vpaddq_s32(low, vmull_high_s16((int16x8_t)a, (int16x8_t)b));
  }
};

}  // namespace openrknn::neon
