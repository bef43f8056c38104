// Shapes: extents of a dense row-major tensor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace openrknn {

/// Extents, slowest dimension first. Empty = scalar. -1 only where an extent depends on data.
using Shape = std::vector<int64_t>;

/// Product of the extents; 1 for a scalar. Throws Error (InvalidShape) on a negative extent or overflow of int64.
int64_t element_count(const Shape&);
/// False if any extent is negative (depends on data).
bool is_static(const Shape&);
/// Row-major strides in elements.
Shape strides_of(const Shape&);
/// Numpy broadcasting; nullopt if the shapes do not fit.
std::optional<Shape> broadcast(const Shape&, const Shape&);
/// "[1, 3, 224, 224]"
std::string to_string(const Shape&);
/// Maps a negative axis to 0..rank-1; nullopt if out of range.
std::optional<int64_t> normalize_axis(int64_t axis, int64_t rank);
/// dims[order[0]], dims[order[1]], …
Shape permute(const Shape& dims, const std::vector<int>& order);

}  // namespace openrknn
