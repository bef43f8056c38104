// Ops that move elements and never change them.
#include <fmt/format.h>

#include <algorithm>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kShape[] = {{"shape", AttributeType::Ints, true, "shape of the output, every extent resolved"}};
constexpr AttributeSpec kPerm[] = {
    {"perm", AttributeType::Ints, true, "output dimension i is input dimension perm[i]"}};
constexpr AttributeSpec kSplit[] = {
    {"axis", AttributeType::Int, true, "0..rank-1"},
    {"split", AttributeType::Ints, true, "extent of each output along axis"},
};
constexpr AttributeSpec kSlice[] = {
    {"starts", AttributeType::Ints, true, "first index per dimension, 0..extent"},
    {"ends", AttributeType::Ints, true,
     "index after the last per dimension; -1 with a negative step: to the beginning"},
    {"steps", AttributeType::Ints, false, "per dimension, not 0; default: 1"},
};
constexpr AttributeSpec kPad[] = {
    {"pads", AttributeType::Ints, true,
     "elements added at the begin of each dimension, then at the end; negative: removed"},
    {"mode", AttributeType::String, false, "constant (default), reflect, edge or wrap"},
    {"value", AttributeType::Float, false, "what constant padding holds; default: 0"},
};
constexpr AttributeSpec kRepeats[] = {{"repeats", AttributeType::Ints, true, "copies per dimension"}};

void infer_reshape(Inference& inference) {
  const Shape& x = inference.shape(0);
  const Shape out = ints_attribute(inference.attributes(), "shape");
  if (!is_static(out)) {
    inference.fail(fmt::format("attribute 'shape' is {}, expected resolved extents", to_string(out)));
  }
  if (is_static(x) && element_count(x) != element_count(out)) {
    inference.fail(fmt::format("cannot reshape {} ({} elements) to {} ({} elements)", to_string(x), element_count(x),
                               to_string(out), element_count(out)));
  }
  inference.set(0, inference.dtype(0), out);
}

