// The integer output stage over a row of accumulators (see Requantize for why doubles are exact here).
#pragma once

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/fast/vector.h"

namespace openrknn::fast {

/// Adding 1.5 * 2^52 leaves no bits below the integers: the sum is rounded half to even, exactly once.
inline constexpr double kRound = 0x1.8p52;

/// Accumulators to codes (or to int16 pre-activations) less zero_point_after, half a vector at a time: kRound stays
/// added, so that the low 32 bits are the result. Products are exact, hence fused and separate additions round alike.
template <class Isa>
OPENRKNN_INLINE typename Isa::Doubles requantize_doubles(const Requantize& q, typename Isa::Doubles acc,
                                                         typename Isa::Doubles channel) {
  using Doubles = typename Isa::Doubles;
  const Doubles lowest = Doubles{} - 2147483648.0, highest = Doubles{} + 2147483647.0;
  const Doubles round = Doubles{} + kRound;
  Doubles v = Isa::fma_doubles(acc, channel, round) - round;
  if (q.saturates) v = Isa::clamp(v, lowest, highest);
  if (q.leaky) {
    const Doubles sloped = Isa::clamp(Isa::fma_doubles(v, Doubles{} + q.slope, round) - round, lowest, highest);
    v = acc < Doubles{} ? sloped : v;
  }
  // A zero point before the rounding moves the rounding point, one after it only the result.
  v = Isa::fma_doubles(v, Doubles{} + q.multiplier, round + q.zero_point_before);
  const double shift = kRound - q.zero_point_after;
  return Isa::clamp(v, Doubles{} + (q.low + shift), Doubles{} + (q.high + shift));
}

/// The stage in floats. Each fused step rounds once what is exact before it; what is too large to be exact saturates in
/// the end.
template <class Isa>
struct FloatStage {
  using V = Floats<Isa>;
  V round = V(kFloatRound), slope, multiplier, start;
  Ints<Isa> low, high, zero_point;

  OPENRKNN_INLINE explicit FloatStage(const FloatRequantize& q)
      : slope(q.slope), multiplier(q.multiplier), start(q.start), low(q.low), high(q.high), zero_point(q.zero_point) {}

  /// kSaturated: what exceeds `high` is left to the packing of codes.
  template <bool kLeaky, bool kSaturated = false>
  OPENRKNN_INLINE Ints<Isa> codes(Ints<Isa> acc, V channel) const {
    const V sum(__builtin_convertvector(acc.raw, typename V::Raw));
    V v = fma(sum, channel, round) - round;
    if constexpr (kLeaky) v = select(sum < V(0.0f), fma(v, slope, round) - round, v);
    const Ints<Isa> counted = bits(fma(v, multiplier, start));
    const Ints<Isa> raised(counted.raw < low.raw ? low.raw : counted.raw);
    if constexpr (kSaturated) return raised + zero_point;
    return Ints<Isa>(raised.raw > high.raw ? high.raw : raised.raw) + zero_point;
  }
};
/// Neither LeakyRelu nor a table follows, and codes reach up to 127: the stage most layers have.
OPENRKNN_INLINE bool is_plain(const Requantize& q) {
  return q.floats.channel && !q.leaky && !q.lookup && q.high == 127;
}

/// Accumulators of columns c … c + lanes - 1 to codes, or to pre-activations if there is a lookup; one int32 each.
template <class Isa>
OPENRKNN_INLINE Ints<Isa> requantize_vector(const Requantize& q, Ints<Isa> sum, int64_t c) {
  if (q.floats.channel) {
    const FloatStage<Isa> stage(q.floats);
    const Floats<Isa> channel = load<Floats<Isa>>(q.floats.channel + c);
    return q.leaky ? stage.template codes<true>(sum, channel) : stage.template codes<false>(sum, channel);
  }
  typename Isa::Doubles low, high;
  __builtin_memcpy(&low, q.channel + c, sizeof(low));
  __builtin_memcpy(&high, q.channel + c + Isa::kBytes / 8, sizeof(high));
  low = requantize_doubles<Isa>(q, Isa::low_doubles(sum.raw), low);
  high = requantize_doubles<Isa>(q, Isa::high_doubles(sum.raw), high);
  return Ints<Isa>(Isa::join_low_bits(low, high)) + static_cast<int32_t>(q.zero_point_after);
}

/// The first `count` lanes as bytes.
template <class Isa>
OPENRKNN_INLINE void store_codes(int8_t* out, Ints<Isa> codes, int64_t count) {
  constexpr int kLanes = Isa::kBytes / 4;
  if (count >= kLanes) return Isa::store_codes(out, codes.raw);
  Isa::store_first_codes(out, codes.raw, count);
}

/// The first `count` of a vector of bytes, if those are fewer than its lanes.
template <class Isa>
OPENRKNN_INLINE void copy_codes(const int8_t* from, int8_t* to, int64_t count) {
  constexpr int kLanes = Isa::kBytes / 4;
  if (count >= kLanes) {
    __builtin_memcpy(to, from, kLanes);
    return;
  }
  for (int64_t i = 0; i < count; ++i) to[i] = from[i];
}

/// The first `count` pre-activations as the codes that `lookup` has for them. One byte after another: a gather of the
/// CPU is slower, and there are 65536 entries, of which few are ever met.
template <class Isa>
OPENRKNN_INLINE void look_up_codes(int8_t* out, Ints<Isa> values, const int8_t* lookup, int64_t count) {
  constexpr int kLanes = Isa::kBytes / 4;
  int32_t at[kLanes];
  store(at, values);
  asm volatile("" : : "r"(at) : "memory");  // through memory: compilers take vectors apart lane by lane in worse ways
  if (count >= kLanes) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) out[i] = lookup[at[i]];
    return;
  }
  for (int64_t i = 0; i < count; ++i) out[i] = lookup[at[i]];
}
/// requantize_vector(), stored.
template <class Isa>
OPENRKNN_INLINE void store_requantized(const Requantize& q, Ints<Isa> sum, int64_t c, int8_t* out, int64_t count) {
  const Ints<Isa> codes = requantize_vector<Isa>(q, sum, c);
  if (q.lookup) return look_up_codes<Isa>(out, codes, q.lookup, count);
  store_codes<Isa>(out, codes, count);
}

