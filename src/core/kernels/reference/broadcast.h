// Numpy broadcasting as contiguous rows: what elementwise kernels with several operands iterate over.
#pragma once

#include <algorithm>
#include <array>

#include "core/kernels/reference/prepared.h"

namespace openrknn::reference {

inline constexpr size_t kMaxOperands = 3;

/// An output and up to three dense operands that broadcast to it. Neighbouring dimensions that all operands walk
/// through alike are merged, so that same-shape operands become one long row.
struct Broadcast {
  Shape extents;                            ///< never empty
  std::array<Shape, kMaxOperands> strides;  ///< in elements; 0 where an operand repeats; innermost 0 or 1
  int64_t total = 0;

  Broadcast() = default;
  /// Precondition: every operand broadcasts to `out`.
  Broadcast(const Shape& out, std::initializer_list<const Shape*> operands);
  /// The operand has the output's shape: its elements may be overwritten by the results.
  bool dense(size_t operand) const;
};

/// Calls row(position, count, offsets) for runs of the innermost dimension that cover output elements [begin, end).
/// offsets[i] is where operand i starts; it then advances by strides[i].back() an element.
template <class Row>
void for_rows(const Broadcast& plan, int64_t begin, int64_t end, Row&& row) {
  const size_t rank = plan.extents.size();
  const int64_t inner = plan.extents.back(), lines = rank >= 2 ? plan.extents[rank - 2] : 1;
  while (begin < end) {  // one plane of the two innermost dimensions a time: divisions are dear, rows may be short
    int64_t column = begin % inner, line = begin / inner % lines;
    const int64_t rest = begin / inner / lines;
    std::array<int64_t, kMaxOperands> offsets{}, line_strides{};
    for (size_t i = 0; i < kMaxOperands; ++i) {
      if (plan.strides[i].empty()) continue;
      if (rank >= 2) line_strides[i] = plan.strides[i][rank - 2];
      offsets[i] = line * line_strides[i] + column * plan.strides[i].back();
      int64_t outer = rest;
      for (size_t d = rank >= 2 ? rank - 2 : 0; d-- > 0; outer /= plan.extents[d]) {
        offsets[i] += outer % plan.extents[d] * plan.strides[i][d];
      }
    }
    for (; line < lines && begin < end; ++line) {
      const int64_t count = std::min(inner - column, end - begin);
      row(begin, count, offsets);
      begin += count;
      for (size_t i = 0; i < kMaxOperands; ++i) {
        if (plan.strides[i].empty()) continue;
        offsets[i] += line_strides[i] - column * plan.strides[i].back();
      }
      column = 0;
    }
  }
}

/// out[i] = f(a[i * a_stride], b[i * b_stride]) for strides 0 or 1, with loops a compiler can vectorise.
template <class A, class B, class Out, class Function>
void zip(const A* a, int64_t a_stride, const B* b, int64_t b_stride, Out* out, int64_t count, Function f) {
  if (a_stride != 0 && b_stride != 0) {
    for (int64_t i = 0; i < count; ++i) out[i] = f(a[i], b[i]);
  } else if (a_stride != 0) {
    const B repeated = *b;
    for (int64_t i = 0; i < count; ++i) out[i] = f(a[i], repeated);
  } else {
    const A repeated = *a;
    for (int64_t i = 0; i < count; ++i) out[i] = f(repeated, b[i * b_stride]);
  }
}

/// One tile of y = f(a, b), operands 0 and 1 of the plan.
template <class In, class Out, class Function>
void zip_tile(const Broadcast& plan, const Tiles& tiles, int64_t tile, std::span<const Buffer> buffers, Function f) {
  const In* a = input<In>(buffers, 0);
  const In* b = input<In>(buffers, 1);
  Out* y = output<Out>(buffers);
  const int64_t a_stride = plan.strides[0].back(), b_stride = plan.strides[1].back();
  for_rows(plan, tiles.begin(tile), tiles.end(tile),
           [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
             zip(a + at[0], a_stride, b + at[1], b_stride, y + position, count, f);
           });
}

}  // namespace openrknn::reference