void infer_transpose(Inference& inference) {
  const Shape& x = inference.shape(0);
  const std::vector<int64_t> perm = ints_attribute(inference.attributes(), "perm");
  std::vector<bool> seen(x.size());
  Shape out;
  for (const int64_t d : perm) {
    if (d < 0 || d >= static_cast<int64_t>(x.size()) || seen[static_cast<size_t>(d)]) break;
    seen[static_cast<size_t>(d)] = true;
    out.push_back(x[static_cast<size_t>(d)]);
  }
  if (out.size() != x.size() || perm.size() != x.size()) {
    inference.fail(fmt::format("perm is {}, expected a permutation of the {} dimensions of {}", to_string(perm),
                               x.size(), to_string(x)));
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_concat(Inference& inference) {
  Shape out = inference.shape(0);
  const size_t axis = static_cast<size_t>(axis_of(inference, "axis", 0, static_cast<int64_t>(out.size())));
  for (size_t i = 1; i < inference.input_count(); ++i) {
    if (!inference.has(i)) inference.fail(fmt::format("input {} of Concat is left out, expected a value", i));
    require_equal_types(inference, 0, i);
    const Shape& shape = inference.shape(i);
    bool same = shape.size() == out.size();
    for (size_t d = 0; same && d < out.size(); ++d) same = d == axis || fits(shape[d], out[d]);
    if (!same) {
      inference.fail(fmt::format("input {} has shape {}, expected that of input 0, {}, except along axis {}", i,
                                 to_string(shape), to_string(inference.shape(0)), axis));
    }
    out[axis] = out[axis] < 0 || shape[axis] < 0 ? -1 : out[axis] + shape[axis];
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_split(Inference& inference) {
  const Shape& x = inference.shape(0);
  const size_t axis = static_cast<size_t>(axis_of(inference, "axis", 0, static_cast<int64_t>(x.size())));
  const std::vector<int64_t> sizes = list_of(inference, "split", inference.outputs.size(), 0, 0);
  int64_t total = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    total += sizes[i];
    Shape out = x;
    out[axis] = sizes[i];
    inference.set(i, inference.dtype(0), std::move(out));
  }
  if (!fits(x[axis], total)) {
    inference.fail(fmt::format("split is {} and adds up to {}, expected {} (axis {} of {})", to_string(sizes), total,
                               x[axis], axis, to_string(x)));
  }
}

void infer_slice(Inference& inference) {
  const Shape& x = inference.shape(0);
  constexpr int64_t kLowest = -kLargestParameter;
  const std::vector<int64_t> starts = list_of(inference, "starts", x.size(), 0, 0);
  const std::vector<int64_t> ends = list_of(inference, "ends", x.size(), 0, -1);
  const std::vector<int64_t> steps = list_of(inference, "steps", x.size(), 1, kLowest);
  Shape out;
  for (size_t d = 0; d < x.size(); ++d) {
    if (steps[d] == 0) inference.fail(fmt::format("the step of dimension {} is 0, expected another number", d));
    const bool forward = steps[d] > 0;
    const bool inside =
        x[d] < 0 || (forward ? starts[d] <= x[d] && ends[d] >= 0 && ends[d] <= x[d]
                             : starts[d] <= std::max<int64_t>(x[d] - 1, 0) && ends[d] < std::max<int64_t>(x[d], 1));
    if (!inside) {
      inference.fail(
          fmt::format("start {} and end {} with step {} lie outside dimension {} of {}, expected clamped indices",
                      starts[d], ends[d], steps[d], d, to_string(x)));
    }
    const int64_t room = forward ? ends[d] - starts[d] : starts[d] - ends[d];
    const int64_t step = std::abs(steps[d]);
    out.push_back(room <= 0 || x[d] == 0 ? 0 : (room + step - 1) / step);
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_pad(Inference& inference) {
  const Shape& x = inference.shape(0);
  const std::string mode = choice_of(inference, "mode", {"constant", "reflect", "edge", "wrap"});
  const std::vector<int64_t> pads = list_of(inference, "pads", 2 * x.size(), 0, -kLargestParameter);
  Shape out;
  for (size_t d = 0; d < x.size(); ++d) {
    const int64_t begin = pads[d], end = pads[d + x.size()];
    if (x[d] < 0) {
      out.push_back(-1);
      continue;
    }
    // Reflection does not repeat the border element, so that it can give extent - 1 elements a side.
    const int64_t added = std::max(begin, end);
    if (mode != "constant" && added > 0 && (x[d] == 0 || (mode == "reflect" && added > x[d] - 1))) {
      inference.fail(fmt::format("pads {} and {} of dimension {} are more than mode {} can take from extent {}", begin,
                                 end, d, mode, x[d]));
    }
    if (x[d] + begin + end < 0) {
      inference.fail(
          fmt::format("pads {} and {} remove more than dimension {} of {} has", begin, end, d, to_string(x)));
    }
    out.push_back(x[d] + begin + end);
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_expand(Inference& inference) {
  const Shape& x = inference.shape(0);
  const Shape shape = ints_attribute(inference.attributes(), "shape");
  bool possible = is_static(shape) && shape.size() == x.size();
  for (size_t d = 0; possible && d < x.size(); ++d) possible = x[d] == 1 || fits(x[d], shape[d]);
  if (!possible) {
    inference.fail(fmt::format("cannot expand {} to {}, expected the same rank and only extents 1 to change",
                               to_string(x), to_string(shape)));
  }
  inference.set(0, inference.dtype(0), shape);
}

void infer_tile(Inference& inference) {
  const Shape& x = inference.shape(0);
  const std::vector<int64_t> repeats = list_of(inference, "repeats", x.size(), 1, 0);
  Shape out;
  for (size_t d = 0; d < x.size(); ++d) {
    if (x[d] > 0 && repeats[d] > (int64_t{1} << 40) / x[d]) {
      inference.fail(fmt::format("{} copies of dimension {} of {} are too many", repeats[d], d, to_string(x)));
    }
    out.push_back(x[d] < 0 ? -1 : x[d] * repeats[d]);
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

const OpSchema kMovementSchemas[] = {
    {.name = "Reshape",
     .attributes = kShape,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_reshape,
     .summary = "The same elements in logical order under another shape."},
    {.name = "Transpose",
     .attributes = kPerm,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "perm:permutation",
     .quant = QuantRule::Same,
     .infer = infer_transpose,
     .summary = "Dimensions in another order."},
    {.name = "Concat",
     .attributes = kAxis,
     .inputs = {1, kMany},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .data_inputs = ~0u,
     .dimension_attributes = "axis:one",
     .quant = QuantRule::Unify,
     .infer = infer_concat,
     .summary = "Inputs one after the other along axis."},
    {.name = "Split",
     .attributes = kSplit,
     .inputs = {1, 1},
     .outputs = {1, kMany},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "axis:one",
     .quant = QuantRule::Same,
     .infer = infer_split,
     .summary = "Consecutive parts along axis, one output each."},
    {.name = "Slice",
     .attributes = kSlice,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "starts:per dimension,ends:per dimension,steps:per dimension",
     .quant = QuantRule::Same,
     .infer = infer_slice,
     .summary = "Every step-th element from start up to end, per dimension."},
    {.name = "Pad",
     .attributes = kPad,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "pads:begin-end per dimension",
     .quant = QuantRule::Same,
     .infer = infer_pad,
     .summary = "Elements added around (or removed from) each dimension."},
    {.name = "Expand",
     .attributes = kShape,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "shape:per dimension",
     .quant = QuantRule::Same,
     .infer = infer_expand,
     .summary = "Dimensions of extent 1 repeated up to shape."},
    {.name = "Tile",
     .attributes = kRepeats,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "repeats:per dimension",
     .quant = QuantRule::Same,
     .infer = infer_tile,
     .summary = "The whole tensor repeated per dimension."},
};

}  // namespace

std::span<const OpSchema> movement() { return kMovementSchemas; }

}  // namespace openrknn::schemas