/// A block of few columns: its accumulators close up, so that a vector holds several rows.
template <class Isa>
OPENRKNN_INLINE void requantize_narrow(Requantize q, const int32_t* acc, int64_t width, int64_t rows, int64_t first,
                                       int64_t columns, void* const* outputs) {
  constexpr int kLanes = Isa::kBytes / 4, kMost = 16 * kLanes / 2;  // blocks have up to 16 rows
  int32_t sums[kMost] = {};
  double channel[kMost] = {};
  float float_channel[kMost] = {};
  int8_t codes[kMost + 16];
  int64_t count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < columns; ++c, ++count) {
      sums[count] = acc[row * width + c];
      if (q.floats.channel)
        float_channel[count] = q.floats.channel[first + c];
      else
        channel[count] = q.channel[first + c];
    }
  }
  q.channel = channel;
  if (q.floats.channel) q.floats.channel = float_channel;
  for (int64_t i = 0; i < count; i += kLanes) {
    store_requantized<Isa>(q, load<Ints<Isa>>(sums + i), i, codes + i, kLanes);
  }
  for (int64_t row = 0; row < rows; ++row) {
    int8_t* out = static_cast<int8_t*>(outputs[row]) + first;
    for (int64_t c = 0; c < columns; ++c) out[c] = codes[row * columns + c];
  }
}

/// Calls put(accumulators, column, where the codes go, how many) for all vectors of a block, column vectors outermost.
/// `enter(column)` comes before the rows: what is read there stays in registers.
template <class Isa, class Enter, class Put>
OPENRKNN_INLINE void requantize_rows(const int32_t* acc, int64_t width, int64_t rows, int64_t first, int64_t columns,
                                     void* const* outputs, Enter enter, Put put) {
  constexpr int kLanes = Isa::kBytes / 4;
  for (int64_t i = 0; i < columns; i += kLanes) {
    enter(first + i);
    for (int64_t row = 0; row < rows; ++row) {
      const Ints<Isa> sum = load<Ints<Isa>>(acc + row * width + i);
      put(sum, first + i, static_cast<int8_t*>(outputs[row]) + first + i, columns - i);
    }
  }
}

