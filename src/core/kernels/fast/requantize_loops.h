// The integer output stage over a row of accumulators (see Requantize for why doubles are exact here).
#pragma once

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/fast/vector.h"

namespace openrknn::fast {

template <class Raw>
OPENRKNN_INLINE Raw round_half_even(Raw v) {
  const double kRound = 0x1.8p52;
  return (v + kRound) - kRound;
}
template <class Raw>
OPENRKNN_INLINE Raw clamp_doubles(Raw v, double low, double high) {
  const Raw lowest = low - Raw{}, highest = high - Raw{};
  v = v < lowest ? lowest : v;
  return v > highest ? highest : v;
}

/// Accumulators to codes (or to int16 pre-activations) of one half vector.
template <class Isa>
OPENRKNN_INLINE typename Registers<Isa::kBytes>::Codes32 requantize_lanes(
    const Requantize& q, typename Registers<Isa::kBytes>::Codes32 acc,
    typename Registers<Isa::kBytes>::Doubles channel) {
  using Raw = typename Registers<Isa::kBytes>::Doubles;
  const Raw exact = __builtin_convertvector(acc, Raw);
  Raw v = clamp_doubles(round_half_even(exact * channel), -2147483648.0, 2147483647.0);
  if (q.leaky) {
    const Raw zero{};
    v = exact < zero ? clamp_doubles(round_half_even(v * q.slope), -2147483648.0, 2147483647.0) : v;
  }
  v = round_half_even(v * q.multiplier + q.zero_point_before) + q.zero_point_after;
  v = clamp_doubles(v, q.low, q.high);
  return __builtin_convertvector(v, typename Registers<Isa::kBytes>::Codes32);
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
  using Doubles = typename Registers<Isa::kBytes>::Doubles;
  union {
    typename Registers<Isa::kBytes>::Codes32 half[2];
    typename Ints<Isa>::Raw whole;
  } lanes;
  lanes.whole = sum.raw;
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    Doubles channel;
    __builtin_memcpy(&channel, q.channel + c + h * (Isa::kBytes / 8), sizeof(channel));
    lanes.half[h] = requantize_lanes<Isa>(q, lanes.half[h], channel);
  }
  const Ints<Isa> codes(lanes.whole);
  return q.table ? table_codes<Isa>(q, codes) : codes;
}

/// The first `count` lanes as bytes.
template <class Isa>
OPENRKNN_INLINE void store_codes(int8_t* out, Ints<Isa> codes, int64_t count) {
  using Bytes = typename Registers<Isa::kBytes>::Codes8;
  const Bytes bytes = __builtin_convertvector(codes.raw, Bytes);
  if (count >= Isa::kBytes / 4) {
    __builtin_memcpy(out, &bytes, sizeof(bytes));
    return;
  }
  int8_t rest[sizeof(bytes)];
  __builtin_memcpy(rest, &bytes, sizeof(bytes));
  for (int64_t i = 0; i < count; ++i) out[i] = rest[i];
}

/// acc[0 … columns) of columns first … of the tile to codes. acc has whole vectors; out only `columns` bytes.
template <class Isa>
[[gnu::noinline]] void requantize_row(const Requantize& q, const int32_t* acc, int32_t window_sum, int64_t first,
                                      int64_t columns, int8_t* out) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  for (int64_t i = 0; i < columns; i += kLanes) {
    V sum = load<V>(acc + i) + load<V>(q.offset + first + i);
    if (q.sum_factor) sum = sum + load<V>(q.sum_factor + first + i) * V(window_sum);
    store_codes<Isa>(out + i, requantize_vector<Isa>(q, sum, first + i), columns - i);
  }
}

}  // namespace openrknn::fast
