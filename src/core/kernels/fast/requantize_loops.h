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

/// A vector of pre-activations through the table: neighbours are gathered as one pair, weighted and added at once.
template <class Isa>
OPENRKNN_INLINE Ints<Isa> table_codes(const Requantize& q, Ints<Isa> p) {
  using V = Ints<Isa>;
  const V shifted = p + 32768, rest = shifted & 127;
  const V pair(Isa::gather_neighbours(q.table, (shifted >> 7).raw));
  const V share = (V(128) - rest) | (rest << 16);
  const V sum(Isa::multiply_pairs(pair.raw, share.raw));
  const V code = ((sum + 8191 + ((sum >> 14) & 1)) >> 14) + q.table_zero_point;
  const V low(q.table_low), high(q.table_high);
  const V raised(code.raw < low.raw ? low.raw : code.raw);
  return V(raised.raw > high.raw ? high.raw : raised.raw);
}

/// Accumulators of columns c … c + lanes - 1 to codes, one int32 each.
template <class Isa>
OPENRKNN_INLINE Ints<Isa> requantize_vector(const Requantize& q, Ints<Isa> sum, int64_t c) {
  typename Isa::Doubles low, high;
  __builtin_memcpy(&low, q.channel + c, sizeof(low));
  __builtin_memcpy(&high, q.channel + c + Isa::kBytes / 8, sizeof(high));
  low = requantize_doubles<Isa>(q, Isa::low_doubles(sum.raw), low);
  high = requantize_doubles<Isa>(q, Isa::high_doubles(sum.raw), high);
  const Ints<Isa> codes = Ints<Isa>(Isa::join_low_bits(low, high)) + static_cast<int32_t>(q.zero_point_after);
  return q.table ? table_codes<Isa>(q, codes) : codes;
}

/// The first `count` lanes as bytes.
template <class Isa>
OPENRKNN_INLINE void store_codes(int8_t* out, Ints<Isa> codes, int64_t count) {
  constexpr int kLanes = Isa::kBytes / 4;
  if (count >= kLanes) return Isa::store_codes(out, codes.raw);
  int8_t rest[16];
  Isa::store_codes(rest, codes.raw);
  for (int64_t i = 0; i < count; ++i) out[i] = rest[i];
}

/// A block of few columns: its accumulators close up, so that a vector holds several rows.
template <class Isa>
OPENRKNN_INLINE void requantize_narrow(Requantize q, const int32_t* acc, int64_t width, int64_t rows,
                                       const int32_t* window_sums, int64_t first, int64_t columns,
                                       void* const* outputs) {
  constexpr int kLanes = Isa::kBytes / 4, kMost = 16 * kLanes / 2;  // blocks have up to 16 rows
  int32_t sums[kMost] = {};
  double channel[kMost] = {};
  int8_t codes[kMost + 16];
  int64_t count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < columns; ++c, ++count) {
      uint32_t sum = static_cast<uint32_t>(acc[row * width + c]) + static_cast<uint32_t>(q.offset[first + c]);
      if (q.sum_factor) sum += static_cast<uint32_t>(q.sum_factor[first + c]) * static_cast<uint32_t>(window_sums[row]);
      sums[count] = static_cast<int32_t>(sum);
      channel[count] = q.channel[first + c];
    }
  }
  q.channel = channel;
  for (int64_t i = 0; i < count; i += kLanes) {
    Isa::store_codes(codes + i, requantize_vector<Isa>(q, load<Ints<Isa>>(sums + i), i).raw);
  }
  for (int64_t row = 0; row < rows; ++row) {
    int8_t* out = static_cast<int8_t*>(outputs[row]) + first;
    for (int64_t c = 0; c < columns; ++c) out[c] = codes[row * columns + c];
  }
}

/// A block of accumulators, `width` apart by row, to codes of columns first … first + columns - 1 of the tile. Out of
/// line: the register tiles of all sizes share it. Column vectors outermost, so that their parameters stay in
/// registers.
template <class Isa>
[[gnu::noinline]] void requantize_block(const Requantize& shared, const int32_t* acc, int64_t width, int64_t rows,
                                        const int32_t* window_sums, int64_t first, int64_t columns,
                                        void* const* outputs) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  const Requantize q = shared;  // a local copy: stores of codes cannot change it
  if (columns <= kLanes / 2) return requantize_narrow<Isa>(q, acc, width, rows, window_sums, first, columns, outputs);
  for (int64_t i = 0; i < columns; i += kLanes) {
    const V offset = load<V>(q.offset + first + i);
    const V factor = q.sum_factor ? load<V>(q.sum_factor + first + i) : V(0);
    for (int64_t row = 0; row < rows; ++row) {
      V sum = load<V>(acc + row * width + i) + offset;
      if (q.sum_factor) sum = sum + factor * V(window_sums[row]);
      store_codes<Isa>(static_cast<int8_t*>(outputs[row]) + first + i, requantize_vector<Isa>(q, sum, first + i),
                       columns - i);
    }
  }
}

}  // namespace openrknn::fast