/// The plain stage of a whole block that has never left the registers.
template <class Isa, int kRows, int kVectors>
OPENRKNN_INLINE void requantize_in_registers(const FloatRequantize& q, Ints<Isa> (&sums)[kRows][kVectors],
                                             void* const* outputs, int64_t first, int64_t columns) {
  constexpr int kLanes = Isa::kBytes / 4;
  const FloatStage<Isa> stage(q);
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const Floats<Isa> channel = load<Floats<Isa>>(q.channel + first + v * kLanes);
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) sums[row][v] = stage.template codes<false, true>(sums[row][v], channel);
  }
  if (columns == kVectors * kLanes) {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
      int8_t* out = static_cast<int8_t*>(outputs[row]) + first;
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) Isa::store_codes(out + v * kLanes, sums[row][v].raw);
    }
    return;
  }
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row) {
    int8_t* out = static_cast<int8_t*>(outputs[row]) + first;
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) store_codes<Isa>(out + v * kLanes, sums[row][v], columns - v * kLanes);
  }
}

/// A block of curved columns, eight vectors at a time. `width`: one or two vectors.
template <class Isa>
OPENRKNN_INLINE void requantize_curve(const Requantize& q, const int32_t* acc, int64_t width, int64_t rows,
                                      int64_t first, int64_t columns, void* const* outputs) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  const FloatStage<Isa> stage(q.floats);
  const Floats<Isa> channels[2] = {load<Floats<Isa>>(q.floats.channel + first),
                                   load<Floats<Isa>>(q.floats.channel + first + width - kLanes)};
  const int64_t last = rows * width - kLanes, step = 8 * kLanes;
  int8_t codes[16 * 2 * kLanes + 7 * kLanes];  // blocks have up to 16 rows; the last step may be partly empty
  for (int64_t at = 0; at <= last; at += step) {
    typename V::Raw values[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const int64_t from = at + i * kLanes < last ? at + i * kLanes : last;
      values[i] = stage.template codes<false>(load<V>(acc + from), channels[i % 2]).raw;
    }
    Isa::curve_codes(q.curve, values, codes + at);
  }
  for (int64_t row = 0; row < rows; ++row) {
    int8_t* out = static_cast<int8_t*>(outputs[row]) + first;
    for (int64_t i = 0; i < columns; i += kLanes) copy_codes<Isa>(codes + row * width + i, out + i, columns - i);
  }
}

/// A block of accumulators, `width` apart by row, to codes of columns first … first + columns - 1 of the tile. Out of
/// line: the register tiles of all sizes share it.
template <class Isa>
[[gnu::noinline]] void requantize_block(const Requantize& shared, const int32_t* acc, int64_t width, int64_t rows,
                                        int64_t first, int64_t columns, void* const* outputs) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  const Requantize q = shared;  // a local copy: stores of codes cannot change it
  if (columns <= kLanes / 2) return requantize_narrow<Isa>(q, acc, width, rows, first, columns, outputs);
  if constexpr (Isa::kCurves) {
    if (q.lookup && q.floats.channel) {
      return requantize_curve<Isa>(q, acc, width, rows, first, columns, outputs);
    }
  }
  const auto by_stage = [&](auto enter, auto put) __attribute__((always_inline)) {
    requantize_rows<Isa>(acc, width, rows, first, columns, outputs, enter, put);
  };
  if (!q.floats.channel || q.leaky) {
    return by_stage([](int64_t) {}, [&](V sum, int64_t c, int8_t * out, int64_t count) __attribute__((
                                        always_inline)) { store_requantized<Isa>(q, sum, c, out, count); });
  }
  const FloatStage<Isa> stage(q.floats);
  Floats<Isa> channel;
  const auto enter = [&](int64_t c) __attribute__((always_inline)) {
    channel = load<Floats<Isa>>(q.floats.channel + c);
  };
  if (q.lookup) {
    by_stage(
        enter, [&](V sum, int64_t, int8_t * out, int64_t count) __attribute__((always_inline)) {
          look_up_codes<Isa>(out, stage.template codes<false>(sum, channel), q.lookup, count);
        });
  } else {
    by_stage(
        enter, [&](V sum, int64_t, int8_t * out, int64_t count) __attribute__((always_inline)) {
          store_codes<Isa>(out, stage.template codes<false>(sum, channel), count);
        });
  }
}

}  // namespace openrknn::fast
