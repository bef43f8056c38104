#include "compiler/importers/nhwc_operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace openrknn {
namespace {

using Ints = std::vector<int64_t>;

/// Begins of all dimensions, then ends, as the graph's Pad wants them.
Ints pads_of(const NhwcLayer& layer, Placed x, const Ints& pairs) {
  const auto rank = static_cast<int64_t>(layer.shape_of(x).size());
  if (static_cast<int64_t>(pairs.size()) != 2 * rank)
    layer.refuse(fmt::format("{} numbers of padding for {} dimensions", pairs.size(), rank));
  Ints pads(pairs.size());
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t begin = pairs[static_cast<size_t>(2 * d)], end = pairs[static_cast<size_t>(2 * d + 1)];
    if (begin < 0 || end < 0 || begin > kMostExtent || end > kMostExtent)
      layer.refuse(fmt::format("padding of {} and {}", begin, end));
    pads[static_cast<size_t>(dimension_in(x.form, d))] = begin;
    pads[static_cast<size_t>(dimension_in(x.form, d) + rank)] = end;
  }
  return pads;
}

/// The border itself is repeated, which no Pad of the graph does: slices in reverse are put beside it.
ValueId mirrored_with_border(const NhwcLayer& layer, ValueId x, const Ints& pads) {
  const size_t rank = pads.size() / 2;
  for (size_t d = 0; d < rank; ++d) {
    const Shape shape = layer.builder().shape(x);
    if (pads[d] > shape[d] || pads[d + rank] > shape[d])
      layer.refuse(fmt::format("padding of {} and {} mirrors more than {}", pads[d], pads[d + rank], shape[d]));
    const auto mirrored = [&](int64_t from, int64_t to) {
      Ints starts(rank, 0), ends(shape), steps(rank, 1);
      starts[d] = from;
      ends[d] = to;
      steps[d] = -1;
      return layer.add("Slice", {x}, {{"starts", starts}, {"ends", ends}, {"steps", steps}});
    };
    std::vector<ValueId> parts;
    if (pads[d] > 0) parts.push_back(mirrored(pads[d] - 1, -1));
    parts.push_back(x);
    if (pads[d + rank] > 0) parts.push_back(mirrored(shape[d] - 1, shape[d] - 1 - pads[d + rank]));
    if (parts.size() > 1) x = layer.add("Concat", parts, {{"axis", static_cast<int64_t>(d)}});
  }
  return x;
}

/// Blocks and borders of [N, spatial…, C].
struct Blocks {
  Ints block;
  std::vector<std::pair<int64_t, int64_t>> border;
};
Blocks blocks_of(const NhwcLayer& layer, Placed x, const Ints& block, const Ints& border) {
  const Shape shape = layer.shape_of(x);
  Blocks blocks{.block = block, .border = {}};
  if (shape.size() < 3 || shape.size() > 4 || block.size() != shape.size() - 2 || border.size() != 2 * block.size())
    layer.refuse(fmt::format("{} blocks and {} borders of {}", block.size(), border.size(), to_string(shape)));
  for (size_t i = 0; i < block.size(); ++i) {
    blocks.border.emplace_back(border[2 * i], border[2 * i + 1]);
    if (block[i] < 1 || block[i] > kMostExtent || border[2 * i] < 0 || border[2 * i + 1] < 0 ||
        border[2 * i] > kMostExtent || border[2 * i + 1] > kMostExtent)
      layer.refuse(fmt::format("a block of {} with borders {} and {}", block[i], border[2 * i], border[2 * i + 1]));
  }
  return blocks;
}

}  // namespace

NhwcLayer::Aligned NhwcLayer::align(const std::vector<Placed>& inputs) const {
  Aligned aligned;
  aligned.form = layout_.align(inputs, aligned.operands);
  return aligned;
}

Ints NhwcLayer::whole_numbers(const std::optional<Tensor>& known, std::string_view what) const {
  if (!known) refuse(fmt::format("{} is computed by the model, expected a constant", what));
  if (!is_integer(known->dtype())) refuse(fmt::format("{} is {}, expected integers", what, name(known->dtype())));
  if (known->size() > 64) refuse(fmt::format("{} has {} numbers", what, known->size()));
  return to_ints(*known);
}

