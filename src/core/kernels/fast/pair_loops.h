// Functions of two operands, element by element, over contiguous values.
#pragma once

#include "core/kernels/fast/requantize_loops.h"

namespace openrknn::fast {

/// Whole numbers times the scale, as output codes. kRound stays added until the low bits are taken.
template <class Isa>
OPENRKNN_INLINE Ints<Isa> scale_codes(const CodeScale& s, Ints<Isa> v) {
  using Doubles = typename Isa::Doubles;
  const Doubles multiplier = Doubles{} + s.multiplier, round = Doubles{} + (kRound + s.zero_point_before);
  const Doubles least = Doubles{} + (kRound - s.zero_point_after + s.low);
  const Doubles most = Doubles{} + (kRound - s.zero_point_after + s.high);
  const auto scale = [&](Doubles x) __attribute__((always_inline)) {
    return Isa::clamp(Isa::fma_doubles(x, multiplier, round), least, most);
  };
  const auto low = scale(Isa::low_doubles(v.raw)), high = scale(Isa::high_doubles(v.raw));
  return Ints<Isa>(Isa::join_low_bits(low, high)) + static_cast<int32_t>(s.zero_point_after);
}

/// Codes and multipliers have 16 bits: two products and their sum are one instruction.
template <class Isa, Pair kFunction>
OPENRKNN_INLINE Ints<Isa> combine_vectors(const CodePair& p, Ints<Isa> a, Ints<Isa> b) {
  using V = Ints<Isa>;
  if constexpr (kFunction == Pair::Mul) {
    return scale_codes(p.out, V(Isa::multiply_pairs(((a - p.a_zero_point) & 0xffff).raw, (b - p.b_zero_point).raw)));
  } else if constexpr (kFunction == Pair::Max || kFunction == Pair::Min) {
    const V x = scale_codes(p.a_out, a - p.a_zero_point), y = scale_codes(p.out, b - p.b_zero_point);
    return V((kFunction == Pair::Max ? x.raw > y.raw : x.raw < y.raw) ? x.raw : y.raw);
  } else {
    const V multipliers =
        V((p.a_multiplier & 0xffff) | static_cast<int32_t>(static_cast<uint32_t>(p.b_multiplier) << 16));
    const V zero_points = V(p.a_zero_point * p.a_multiplier + p.b_zero_point * p.b_multiplier);
    return scale_codes(p.out, V(Isa::multiply_pairs(((a & 0xffff) | (b << 16)).raw, multipliers.raw)) - zero_points);
  }
}

template <class Isa, Pair kFunction>
[[gnu::noinline]] void combine_codes_by(const CodePair& shared, const int8_t* a, const int8_t* b, int8_t* out,
                                        int64_t count) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  const CodePair p = shared;  // a local copy: stores of codes cannot change it
  const auto combine = [&](const int8_t* from_a, const int8_t* from_b) __attribute__((always_inline)) {
    return combine_vectors<Isa, kFunction>(p, V(Isa::load_codes(from_a)), V(Isa::load_codes(from_b)));
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) Isa::store_codes(out + i, combine(a + i, b + i).raw);
  if (i == count) return;
  int8_t rest_a[kLanes] = {}, rest_b[kLanes] = {};
  for (int64_t j = i; j < count; ++j) {
    rest_a[j - i] = a[j];
    rest_b[j - i] = b[j];
  }
  store_codes<Isa>(out + i, combine(rest_a, rest_b), count - i);
}
template <class Isa>
void combine_codes(const CodePair& p, const int8_t* a, const int8_t* b, int8_t* out, int64_t count) {
  switch (p.function) {
    case Pair::Add:
    case Pair::Sub:  // b's multiplier is negative
      return combine_codes_by<Isa, Pair::Add>(p, a, b, out, count);
    case Pair::Mul:
      return combine_codes_by<Isa, Pair::Mul>(p, a, b, out, count);
    case Pair::Max:
      return combine_codes_by<Isa, Pair::Max>(p, a, b, out, count);
    case Pair::Min:
      return combine_codes_by<Isa, Pair::Min>(p, a, b, out, count);
    case Pair::Div:
      return;  // no law on codes
  }
}

template <class Isa>
void combine_floats(Pair function, const float* a, const float* b, float* out, int64_t count) {
  using V = Floats<Isa>;
  const auto each = [&](auto f) __attribute__((always_inline)) {
    int64_t i = 0;
    for (; i + V::kLanes <= count; i += V::kLanes) store(out + i, f(load<V>(a + i), load<V>(b + i)));
    if (i == count) return;
    store_first(out + i, f(load_first<Isa>(a + i, count - i), load_first<Isa>(b + i, count - i)), count - i);
  };
  switch (function) {
    case Pair::Add:
      return each([](V x, V y) { return x + y; });
    case Pair::Sub:
      return each([](V x, V y) { return x - y; });
    case Pair::Mul:
      return each([](V x, V y) { return x * y; });
    case Pair::Div:
      return each([](V x, V y) { return x / y; });
    case Pair::Max:
      return each([](V x, V y) { return select((x > y) | (x != x), x, y); });
    case Pair::Min:
      return each([](V x, V y) { return select((x < y) | (x != x), x, y); });
  }
}

}  // namespace openrknn::fast
