// Elements chosen and placed by indices.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/nhwc_operators.h"

namespace openrknn {

Placed one_hot(const NhwcLayer& layer, Placed classes, int64_t depth, Placed on, Placed off, int64_t axis) {
  if (depth < 1 || depth > kMostExtent) layer.refuse("the depth is no number of classes");
  const auto rank = static_cast<int64_t>(layer.shape_of(classes).size());
  const ValueId values = layer.add(
      "Concat",
      {layer.beside_reshape(layer.layout().source(off), {1}), layer.beside_reshape(layer.layout().source(on), {1})},
      {{"axis", int64_t{0}}});
  // Negative classes are none here; in the graph they count from the end.
  const ValueId given = layer.cast_to(DType::Int64, layer.layout().source(classes));
  const ValueId zero = layer.builder().constant("zero", Tensor::scalar<int64_t>(0));
  const ValueId beyond = layer.builder().constant("no class", Tensor::scalar<int64_t>(depth));
  const ValueId known = layer.add("Where", {layer.add("Less", {given, zero}), beyond, given});
  return {layer.add("OneHot", {known, values}, {{"axis", layer.axis(axis, rank + 1)}, {"depth", depth}}),
          ImageForm::Source};
}

// The axis goes behind the batch, so that batch and axis are one dimension of whole slices.
Placed gather_in_batches(const NhwcLayer& layer, Placed x, Placed indices, int64_t axis, int64_t batch_dims) {
  const Shape whole = layer.shape_of(x), places = layer.shape_of(indices);
  const auto rank = static_cast<int64_t>(whole.size()), depth = static_cast<int64_t>(places.size());
  axis = layer.axis(axis, rank);
  if (batch_dims < 0) batch_dims += depth;
  if (batch_dims < 0 || batch_dims > std::min(axis, depth) ||
      !std::equal(whole.begin(), whole.begin() + batch_dims, places.begin()))
    layer.refuse(
        fmt::format("batch_dims is {}, the inputs {} and {}", batch_dims, to_string(whole), to_string(places)));
  const int64_t batch = element_count(Shape(whole.begin(), whole.begin() + batch_dims));
  const int64_t extent = whole[static_cast<size_t>(axis)];
  if (batch * depth == 0 || batch > kMostExtent) layer.refuse(fmt::format("a batch of {}", batch));
  NhwcLayer::Ints behind, back;
  for (int64_t d = 0; d < rank; ++d)
    if (d != axis) behind.push_back(d);
  behind.insert(behind.begin() + batch_dims, axis);
  Shape slices{batch * extent}, result(places);
  for (size_t d = static_cast<size_t>(batch_dims) + 1; d < behind.size(); ++d) {
    slices.push_back(whole[static_cast<size_t>(behind[d])]);
    result.push_back(slices.back());
  }
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < batch; ++i) starts.push_back(i * extent);
  const ValueId first = layer.builder().constant("starts", Tensor::from<int64_t>({batch, 1}, std::move(starts)));
  const ValueId rows = layer.reshape(layer.cast_to(DType::Int64, layer.layout().source(indices)),
                                     {batch, element_count(places) / batch});
  const ValueId table = layer.reshape(layer.add("Transpose", {layer.layout().source(x)}, {{"perm", behind}}), slices);
  const ValueId found =
      layer.reshape(layer.add("Gather", {table, layer.add("Add", {rows, first})}, {{"axis", int64_t{0}}}), result);
  // What was between the batch and the axis is behind the indices now, and goes back.
  for (int64_t d = 0; d < batch_dims; ++d) back.push_back(d);
  for (int64_t d = 0; d < axis - batch_dims; ++d) back.push_back(depth + d);
  for (int64_t d = batch_dims; d < depth; ++d) back.push_back(d);
  while (back.size() < result.size()) back.push_back(static_cast<int64_t>(back.size()));
  return {layer.add("Transpose", {found}, {{"perm", back}}), ImageForm::Source};
}

Placed scatter(const NhwcLayer& layer, Placed places, Placed updates, const Shape& shape) {
  for (const int64_t extent : shape)
    if (extent < 0 || extent > kMostExtent) layer.refuse(fmt::format("the shape {} is none", to_string(shape)));
  if (element_count(shape) > int64_t{1} << 28) layer.refuse(fmt::format("the shape {} is too large", to_string(shape)));
  const ValueId given = layer.layout().source(updates);
  const ValueId zeros = layer.builder().constant("zeros", Tensor::zeros(layer.builder().graph[given].dtype, shape));
  const ValueId at = layer.cast_to(DType::Int64, layer.layout().source(places));
  return {layer.add("ScatterND", {zeros, at, given}, {{"reduction", std::string("add")}}), ImageForm::Source};
}

Placed places_of_truth(const NhwcLayer& layer, Placed x) {
  const ValueId places = layer.add("NonZero", {layer.layout().source(x)});
  return {layer.add("Transpose", {places}, {{"perm", NhwcLayer::Ints{1, 0}}}), ImageForm::Source};
}

}  // namespace openrknn
