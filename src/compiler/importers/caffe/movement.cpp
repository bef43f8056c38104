// The same numbers in another order or shape, and reductions.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "compiler/importers/caffe/layers.h"

namespace openrknn::caffe {
namespace {

int64_t product(std::span<const int64_t> extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t{1}, std::multiplies<>());
}

ValueId slice(const Layer& layer, ValueId x, int64_t axis, int64_t begin, int64_t end) {
  const Shape& shape = layer.builder.shape(x);
  Ints starts(shape.size(), 0), ends = shape;
  starts[static_cast<size_t>(axis)] = begin;
  ends[static_cast<size_t>(axis)] = end;
  return layer.add("Slice", {x}, {{"starts", std::move(starts)}, {"ends", std::move(ends)}});
}

Results concat(const Layer& layer) {
  const Message& options = layer.options("concat_param");
  const int64_t axis = layer.axis(options.integer("axis", options.integer("concat_dim", 1)), "axis");
  return {layer.inputs.size() == 1 ? layer.inputs[0] : layer.add("Concat", layer.inputs, {{"axis", axis}})};
}

Results slices(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("slice_param");
  const int64_t axis = layer.axis(options.integer("axis", options.integer("slice_dim", 1)), "axis");
  const int64_t extent = layer.shape()[static_cast<size_t>(axis)];
  const auto parts = static_cast<int64_t>(layer.source.tops.size());
  Ints points = options.integers("slice_point");
  if (points.empty()) {
    if (extent % parts != 0)
      layer.refuse(fmt::format("{} along axis {} cannot be cut into {} equal parts", extent, axis, parts));
    for (int64_t i = 1; i < parts; ++i) points.push_back(i * extent / parts);
  }
  if (static_cast<int64_t>(points.size()) != parts - 1)
    layer.refuse(fmt::format("{} slice points for {} tops", points.size(), parts));
  points.push_back(extent);
  Results results;
  int64_t begin = 0;
  for (const int64_t end : points) {
    if (end <= begin || end > extent)
      layer.refuse(fmt::format("slice_point {} is outside of {} to {}", end, begin + 1, extent));
    results.push_back(slice(layer, layer.inputs[0], axis, begin, end));
    begin = end;
  }
  return results;
}

Results split(const Layer& layer) {
  layer.require_inputs(1, 1);
  return Results(layer.source.tops.size(), layer.inputs[0]);
}

Results flatten(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("flatten_param");
  const int64_t first = layer.axis(options.integer("axis", 1), "axis"),
                last = layer.axis(options.integer("end_axis", -1), "end_axis");
  const Shape& shape = layer.shape();
  if (last < first) layer.refuse(fmt::format("end_axis {} comes before axis {}", last, first));
  const auto begin = shape.begin() + static_cast<std::ptrdiff_t>(first),
             end = shape.begin() + static_cast<std::ptrdiff_t>(last + 1);
  Shape out(shape.begin(), begin);
  out.push_back(product({begin, end}));
  out.insert(out.end(), end, shape.end());
  return {layer.reshape(layer.inputs[0], std::move(out))};
}

// 0 copies the dimension of the same place, -1 is what is left; axis and num_axes take a part of the shape.
Results reshape(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("reshape_param");
  const Shape& shape = layer.shape();
  const int64_t given = options.integer("axis", 0);
  const int64_t start = layer.axis(given < 0 ? given + layer.rank() + 1 : given, "axis", true);
  const int64_t count = options.integer("num_axes", -1), end = count < 0 ? layer.rank() : start + count;
  if (end > layer.rank())
    layer.refuse(fmt::format("num_axes={} from axis {} on is more than {} has", count, start, to_string(shape)));
  Ints dims = options.message("shape").integers("dim");
  int64_t known = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0) {
      if (start + static_cast<int64_t>(i) >= layer.rank())
        layer.refuse("shape: 0 copies a dimension that the input does not have");
      dims[i] = shape[static_cast<size_t>(start) + i];
    }
    if (dims[i] < -1 || dims[i] > kMostExtent) layer.refuse(fmt::format("shape: got the dimension {}", dims[i]));
    if (dims[i] > 0) known *= dims[i];
  }
  const auto from = shape.begin() + static_cast<std::ptrdiff_t>(start),
             to = shape.begin() + static_cast<std::ptrdiff_t>(end);
  const int64_t total = product({from, to});
  for (int64_t& dim : dims) {
    if (dim != -1) continue;
    if (std::ranges::count(dims, -1) > 1 || known == 0 || total % known != 0)
      layer.refuse(fmt::format("shape: {} elements cannot be brought into it", total));
    dim = total / known;
  }
  Shape out(shape.begin(), from);
  out.insert(out.end(), dims.begin(), dims.end());
  out.insert(out.end(), to, shape.end());
  return {layer.reshape(layer.inputs[0], std::move(out))};
}

// Dimensions that are not named follow in their order.
Results permute(const Layer& layer) {
  layer.require_inputs(1, 1);
  Ints order = layer.options("permute_param").integers("order");
  if (layer.source.type == "Transpose") order = layer.options("transpose_param").integers("dim");
  for (int64_t d = 0; d < layer.rank(); ++d) {
    if (std::ranges::find(order, d) == order.end()) order.push_back(d);
  }
  if (static_cast<int64_t>(order.size()) != layer.rank())
    layer.refuse(
        fmt::format("the order has {} entries that are no permutation of {} dimensions", order.size(), layer.rank()));
  return {layer.add("Transpose", {layer.inputs[0]}, {{"perm", std::move(order)}})};
}

