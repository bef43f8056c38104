#include "runtime/engine/matmul_layout.h"

#include <algorithm>
#include <cstring>

namespace openrknn {
namespace {

int64_t ceil_to(int64_t v, int64_t block) { return (v + block - 1) / block * block; }

int code4(const std::byte* data, int64_t index) {
  const int byte = std::to_integer<int>(data[index / 2]);
  const int code = index % 2 == 0 ? byte & 15 : byte >> 4;
  return code < 8 ? code : code - 16;
}

/// Into memory that is 0.
void copy_element(DType dtype, const std::byte* from, int64_t source, std::byte* to, int64_t target) {
  if (dtype == DType::Float16) {
    std::memcpy(to + 2 * target, from + 2 * source, 2);
  } else if (dtype == DType::Int8) {
    to[target] = from[source];
  } else {
    const auto nibble = static_cast<std::byte>(code4(from, source) & 15);
    to[target / 2] |= target % 2 == 0 ? nibble : nibble << 4;
  }
}

/// Columns of B that are read side by side: what a block of k needs stays in the first-level cache.
constexpr int64_t kRun = 32;

/// Index of (k, n) in memory, from where `run` further k follow.
int64_t b_index(const MatmulSpec& spec, const MatmulShape& shape, int64_t k, int64_t n) {
  return spec.b_layout == MatmulLayout::Native ? native_b_index(spec.blocks, shape, k, n) : n * shape.k + k;
}

}  // namespace

int64_t native_b_index(const MatmulBlocks& blocks, const MatmulShape& shape, int64_t k, int64_t n) {
  const int64_t depth = ceil_to(shape.k, blocks.b_k), columns = ceil_to(shape.n, blocks.b_n);
  const int64_t segment = blocks.segment > 0 ? blocks.segment : depth;
  const int64_t begin = k / segment * segment;
  const int64_t length = std::min(segment, depth - begin);
  const int64_t in_segment = k - begin;
  const int64_t block = n / blocks.b_n * (length / blocks.b_k) + in_segment / blocks.b_k;
  return begin * columns + (block * blocks.b_n + n % blocks.b_n) * blocks.b_k + in_segment % blocks.b_k;
}

int64_t native_b_bytes(const MatmulBlocks& blocks, const MatmulShape& shape, DType dtype) {
  return byte_size(dtype, ceil_to(shape.k, blocks.b_k) * ceil_to(shape.n, blocks.b_n));
}

void normal_to_native_b(const MatmulBlocks& blocks, const MatmulShape& shape, DType dtype, const std::byte* from,
                        std::byte* to) {
  std::memset(to, 0, static_cast<size_t>(native_b_bytes(blocks, shape, dtype)));
  const int64_t depth = ceil_to(shape.k, blocks.b_k), segment = blocks.segment > 0 ? blocks.segment : depth;
  int64_t target = 0;  // elements written so far, padding included
  for (int64_t begin = 0; begin < depth; begin += segment) {
    const int64_t end = std::min(depth, begin + segment);
    for (int64_t n1 = 0; n1 < shape.n; n1 += blocks.b_n) {
      for (int64_t k1 = begin; k1 < end; k1 += blocks.b_k) {
        for (int64_t n = n1; n < n1 + blocks.b_n; ++n) {
          for (int64_t k = k1; k < k1 + blocks.b_k; ++k, ++target) {
            if (n < shape.n && k < shape.k) copy_element(dtype, from, k * shape.n + n, to, target);
          }
        }
      }
    }
  }
}

void decode(const PanelProduct& product, DType dtype, const std::byte* data, int64_t first, int64_t count, float* out) {
  if (dtype == DType::Float16) return product.widen(reinterpret_cast<const uint16_t*>(data) + first, out, count);
  if (dtype == DType::Int8) {
    const auto* codes = reinterpret_cast<const int8_t*>(data) + first;
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(codes[i]);
    return;
  }
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(code4(data, first + i));
}

void read_a_row(const PanelProduct& product, const MatmulSpec& spec, const MatmulShape& shape, const std::byte* data,
                int64_t m, float* out) {
  const DType dtype = spec.kind->a;
  if (spec.ac_layout != MatmulLayout::Native) return decode(product, dtype, data, m * shape.k, shape.k, out);
  const int64_t block = spec.blocks.a_k;
  for (int64_t k = 0; k < shape.k; k += block) {
    decode(product, dtype, data, (k / block * shape.m + m) * block, std::min(block, shape.k - k), out + k);
  }
}

void read_b_panel(const PanelProduct& product, const MatmulSpec& spec, const MatmulShape& shape, const std::byte* data,
                  int64_t first, int64_t columns, float* panel) {
  const int64_t width = product.columns();
  const DType dtype = spec.kind->b;
  if (columns < width) std::fill(panel, panel + shape.k * width, 0.0f);
  if (spec.b_layout == MatmulLayout::Normal) {
    for (int64_t k = 0; k < shape.k; ++k) decode(product, dtype, data, k * shape.n + first, columns, panel + k * width);
    return;
  }
  // Neighbours in memory are neighbours along k: turned round, a few k at a time.
  const int64_t run = spec.b_layout == MatmulLayout::Native ? spec.blocks.b_k : kRun;
  float stretch[kRun];
  for (int64_t k = 0; k < shape.k; k += run) {
    const int64_t length = std::min(run, shape.k - k);
    for (int64_t c = 0; c < columns; ++c) {
      decode(product, dtype, data, b_index(spec, shape, k, first + c), length, stretch);
      for (int64_t i = 0; i < length; ++i) panel[(k + i) * width + c] = stretch[i];
    }
  }
}

}  // namespace openrknn