int64_t NhwcLayer::whole_number(const std::optional<Tensor>& known, std::string_view what) const {
  const Ints all = whole_numbers(known, what);
  if (all.size() != 1) refuse(fmt::format("{} has {} numbers, expected 1", what, all.size()));
  return all[0];
}

int64_t NhwcLayer::axis(int64_t given, int64_t rank, std::string_view what) const {
  if (const std::optional<int64_t> found = normalize_axis(given, rank)) return *found;
  refuse(fmt::format("{}: got {}, and there are {} dimensions", what, given, rank));
}

void NhwcLayer::refuse(std::string problem, std::string fix) const {
  fail(Code::ImportUnsupportedAttribute, {}, fmt::format("{}: {}", type, problem), std::move(fix));
}

std::pair<int64_t, int64_t> same_padding(const NhwcLayer& layer, int64_t size, Window window) {
  if (window.extent < 1 || window.stride < 1 || window.dilation < 1 || window.extent > kMostExtent ||
      window.stride > kMostExtent || window.dilation > kMostExtent)
    layer.refuse(
        fmt::format("a window of {} in steps of {}, dilated by {}", window.extent, window.stride, window.dilation));
  const int64_t out = (size + window.stride - 1) / window.stride;
  const int64_t total =
      std::max<int64_t>((out - 1) * window.stride + (window.extent - 1) * window.dilation + 1 - size, 0);
  return {total / 2, total - total / 2};
}

Shape resolved_shape(const NhwcLayer& layer, Shape shape, int64_t count) {
  int64_t known = 1, open = -1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == -1 && open < 0) {
      open = static_cast<int64_t>(d);
    } else if (shape[d] < 0 || (shape[d] > 0 && known > (int64_t{1} << 40) / shape[d])) {
      layer.refuse(fmt::format("the shape {} is none", to_string(shape)));
    } else {
      known *= shape[d];
    }
  }
  if (open >= 0) {
    if (known == 0 || count % known != 0)
      layer.refuse(fmt::format("{} elements have no shape {}", count, to_string(shape)));
    shape[static_cast<size_t>(open)] = count / known;
  }
  return shape;
}

Placed expand(const NhwcLayer& layer, Placed x, const Shape& shape) {
  Shape full = layer.shape_of(x);
  if (full.size() > shape.size()) layer.refuse(fmt::format("{} has no shape {}", to_string(full), to_string(shape)));
  for (const int64_t extent : shape)
    if (extent < 0 || extent > (int64_t{1} << 31)) layer.refuse(fmt::format("the shape {} is none", to_string(shape)));
  ValueId source = layer.layout().source(x);
  if (full.size() < shape.size()) {
    full.insert(full.begin(), shape.size() - full.size(), 1);
    source = layer.beside_reshape(source, full);
  }
  return {layer.add("Expand", {source}, {{"shape", shape}}), ImageForm::Source};
}

Placed pad(const NhwcLayer& layer, Placed x, const Ints& pairs, double value) {
  return {layer.add("Pad", {x.id}, {{"pads", pads_of(layer, x, pairs)}, {"value", value}}), x.form};
}

Placed mirror_pad(const NhwcLayer& layer, Placed x, const Ints& pairs, bool repeats_border) {
  const Ints pads = pads_of(layer, x, pairs);
  if (repeats_border) return {mirrored_with_border(layer, x.id, pads), x.form};
  return {layer.add("Pad", {x.id}, {{"pads", pads}, {"mode", std::string("reflect")}}), x.form};
}

