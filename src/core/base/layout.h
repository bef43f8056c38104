// The one place that knows physical layouts: NCHW, NHWC, NC1HWC2 and their strides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/dtype.h"
#include "core/base/shape.h"

namespace openrknn {

/// How the plan stores a value: dimensions in logical order, or channels (dimension 1) moved last.
enum class Layout : uint8_t { Logical, ChannelsLast };

/// The permutation that takes logical dimensions to physical ones: identity, or [0, 2, …, n-1, 1] for rank >= 3.
std::vector<int> physical_order(Layout, int64_t rank);
Shape physical_shape(const Shape& logical, Layout);

/// Geometry of the NPU's feature cube: N, C1 = ceil(C / C2), H, W, C2. Strides are explicit numbers, in elements.
struct CubeLayout {
  int64_t n = 0, c = 0, h = 0, w = 0, c1 = 0, c2 = 0;
  int64_t line_stride = 0, surface_stride = 0, batch_stride = 0;
};
CubeLayout cube_layout(int64_t n, int64_t c, int64_t h, int64_t w, int64_t c1, int64_t c2);

/// Copies an N-D array while permuting dimensions: out.shape[i] = in.shape[order[i]]. Byte-exact for any element size.
void copy_permuted(std::span<const std::byte> in, const Shape& in_shape, const std::vector<int>& order,
                   int64_t element_bytes, std::span<std::byte> out);
/// NCHW to NC1HWC2 (missing channels become `fill`, one element) and back.
void nchw_to_cube(const std::byte* in, const CubeLayout&, int64_t element_bytes, const std::byte* fill, std::byte* out);
void cube_to_nchw(const std::byte* in, const CubeLayout&, int64_t element_bytes, std::byte* out);

}  // namespace openrknn
