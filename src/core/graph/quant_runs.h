// Which elements of a tensor share a scale and zero point: one walk for everything that codes or decodes a tensor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/graph/graph.h"

namespace openrknn {

/// Scales that `quant` must have for `shape`: one, one per index of `axis`, or with groups also one per started group
/// along the input channels. Those are the dimension beside the axis of output channels: 1 of Conv's [O, I, k…], else
/// the one in front of it (ConvTranspose's [I, O, k…], MatMul's […, K, N]). Scale index = channel · groups + group.
inline int64_t expected_scales(const Shape& shape, const QuantParams& quant) {
  if (quant.axis < 0 || quant.axis >= static_cast<int>(shape.size())) return 1;
  const auto axis = static_cast<size_t>(quant.axis);
  if (quant.group <= 0 || shape.size() < 2) return shape[axis];
  const int64_t inputs = shape[axis == 0 ? 1 : axis - 1];
  return shape[axis] * std::max<int64_t>(1, (inputs + quant.group - 1) / quant.group);
}

/// Calls visit(begin, count, index of scale and zero point) over all elements, in order of memory (logical layout).
/// Precondition: as many scales as expected_scales says.
template <class Visit>
void for_quant_runs(const Shape& shape, const QuantParams& quant, Visit&& visit) {
  if (quant.axis < 0 || shape.empty()) return visit(int64_t{0}, element_count(shape), size_t{0});
  const auto axis = static_cast<size_t>(quant.axis);
  const bool grouped = quant.group > 0 && shape.size() >= 2;
  // [outer][first][second][inner], the channels and, with groups, the input channels beside them.
  const size_t first = grouped && axis > 0 ? axis - 1 : axis, after = first + (grouped ? 2 : 1);
  const int64_t outer = element_count(Shape(shape.begin(), shape.begin() + static_cast<int64_t>(first)));
  const int64_t inner = element_count(Shape(shape.begin() + static_cast<int64_t>(after), shape.end()));
  const int64_t seconds = grouped ? shape[first + 1] : 1, inputs = grouped ? shape[axis == 0 ? 1 : axis - 1] : 1;
  const int64_t size = grouped ? quant.group : 1, groups = (inputs + size - 1) / size;
  int64_t begin = 0;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t f = 0; f < shape[first]; ++f) {
      for (int64_t s = 0; s < seconds; ++s, begin += inner) {
        const auto [channel, in] = axis == first ? std::pair(f, s) : std::pair(s, f);
        visit(begin, inner, static_cast<size_t>(grouped ? channel * groups + in / size : channel));
      }
    }
  }
}

}  // namespace openrknn
