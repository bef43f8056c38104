// Where the elements of matrices lie, and reading and writing them.
#pragma once

#include <cstddef>
#include <span>

#include "core/kernels/panel_product.h"
#include "runtime/engine/matmul_spec.h"

namespace openrknn {

/// Index of element (k, n) of native B: segments of k one after the other, each in blocks of b_n columns by b_k
/// neighbouring k.
int64_t native_b_index(const MatmulBlocks&, const MatmulShape&, int64_t k, int64_t n);
/// Bytes of native B, padding included.
int64_t native_b_bytes(const MatmulBlocks&, const MatmulShape&, DType);
/// B [K,N], row major, into native layout; padding is 0. 4-bit codes are packed, the low nibble first.
void normal_to_native_b(const MatmulBlocks&, const MatmulShape&, DType, const std::byte* from, std::byte* to);

/// `count` neighbouring elements from index `first` on, as float32 (exact).
void decode(const PanelProduct&, DType, const std::byte* data, int64_t first, int64_t count, float* out);
/// Row `m` of A.
void read_a_row(const PanelProduct&, const MatmulSpec&, const MatmulShape&, const std::byte* data, int64_t m,
                float* out);
/// Columns first … first + columns of B as [K][width]; further columns of the panel are 0.
void read_b_panel(const PanelProduct&, const MatmulSpec&, const MatmulShape&, const std::byte* data, int64_t first,
                  int64_t columns, float* panel);
/// Index of element (m, n) of C.
inline int64_t c_index(const MatmulSpec& spec, const MatmulShape& shape, int64_t m, int64_t n) {
  if (spec.ac_layout != MatmulLayout::Native) return m * shape.n + n;
  const int64_t block = spec.blocks.c_n;
  return (n / block * shape.m + m) * block + n % block;
}

}  // namespace openrknn
