// Linear Resize of one output row: vectors run along the channels. Reads may run past the last channel, writes never
// do. The order of operations is the reference's: first along the width, then the height, every operation rounded.
#pragma once

#include "core/kernels/fast/pool_loops.h"

namespace openrknn::fast {

template <class Isa, class T, bool kTwoLines, bool kTwoColumns>
OPENRKNN_INLINE void blend_columns(const BlendRow& row) {
  using V = Floats<Isa>;
  const T* upper = static_cast<const T*>(row.lines[0]);
  const T* lower = static_cast<const T*>(row.lines[1]);
  T* out = static_cast<T*>(row.to);
  const V upper_weight(row.line_weights[0]), lower_weight(row.line_weights[1]);
  constexpr int64_t kColumns = kTwoColumns ? 2 : 1;
  for (int64_t o = 0; o < row.out; ++o, out += row.channels) {
    const int64_t left = row.index[o * kColumns] * row.channels;
    const int64_t right = kTwoColumns ? row.index[o * kColumns + 1] * row.channels : 0;
    const V left_weight(row.weight[o * kColumns]), right_weight(kTwoColumns ? row.weight[o * kColumns + 1] : 0.0f);
    const auto along_width = [&](const T* line, int64_t c) __attribute__((always_inline)) {
      const V first = load_wide<Isa>(line + left + c);
      if constexpr (!kTwoColumns) return first;
      return first * left_weight + load_wide<Isa>(line + right + c) * right_weight;
    };
    for (int64_t c = 0; c < row.channels; c += V::kLanes) {
      V v = along_width(upper, c);
      if constexpr (kTwoLines) v = v * upper_weight + along_width(lower, c) * lower_weight;
      store_wide(out + c, v, row.channels - c);
    }
  }
}

template <class Isa, class T>
void blend_row(const BlendRow& row) {
  if (row.lines[1] == nullptr) {
    if (row.columns == 1) return blend_columns<Isa, T, false, false>(row);
    return blend_columns<Isa, T, false, true>(row);
  }
  if (row.columns == 1) return blend_columns<Isa, T, true, false>(row);
  blend_columns<Isa, T, true, true>(row);
}

}  // namespace openrknn::fast
