// Products of int16 codes with exact 64-bit sums, one template for every CPU kind that multiplies int16 in pairs.
//
// A weight is 256 · high + low with high signed and low unsigned, both of 8 bits: a pair of products with either stays
// under 2^24, so that kPairs of them fit int32 before they are added to the 64-bit sums.
#pragma once

#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/fast/vector.h"

namespace openrknn::fast {

template <class Isa, int kRows>
[[gnu::noinline]] void multiply_wide(const WideTile& tile, int64_t first_row) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  constexpr int64_t kPairs = 64;
  const std::byte* weights = tile.weights;
  const int16_t* inputs = tile.inputs + first_row * tile.row_stride;
  int64_t* sums = tile.sums + first_row * kLanes;
  for (int64_t i = 0; i < kRows * kLanes; ++i) sums[i] = 0;
  for (int64_t start = 0; start < tile.pairs; start += kPairs) {
    const int64_t end = start + kPairs < tile.pairs ? start + kPairs : tile.pairs;
    V high[kRows], low[kRows];
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) high[row] = low[row] = V(0);
    for (int64_t pair = start; pair < end; ++pair) {
      const V w_high = load<V>(weights), w_low = load<V>(weights + Isa::kBytes);
      weights += 2 * Isa::kBytes;
#pragma GCC unroll 16
      for (int row = 0; row < kRows; ++row) {
        int32_t two;
        __builtin_memcpy(&two, inputs + row * tile.row_stride + 2 * pair, sizeof(two));
        const V x(two);
        high[row] = V(Isa::dot(high[row].raw, w_high.raw, x.raw));
        low[row] = V(Isa::dot(low[row].raw, w_low.raw, x.raw));
      }
    }
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
      int32_t h[kLanes], l[kLanes];
      store(h, high[row]);
      store(l, low[row]);
      for (int lane = 0; lane < kLanes; ++lane) {
        sums[row * kLanes + lane] += static_cast<int64_t>(h[lane]) * 256 + l[lane];
      }
    }
  }
}

/// Chooses the instance for 1 … kRows rows.
template <class Isa, int kRows>
void run_wide_rows(const WideTile& tile, int64_t first_row, int64_t rows) {
  if (rows == kRows) return multiply_wide<Isa, kRows>(tile, first_row);
  if constexpr (kRows > 1) run_wide_rows<Isa, kRows - 1>(tile, first_row, rows);
}

template <class Isa>
void run_wide(const WideTile& tile) {
  for (int64_t row = 0; row < tile.rows; row += Isa::kIntRows) {
    const int64_t left = tile.rows - row;
    run_wide_rows<Isa, Isa::kIntRows>(tile, row, left < Isa::kIntRows ? left : Isa::kIntRows);
  }
}

/// Kinds whose integer product takes bytes have none: the rows of the kind below them serve.
template <class Isa>
constexpr WideGemm wide_gemm() {
  if constexpr (sizeof(typename Isa::Code) == 2) {
    return {.lanes = Isa::kBytes / 4, .interleaved = Isa::kInterleaved, .run = run_wide<Isa>};
  } else {
    return {};
  }
}

}  // namespace openrknn::fast
