// Int32 operands of products as codes, and sums of codes as Int32.
#pragma once

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/fast/vector.h"

namespace openrknn::fast {

/// The least and the largest of `count` numbers, at least one.
template <class Isa>
void range_of(const int32_t* in, int64_t count, int32_t* low, int32_t* high) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  int32_t least = in[0], most = in[0];
  int64_t i = 0;
  if (count >= kLanes) {
    V lows = load<V>(in), highs = lows;
    for (i = kLanes; i + kLanes <= count; i += kLanes) {
      const V x = load<V>(in + i);
      lows = V(x.raw < lows.raw ? x.raw : lows.raw);
      highs = V(x.raw > highs.raw ? x.raw : highs.raw);
    }
    int32_t lanes[2][kLanes];
    store(lanes[0], lows);
    store(lanes[1], highs);
    for (int lane = 0; lane < kLanes; ++lane) {
      least = lanes[0][lane] < least ? lanes[0][lane] : least;
      most = lanes[1][lane] > most ? lanes[1][lane] : most;
    }
  }
  for (; i < count; ++i) {
    least = in[i] < least ? in[i] : least;
    most = in[i] > most ? in[i] : most;
  }
  *low = least;
  *high = most;
}

/// Numbers less `shift`, which are codes.
template <class Isa>
void narrow_integers(const int32_t* in, int8_t* out, int64_t count, int32_t shift) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) Isa::store_codes(out + i, (load<V>(in + i) - shift).raw);
  for (; i < count; ++i) out[i] = static_cast<int8_t>(in[i] - shift);
}

/// A block of accumulators, `width` apart by row, as columns first … first + columns - 1 of the tile: IntegerSums says
/// what they lack.
template <class Isa>
[[gnu::noinline]] void store_sums(const IntegerSums& shared, const int32_t* acc, int64_t width, int64_t rows,
                                  const int32_t* window_sums, int64_t first_row, int64_t first, int64_t columns,
                                  void* const* outputs) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  const IntegerSums s = shared;
  for (int64_t row = 0; row < rows; ++row, acc += width) {
    const V shift(s.row_shift[first_row + row]);
    const V fixed = s.window_factor == 0 ? V(0) : V(window_sums[row]) * V(s.window_factor);
    int32_t* out = static_cast<int32_t*>(outputs[row]) + first;
    for (int64_t i = 0; i < columns; i += kLanes) {
      V sum = load<V>(acc + i) + fixed + shift * load<V>(s.column + first + i);
      if (s.bias) sum = sum + load<V>(s.bias + first + i);
      if (columns - i >= kLanes) {
        store(out + i, sum);
        continue;
      }
      int32_t rest[kLanes];
      store(rest, sum);
      for (int64_t lane = 0; lane < columns - i; ++lane) out[i + lane] = rest[lane];
    }
  }
}

}  // namespace openrknn::fast
