// Strides, dilations and padding of convolutions and pools, with auto_pad resolved.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/importers/onnx/translation.h"

namespace openrknn::onnx {

struct Window {
  std::vector<int64_t> kernel, strides, dilations;
  std::vector<int64_t> pads;  ///< begin per spatial dimension, then end
  std::string auto_pad;       ///< NOTSET, VALID, SAME_UPPER or SAME_LOWER

  size_t dimensions() const { return kernel.size(); }
  /// How many input elements the kernel spans along dimension d.
  int64_t reach(size_t d) const { return (kernel[d] - 1) * dilations[d] + 1; }
};

/// Reads the node's attributes for a kernel of the given extents (empty: attribute kernel_shape) and checks their
/// counts and signs. With auto_pad SAME_*, `pads` is filled from the input's shape, unless `transposed`, where the
/// output decides. Throws Error (ImportUnsupportedAttribute, ImportShapeMismatch).
Window read_window(const Translation&, std::vector<int64_t> kernel, bool transposed = false);

/// `total` padding split in two: SAME_UPPER puts the odd element at the end, SAME_LOWER at the beginning.
std::pair<int64_t, int64_t> split_padding(int64_t total, const std::string& auto_pad);

}  // namespace openrknn::onnx
