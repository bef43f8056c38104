// QuantizeLinear and DequantizeLinear of one stretch of neighbours, all integer types.
#pragma once

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/fast/vector.h"

namespace openrknn::fast {

/// Vectors of codes of 1, 2 or 4 bytes as Int32 lanes and back. Lanes hold codes: what is cut off repeats the sign, or
/// is 0.
template <class Isa, class Code>
struct CodeLanes {
  using V = Ints<Isa>;
  static constexpr int kLanes = Isa::kBytes / 4;
  typedef Code Vector __attribute__((vector_size(kLanes * sizeof(Code))));

  OPENRKNN_INLINE static V read(const Code* from) {
    if constexpr (sizeof(Code) == 1) {
      const V codes(Isa::load_codes(reinterpret_cast<const int8_t*>(from)));
      return Code(-1) < 0 ? codes : codes & 255;
    } else {
      Vector codes;
      __builtin_memcpy(&codes, from, sizeof(codes));
      return V(__builtin_convertvector(codes, typename V::Raw));
    }
  }
  OPENRKNN_INLINE static void write(Code* to, V codes) {
    if constexpr (sizeof(Code) == 1) {
      Isa::store_codes(reinterpret_cast<int8_t*>(to), ((codes << 24) >> 24).raw);
    } else {
      const Vector narrow = __builtin_convertvector(codes.raw, Vector);
      __builtin_memcpy(to, &narrow, sizeof(narrow));
    }
  }
};

/// Calls work(i, how many of a vector's lanes count).
template <class Isa, class Work>
OPENRKNN_INLINE void for_vectors(int64_t count, Work work) {
  constexpr int kLanes = Isa::kBytes / 4;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) work(i, kLanes);
  if (i < count) work(i, count - i);
}

/// A vector, of which only `count` lanes are there to be read.
template <class Isa>
OPENRKNN_INLINE Floats<Isa> load_lanes(const float* from, int64_t count) {
  return count == Floats<Isa>::kLanes ? load<Floats<Isa>>(from) : load_first<Isa>(from, count);
}

template <class Isa, class Code, bool kAdvances>
OPENRKNN_INLINE void quantize_stretch(const QuantizeStretch& s) {
  using V = Floats<Isa>;
  const float* in = s.floats;
  Code* out = static_cast<Code*>(s.codes);
  V divisor(s.scale[0]), zero_point(s.zero_point[0]);
  const V low(s.low), high(s.high), round(kFloatRound);
  for_vectors<Isa>(
      s.count, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        const bool whole = lanes == V::kLanes;
        if constexpr (kAdvances) {
          divisor = load_lanes<Isa>(s.scale + i, lanes);
          zero_point = load_lanes<Isa>(s.zero_point + i, lanes);
        }
        V steps = load_lanes<Isa>(in + i, lanes) / divisor;
        steps = select(steps != steps, V(0.0f), steps);
        // Clamped to less than 2^17, so that adding 1.5 * 2^23 rounds; the bits of what comes out count whole numbers.
        const V least = low - zero_point, most = high - zero_point;
        steps = select(steps < least, least, steps);
        steps = select(steps > most, most, steps);
        const Ints<Isa> code = bits(steps + round + zero_point) - __builtin_bit_cast(int32_t, kFloatRound);
        if (whole) return CodeLanes<Isa, Code>::write(out + i, code);
        int32_t rest[V::kLanes];
        store(rest, code);
        for (int64_t lane = 0; lane < lanes; ++lane) out[i + lane] = static_cast<Code>(rest[lane]);
      });
}
template <class Isa, class Code>
void quantize_codes(const QuantizeStretch& s) {
  if (s.advances) return quantize_stretch<Isa, Code, true>(s);
  quantize_stretch<Isa, Code, false>(s);
}

template <class Isa, class Code, bool kAdvances>
OPENRKNN_INLINE void dequantize_stretch(const QuantizeStretch& s) {
  using V = Floats<Isa>;
  const Code* in = static_cast<const Code*>(s.codes);
  float* out = s.floats;
  V factor(s.scale[0]), zero_point(s.zero_point[0]);
  for_vectors<Isa>(
      s.count, [&](int64_t i, int64_t lanes) __attribute__((always_inline)) {
        const bool whole = lanes == V::kLanes;
        if constexpr (kAdvances) {
          factor = load_lanes<Isa>(s.scale + i, lanes);
          zero_point = load_lanes<Isa>(s.zero_point + i, lanes);
        }
        Code rest[V::kLanes] = {};
        for (int64_t lane = 0; !whole && lane < lanes; ++lane) rest[lane] = in[i + lane];
        const Ints<Isa> codes = CodeLanes<Isa, Code>::read(whole ? in + i : rest);
        // Both terms are whole numbers below 2^17 (or the zero point is 0): the difference is exact in floats.
        const V real = (V(__builtin_convertvector(codes.raw, typename V::Raw)) - zero_point) * factor;
        if (whole)
          store(out + i, real);
        else
          store_first(out + i, real, lanes);
      });
}
template <class Isa, class Code>
void dequantize_codes(const QuantizeStretch& s) {
  if (s.advances) return dequantize_stretch<Isa, Code, true>(s);
  dequantize_stretch<Isa, Code, false>(s);
}

}  // namespace openrknn::fast
