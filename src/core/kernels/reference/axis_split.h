// A shape seen along one of its dimensions: element (o, i, n) lies at (o * extent + i) * inner + n.
#pragma once

#include <cstdint>

#include "core/base/shape.h"

namespace openrknn::reference {

struct AxisSplit {
  int64_t outer = 1, extent = 1, inner = 1;
};

/// A shape without dimensions is one element along any axis.
inline AxisSplit split_at(const Shape& shape, int64_t axis) {
  AxisSplit split;
  for (int64_t d = 0; d < static_cast<int64_t>(shape.size()); ++d) {
    int64_t& part = d < axis ? split.outer : d > axis ? split.inner : split.extent;
    part *= shape[static_cast<size_t>(d)];
  }
  return split;
}

}  // namespace openrknn::reference
