// NonZero and Compress, and the table of operators whose output extents depend on data. All exact.
#include "core/kernels/data_dependent.h"

#include <algorithm>
#include <cstring>

namespace openrknn {
namespace reference {

std::vector<Tensor> non_zero(const Node&, HostInputs inputs) {
  const Tensor& x = *inputs[0];
  const Tensor marks = cast(x, DType::Bool);  // != 0, so that NaN counts and -0 does not
  const std::span<const bool> marked = marks.values<bool>();
  const int64_t count = std::count(marked.begin(), marked.end(), true);
  Tensor indices(DType::Int64, {x.rank(), count});
  const std::span<int64_t> out = indices.mutable_values<int64_t>();
  const Shape strides = strides_of(x.shape());
  int64_t column = 0;
  for (int64_t i = 0; i < x.size() && x.rank() > 0; ++i) {
    if (!marked[static_cast<size_t>(i)]) continue;
    for (size_t d = 0; d < strides.size(); ++d) {
      out[static_cast<size_t>(static_cast<int64_t>(d) * count + column)] = i / strides[d] % x.shape()[d];
    }
    ++column;
  }
  return {indices};
}

std::vector<Tensor> compress(const Node& node, HostInputs inputs) {
  const bool whole = !has_attribute(node.attributes, "axis");
  const Tensor x = whole ? inputs[0]->reshaped({inputs[0]->size()}) : *inputs[0];
  const auto axis = static_cast<size_t>(int_attribute(node.attributes, "axis", 0));
  const std::span<const bool> condition = inputs[1]->values<bool>();
  const int64_t extent = x.shape()[axis];
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < extent && i < std::ssize(condition); ++i) {
    if (condition[static_cast<size_t>(i)]) kept.push_back(i);
  }
  Shape shape = x.shape();
  shape[axis] = std::ssize(kept);
  Tensor y(x.dtype(), shape);
  int64_t outer = 1;
  for (size_t d = 0; d < axis; ++d) outer *= shape[d];
  if (y.size() == 0) return {y};
  const size_t slice = x.bytes().size() / static_cast<size_t>(outer * extent);
  const std::byte* from = x.bytes().data();
  std::byte* to = y.mutable_bytes().data();
  for (int64_t o = 0; o < outer; ++o) {
    for (const int64_t i : kept) {
      std::memcpy(to, from + static_cast<size_t>(o * extent + i) * slice, slice);
      to += slice;
    }
  }
  return {y};
}

}  // namespace reference

const DataDependentOperator* find_data_dependent(std::string_view op) {
  using namespace reference;  // NOLINT(google-build-using-namespace): the table reads as a list
  static constexpr DataDependentOperator kRows[] = {
      {.op = "NonZero", .compute = non_zero},
      {.op = "Compress", .compute = compress},
      {.op = "Unique", .compute = unique},
      {.op = "NonMaxSuppression", .compute = non_max_suppression},
      {.op = "DynamicReshape", .resolve = resolve_reshape},
      {.op = "DynamicSlice", .resolve = resolve_slice},
      {.op = "DynamicExpand", .resolve = resolve_expand},
      {.op = "DynamicTile", .resolve = resolve_tile},
      {.op = "DynamicTopK", .resolve = resolve_top_k},
      {.op = "Range"},
      {.op = "ConstantOfShape"},
  };
  const auto found =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const DataDependentOperator& row) { return row.op == op; });
  return found != std::end(kRows) ? found : nullptr;
}

}  // namespace openrknn
