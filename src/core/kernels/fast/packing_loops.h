// A computed second operand of codes in the form CodeProduct multiplies.
#pragma once

#include "core/kernels/fast/gemm_loops.h"

namespace openrknn::fast {

/// One group of k for a vector of columns, as the loops load it; rows beyond `present` weigh nothing.
template <class Product>
OPENRKNN_INLINE Ints<typename Product::Isa> pack_group(const int8_t* from, int64_t row_bytes, int64_t present,
                                                       Ints<typename Product::Isa>& sum) {
  using Isa = typename Product::Isa;
  using V = Ints<Isa>;
  constexpr int kGroup = Product::kGroup, kBits = 32 / kGroup, kMask = (1 << kBits) - 1;
  V packed(0), rows[kGroup];
#pragma GCC unroll 4
  for (int member = 0; member < kGroup; ++member) {
    rows[member] = V(0);
    if (member >= present) continue;
    rows[member] = V(Isa::load_codes(from + member * row_bytes));
    sum = sum + rows[member];
    packed = packed | ((rows[member] & kMask) << (kBits * member));
  }
  if constexpr (Isa::kInterleaved) return packed;
  // The vector holds k after k.
  constexpr int kLanes = Isa::kBytes / 4;
  typename Product::Input elements[kGroup * kLanes];
  for (int member = 0; member < kGroup; ++member) {
    for (int lane = 0; lane < kLanes; ++lane) {
      elements[member * kLanes + lane] = static_cast<typename Product::Input>(rows[member].raw[lane]);
    }
  }
  return load<V>(elements);
}

template <class Product>
void pack_codes(const int8_t* from, int64_t row_bytes, int64_t depth, int64_t vectors, std::byte* to, int32_t* sums) {
  using Isa = typename Product::Isa;
  using V = Ints<Isa>;
  constexpr int kGroup = Product::kGroup, kLanes = Isa::kBytes / 4;
  for (int64_t v = 0; v < vectors; ++v) {
    std::byte* out = to + v * Isa::kBytes;
    const int8_t* row = from + v * kLanes;
    V sum(0);
    int64_t k = 0;
    for (; k + kGroup <= depth; k += kGroup, row += kGroup * row_bytes, out += vectors * Isa::kBytes) {
      store(out, pack_group<Product>(row, row_bytes, kGroup, sum));
    }
    if (k < depth) store(out, pack_group<Product>(row, row_bytes, depth - k, sum));
    store(sums + v * kLanes, sum);
  }
}

}  // namespace openrknn::fast
