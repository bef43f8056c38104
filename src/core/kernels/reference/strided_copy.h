// Moving elements without changing them: every output element is the input element at an affine function of its index.
// Transpose, Slice, Expand, Tile, DepthToSpace and SpaceToDepth are views of this kind.
#pragma once

#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/prepared.h"

namespace openrknn::reference {

/// Output element [i0, i1, …] is input element base + i0 * strides[0] + i1 * strides[1] + …
/// `extents` may split an output dimension into several: only the flat order of the output counts.
struct StridedView {
  Shape extents, strides;
  int64_t base = 0;
};

/// A kernel state that copies `view` of input 0 to the output; `bytes` is the size of an element (1, 2, 4 or 8).
Prepared prepare_strided_copy(StridedView view, int64_t bytes);
void run_strided_copy(const Prepared&, std::span<const Buffer>, int64_t tile, std::byte* scratch);

}  // namespace openrknn::reference