Placed reduce(const NhwcLayer& layer, std::string_view op, Placed x, const Ints& given, bool keeps) {
  const Shape shape = layer.shape_of(x);
  std::vector<bool> goes(shape.size(), false);
  for (const int64_t axis : given)
    goes[static_cast<size_t>(layer.axis(axis, static_cast<int64_t>(shape.size())))] = true;
  Ints axes;
  Shape kept;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (goes[d]) axes.push_back(dimension_in(x.form, static_cast<int64_t>(d)));
    if (!goes[d] || keeps) kept.push_back(goes[d] ? 1 : shape[d]);
  }
  if (axes.empty()) return x;
  std::ranges::sort(axes);
  const bool is_spatial = x.form == ImageForm::ChannelsFirst && axes == Ints{2, 3} && op == "ReduceMean" &&
                          is_floating(layer.builder().graph[x.id].dtype);
  const ValueId y = is_spatial ? layer.add("GlobalAveragePool", {x.id})
                               : layer.add(op, {x.id}, {{"axes", axes}, {"keepdims", int64_t{1}}});
  if (keeps) return {y, x.form};
  // Dimensions of 1 move for free; the source's order is that of what is left.
  return {layer.reshape(layer.layout().source({y, x.form}), kept), ImageForm::Source};
}

Placed resize(const NhwcLayer& layer, Placed image, const Ints& size, std::string_view mode, bool align_corners,
              bool half_pixel_centers) {
  const Shape x = layer.shape_of(image);
  if (x.size() != 4) layer.refuse(fmt::format("the input is {}, expected 4 dimensions", to_string(x)));
  if (size.size() != 2 || size[0] < 1 || size[1] < 1 || size[0] > kMostExtent || size[1] > kMostExtent)
    layer.refuse("the size is none of an image");
  Attributes attributes{{"sizes", Ints{x[0], x[3], size[0], size[1]}},
                        {"mode", std::string(mode)},
                        {"coordinate_transformation_mode", std::string(align_corners        ? "align_corners"
                                                                       : half_pixel_centers ? "half_pixel"
                                                                                            : "asymmetric")}};
  // Nearest: floor(i * scale), of half pixels floor((i + 0.5) * scale), of aligned corners round away from zero.
  if (mode == "nearest")
    attributes.emplace("nearest_mode",
                       std::string(align_corners || half_pixel_centers ? "round_prefer_ceil" : "floor"));
  // Keys' cubic (a = -0.5, nothing from beyond the border) of half pixels, the older one with a = -0.75 otherwise.
  if (mode == "cubic" && half_pixel_centers) {
    attributes.emplace("cubic_coeff_a", -0.5);
    attributes.emplace("exclude_outside", int64_t{1});
  }
  return {layer.add("Resize", {layer.layout().channels_first(image)}, std::move(attributes)), ImageForm::ChannelsFirst};
}

// Pad, then every pixel of a block becomes an image of its own: [N, H/b, b, W/b, b, C] to [b, b, N, H/b, W/b, C].
Placed space_to_batch(const NhwcLayer& layer, Placed image, const Ints& block, const Ints& borders) {
  const Blocks blocks = blocks_of(layer, image, block, borders);
  const size_t m = blocks.block.size(), rank = m + 2;
  Ints pads(2 * rank, 0);
  Shape x = layer.shape_of(image);
  int64_t area = 1;
  for (size_t i = 0; i < m; ++i) {
    pads[1 + i] = blocks.border[i].first;
    pads[1 + i + rank] = blocks.border[i].second;
    x[1 + i] += blocks.border[i].first + blocks.border[i].second;
    if (x[1 + i] % blocks.block[i] != 0)
      layer.refuse(fmt::format("a block of {} does not divide {}", blocks.block[i], x[1 + i]));
    area *= blocks.block[i];
  }
  ValueId y = layer.add("Pad", {layer.layout().source(image)}, {{"pads", pads}});
  Shape apart{x[0]}, result{x[0] * area};
  Ints perm;
  for (size_t i = 0; i < m; ++i) {
    apart.insert(apart.end(), {x[1 + i] / blocks.block[i], blocks.block[i]});
    result.push_back(x[1 + i] / blocks.block[i]);
    perm.push_back(static_cast<int64_t>(2 * i + 2));
  }
  perm.push_back(0);
  for (size_t i = 0; i < m; ++i) perm.push_back(static_cast<int64_t>(2 * i + 1));
  perm.push_back(static_cast<int64_t>(2 * m + 1));
  apart.push_back(x.back());
  result.push_back(x.back());
  y = layer.add("Transpose", {layer.reshape(y, apart)}, {{"perm", perm}});
  y = layer.reshape(y, result);
  layer.layout().blocks.emplace(layer.builder().graph[y].producer, ImageLayout::SpaceToBatch{image, block, borders});
  return {y, ImageForm::Source};
}