// To the size of the second bottom, from axis on.
Results crop(const Layer& layer) {
  layer.require_inputs(2, 2);
  const Message& options = layer.options("crop_param");
  const int64_t first = layer.axis(options.integer("axis", 2), "axis");
  const Ints offsets = options.integers("offset");
  const Shape& shape = layer.shape();
  const Shape& wanted = layer.shape(1);
  if (wanted.size() != shape.size())
    layer.refuse(fmt::format("{} cannot be cut to {}", to_string(shape), to_string(wanted)));
  Ints starts(shape.size(), 0), ends = shape;
  for (auto d = static_cast<size_t>(first); d < shape.size(); ++d) {
    const size_t n = d - static_cast<size_t>(first);
    if (offsets.size() > 1 && n >= offsets.size())
      layer.refuse(
          fmt::format("{} offsets for {} dimensions", offsets.size(), shape.size() - static_cast<size_t>(first)));
    starts[d] = offsets.empty() ? 0 : offsets[offsets.size() == 1 ? 0 : n];
    ends[d] = starts[d] + wanted[d];
    if (starts[d] < 0 || ends[d] > shape[d])
      layer.refuse(fmt::format("{} to {} is outside of dimension {} of {}", starts[d], ends[d], d, to_string(shape)));
  }
  return {layer.add("Slice", {layer.inputs[0]}, {{"starts", std::move(starts)}, {"ends", std::move(ends)}})};
}

Results tile(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("tile_param");
  Ints repeats(layer.shape().size(), 1);
  repeats[static_cast<size_t>(layer.axis(options.integer("axis", 1), "axis"))] =
      options.integer("tiles", 1, 1, kMostExtent);
  return {layer.add("Tile", {layer.inputs[0]}, {{"repeats", std::move(repeats)}})};
}

// All dimensions from axis on go.
Results reduction(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("reduction_param");
  struct Kind {
    std::string_view name, number, op;
  };
  constexpr Kind kKinds[] = {{"SUM", "1", "ReduceSum"},
                             {"ASUM", "2", "ReduceL1"},
                             {"SUMSQ", "3", "ReduceSumSquare"},
                             {"MEAN", "4", "ReduceMean"}};
  const std::string wanted = options.text("operation", "SUM");
  const auto kind =
      std::ranges::find_if(kKinds, [&](const Kind& row) { return row.name == wanted || row.number == wanted; });
  if (kind == std::end(kKinds))
    layer.refuse(fmt::format("operation: got '{}', expected SUM, ASUM, SUMSQ or MEAN", wanted));
  Ints axes;
  for (int64_t d = layer.axis(options.integer("axis", 0), "axis"); d < layer.rank(); ++d) axes.push_back(d);
  ValueId x = layer.add(kind->op, {layer.inputs[0]}, {{"axes", std::move(axes)}, {"keepdims", int64_t{0}}});
  const double factor = options.number("coeff", 1);
  if (factor != 1) x = layer.add("Mul", {x, layer.scalar("coeff", factor)});
  return {x};
}

// Indices as float32, which is all that a blob of Caffe holds.
Results arg_max(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("argmax_param");
  if (options.integer("top_k", 1) != 1 || options.boolean("out_max_val", false))
    layer.refuse("top_k above 1 and out_max_val are not supported");
  ValueId x = layer.inputs[0];
  const int64_t batch = layer.shape().empty() ? 1 : layer.shape()[0];
  const bool is_flat = !options.has("axis");
  if (is_flat) x = layer.reshape(x, {batch, product(layer.shape()) / std::max<int64_t>(batch, 1)});
  const int64_t axis = is_flat ? 1 : layer.axis(options.integer("axis", 0), "axis");
  x = layer.add("ArgMax", {x}, {{"axis", axis}, {"keepdims", int64_t{1}}});
  x = layer.add("Cast", {x}, {{"to", static_cast<int64_t>(DType::Float32)}});
  return {is_flat ? layer.reshape(x, {batch, 1, 1}) : x};
}

Results reverse(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto axis = static_cast<size_t>(layer.axis(layer.options("reverse_param").integer("axis", 0), "axis"));
  Ints starts(layer.shape().size(), 0), ends = layer.shape(), steps(layer.shape().size(), 1);
  starts[axis] = ends[axis] - 1;
  ends[axis] = -1;
  steps[axis] = -1;
  return {layer.add("Slice", {layer.inputs[0]},
                    {{"starts", std::move(starts)}, {"ends", std::move(ends)}, {"steps", std::move(steps)}})};
}

Results shuffle_channel(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Shape shape = layer.shape();
  const int64_t groups = layer.options("shuffle_channel_param").integer("group", 1, 1, kMostExtent);
  if (shape.size() != 4 || shape[1] % groups != 0)
    layer.refuse(fmt::format("group={} does not divide the channels of {}", groups, to_string(shape)));
  ValueId x = layer.reshape(layer.inputs[0], {shape[0], groups, shape[1] / groups, shape[2] * shape[3]});
  x = layer.add("Transpose", {x}, {{"perm", Ints{0, 2, 1, 3}}});
  return {layer.reshape(x, shape)};
}

constexpr LayerRow kMovementRows[] = {
    {"ArgMax", arg_max},    {"Concat", concat},   {"Crop", crop},
    {"Flatten", flatten},   {"Permute", permute}, {"Reduction", reduction},
    {"Reshape", reshape},   {"Reverse", reverse}, {"ShuffleChannel", shuffle_channel},
    {"Slice", slices},      {"Split", split},     {"Tile", tile},
    {"Transpose", permute},
};

}  // namespace

std::span<const LayerRow> rows_of_movement() { return kMovementRows; }

}  // namespace openrknn::caffe
