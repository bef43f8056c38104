// Functions of two operands, element by element, over contiguous values.
#pragma once

#include "core/kernels/fast/requantize_loops.h"

namespace openrknn::fast {

/// Whole numbers in doubles times the scale, as output codes.
template <class Isa>
OPENRKNN_INLINE typename Isa::Doubles scale_codes(const CodeScale& s, typename Isa::Doubles v) {
  using Doubles = typename Isa::Doubles;
  v = (v * s.multiplier + (kRound + s.zero_point_before)) - (kRound - s.zero_point_after);
  return Isa::clamp(v, Doubles{} + s.low, Doubles{} + s.high);
}

template <class Isa, Pair kFunction>
OPENRKNN_INLINE typename Isa::Doubles combine_doubles(const CodePair& p, typename Isa::Doubles a,
                                                      typename Isa::Doubles b) {
  a = a - p.a_zero_point;
  b = b - p.b_zero_point;
  if constexpr (kFunction == Pair::Mul) {
    return scale_codes<Isa>(p.out, a * b);
  } else if constexpr (kFunction == Pair::Max || kFunction == Pair::Min) {
    // Rounding never changes which of two numbers is larger, so the scale is that of 1.
    const double before = p.out.zero_point_before;
    a = a * p.a_multiplier + (kRound + before);
    b = b * p.b_multiplier + (kRound + before);
    const auto chosen = kFunction == Pair::Max ? (a > b ? a : b) : (a < b ? a : b);
    using Doubles = typename Isa::Doubles;
    return Isa::clamp(chosen - (kRound - p.out.zero_point_after), Doubles{} + p.out.low, Doubles{} + p.out.high);
  } else {
    a = (a * p.a_multiplier + kRound) - kRound;
    b = (b * p.b_multiplier + kRound) - kRound;
    return scale_codes<Isa>(p.out, a + b);
  }
}

template <class Isa, Pair kFunction>
[[gnu::noinline]] void combine_codes_by(const CodePair& shared, const int8_t* a, const int8_t* b, int8_t* out,
                                        int64_t count) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  const CodePair p = shared;  // a local copy: stores of codes cannot change it
  const auto combine = [&](const int8_t* from_a, const int8_t* from_b) __attribute__((always_inline)) {
    const auto x = Isa::load_codes(from_a), y = Isa::load_codes(from_b);
    return V(Isa::join(combine_doubles<Isa, kFunction>(p, Isa::low_doubles(x), Isa::low_doubles(y)),
                       combine_doubles<Isa, kFunction>(p, Isa::high_doubles(x), Isa::high_doubles(y))));
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