/// SpaceToBatch, a convolution, BatchToSpace are a dilated convolution; its borders are what padding leaves of crops.
std::optional<Placed> dilated_convolution(const NhwcLayer& layer, Placed image, const Ints& block, const Ints& crops) {
  const Graph& graph = layer.builder().graph;
  const NodeId conv = graph[image.id].producer;
  if (conv == NodeId::None || graph[conv].op != "Conv" || image.form != ImageForm::ChannelsFirst) return std::nullopt;
  const NodeId transpose = graph[graph[conv].inputs[0]].producer;
  if (transpose == NodeId::None || graph[transpose].op != "Transpose") return std::nullopt;
  const auto found = layer.layout().blocks.find(graph[graph[transpose].inputs[0]].producer);
  if (found == layer.layout().blocks.end() || found->second.block != block || block.size() != 2) return std::nullopt;
  Attributes attributes = graph[conv].attributes;
  const auto all_are = [&](const char* key, int64_t number) {
    return std::ranges::all_of(ints_attribute(attributes, key), [&](int64_t each) { return each == number; });
  };
  if (!all_are("strides", 1) || !all_are("dilations", 1) || !all_are("pads", 0)) return std::nullopt;
  Ints pads;
  for (const size_t i : {0, 2, 1, 3}) pads.push_back(found->second.borders[i] - crops[i]);
  if (std::ranges::any_of(pads, [](int64_t pad) { return pad < 0; })) return std::nullopt;
  attributes["dilations"] = block;
  attributes["pads"] = pads;
  std::vector<ValueId> operands = graph[conv].inputs;
  operands[0] = layer.layout().channels_first(found->second.image);
  return Placed{layer.add("Conv", std::move(operands), std::move(attributes)), ImageForm::ChannelsFirst};
}

Placed batch_to_space(const NhwcLayer& layer, Placed image, const Ints& block, const Ints& borders) {
  const Blocks blocks = blocks_of(layer, image, block, borders);
  if (const std::optional<Placed> dilated = dilated_convolution(layer, image, block, borders)) return *dilated;
  const size_t m = blocks.block.size();
  const Shape x = layer.shape_of(image);
  int64_t area = 1;
  for (const int64_t extent : blocks.block) area *= extent;
  if (x[0] % area != 0) layer.refuse(fmt::format("blocks of {} do not divide {}", area, x[0]));
  Shape apart(blocks.block), whole{x[0] / area};
  apart.push_back(x[0] / area);
  Ints perm{static_cast<int64_t>(m)}, starts{0}, ends{x[0] / area};
  for (size_t i = 0; i < m; ++i) {
    apart.push_back(x[1 + i]);
    whole.push_back(x[1 + i] * blocks.block[i]);
    perm.insert(perm.end(), {static_cast<int64_t>(m + 1 + i), static_cast<int64_t>(i)});
    starts.push_back(blocks.border[i].first);
    ends.push_back(whole.back() - blocks.border[i].second);
    if (starts.back() >= ends.back()) layer.refuse("its borders leave nothing");
  }
  apart.push_back(x.back());
  whole.push_back(x.back());
  perm.push_back(static_cast<int64_t>(2 * m + 1));
  starts.push_back(0);
  ends.push_back(x.back());
  ValueId y = layer.add("Transpose", {layer.reshape(layer.layout().source(image), apart)}, {{"perm", perm}});
  y = layer.reshape(y, whole);
  return {layer.add("Slice", {y}, {{"starts", starts}, {"ends", ends}}), ImageForm::Source};
}

Placed transpose(const NhwcLayer& layer, Placed x, Ints perm) {
  for (int64_t& d : perm) d = layer.axis(d, static_cast<int64_t>(layer.shape_of(x).size()));
  return {layer.add("Transpose", {layer.layout().source(x)}, {{"perm", std::move(perm)}}), ImageForm::Source};
}

