// Which input positions an output position of Resize reads, and their weights: the definition all its kernels share.
#pragma once

#include <array>
#include <vector>

#include "core/kernels/kernel.h"

namespace openrknn::reference {

/// One spatial dimension.
struct ResizeAxis {
  int64_t in = 1, out = 1, taps = 1;
  std::vector<int64_t> index;    // [out][taps]
  std::vector<float> weight;     // [out][taps]
  std::vector<uint8_t> outside;  // [out]: takes the extrapolation value; empty: none does

  bool is_outside(int64_t o) const { return !outside.empty() && outside[static_cast<size_t>(o)] != 0; }
};

/// Depth, height and width of a channels-last call; dimensions it lacks have extent 1.
std::array<ResizeAxis, 3> resize_axes(const Call&);

}  // namespace openrknn::reference