Placed squeeze(const NhwcLayer& layer, Placed x, const Ints& dimensions) {
  const Shape shape = layer.shape_of(x);
  std::vector<bool> goes(shape.size(), false);
  for (const int64_t d : dimensions)
    goes[static_cast<size_t>(layer.axis(d, static_cast<int64_t>(shape.size())))] = true;
  Shape kept;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (dimensions.empty()) goes[d] = shape[d] == 1;
    if (!goes[d]) kept.push_back(shape[d]);
    if (goes[d] && shape[d] != 1) layer.refuse(fmt::format("dimension {} of {} is not 1", d, to_string(shape)));
  }
  return {layer.reshape(layer.layout().source(x), kept), ImageForm::Source};
}

Placed unsqueeze(const NhwcLayer& layer, Placed x, int64_t axis) {
  Shape shape = layer.shape_of(x);
  shape.insert(shape.begin() + layer.axis(axis, static_cast<int64_t>(shape.size()) + 1), 1);
  return {layer.reshape(layer.layout().source(x), shape), ImageForm::Source};
}

Placed add_all(const NhwcLayer& layer, const std::vector<Placed>& inputs) {
  if (inputs.empty()) layer.refuse("it has no inputs");
  const NhwcLayer::Aligned all = layer.align(inputs);
  ValueId sum = all.operands.front();
  for (size_t i = 1; i < all.operands.size(); ++i) sum = layer.add("Add", {sum, all.operands[i]});
  return {sum, all.form};
}

Placed not_equal(const NhwcLayer& layer, const std::vector<Placed>& inputs) {
  const NhwcLayer::Aligned both = layer.align(inputs);
  return {layer.add("Not", {layer.add("Equal", both.operands)}), both.form};
}

Placed squared_difference(const NhwcLayer& layer, const std::vector<Placed>& inputs) {
  const NhwcLayer::Aligned both = layer.align(inputs);
  const ValueId difference = layer.add("Sub", both.operands);
  return {layer.add("Mul", {difference, difference}), both.form};
}

Placed select(const NhwcLayer& layer, const std::vector<Placed>& inputs, bool may_choose_rows) {
  const Shape condition = layer.shape_of(inputs[0]);
  const size_t rank = layer.shape_of(inputs[1]).size();
  if (may_choose_rows && condition.size() == 1 && rank > 1) {
    Shape column(rank, 1);
    column[0] = condition[0];
    const ValueId rows = layer.beside_reshape(layer.layout().source(inputs[0]), column);
    return {layer.add("Where", {rows, layer.layout().source(inputs[1]), layer.layout().source(inputs[2])}),
            ImageForm::Source};
  }
  const NhwcLayer::Aligned all = layer.align(inputs);
  return {layer.add("Where", all.operands), all.form};
}

Placed reduce_truth(const NhwcLayer& layer, std::string_view op, Placed x, const Ints& axes, bool keeps) {
  const Placed found = reduce(layer, op, {layer.cast_to(DType::Int32, x.id), x.form}, axes, keeps);
  return {layer.cast_to(DType::Bool, found.id), found.form};
}

// Of integers: (x - mod(x, y)) / y, where division truncates and there is nothing left to.
Placed floor_divide(const NhwcLayer& layer, ImageForm form, const std::vector<ValueId>& x) {
  if (is_floating(layer.builder().graph[x[0]].dtype)) return {layer.add("Floor", {layer.add("Div", x)}), form};
  const ValueId whole = layer.add("Sub", {x[0], layer.add("Mod", x)});
  return {layer.add("Div", {whole, x[1]}), form};
}

Placed softmax(const NhwcLayer& layer, std::string_view op, Placed x) {
  const auto rank = static_cast<int64_t>(layer.shape_of(x).size());
  if (rank < 1) layer.refuse("the input has no dimensions");
  return {layer.add(op, {x.id}, {{"axis", dimension_in(x.form, rank - 1)}}), x.form};
}

}  // namespace openrknn
