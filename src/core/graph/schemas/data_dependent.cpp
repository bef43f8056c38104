// Ops whose output extents depend on data: -1 where only a run can tell. NonZero … NonMaxSuppression, and the forms of
// Reshape, Slice, Expand and Tile whose parameters are inputs.
#include <fmt/format.h>

#include <algorithm>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kCompress[] = {
    {"axis", AttributeType::Int, false, "0..rank-1; absent: elements of x in logical order"}};
constexpr AttributeSpec kUnique[] = {
    {"axis", AttributeType::Int, false, "0..rank-1: slices along it; absent: elements of x in logical order"},
    {"sorted", AttributeType::Int, false, "1 (default): ascending; 0: in order of first occurrence"},
};
constexpr AttributeSpec kNonMaxSuppression[] = {
    {"center_point_box", AttributeType::Int, false,
     "0 (default): boxes are two opposite corners [y1, x1, y2, x2]; 1: [x centre, y centre, width, height]"}};
constexpr AttributeSpec kDynamicTopK[] = {
    {"axis", AttributeType::Int, true, "searched dimension, 0..rank-1"},
    {"largest", AttributeType::Int, false, "1 (default): the largest, 0: the smallest"},
};
constexpr AttributeSpec kReshape[] = {
    {"allowzero", AttributeType::Int, false, "1: an extent of 0 means 0; 0 (default): the input's extent"}};

void infer_non_zero(Inference& inference) {
  inference.set(0, DType::Int64, {static_cast<int64_t>(inference.shape(0).size()), -1});
}

void infer_compress(Inference& inference) {
  require_dtype(inference, 1, DType::Bool);
  require_rank(inference, 1, 1, 1);
  Shape out = {-1};
  if (has_attribute(inference.attributes(), "axis")) {
    out = inference.shape(0);
    out[static_cast<size_t>(axis_of(inference, "axis", 0, static_cast<int64_t>(out.size())))] = -1;
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_unique(Inference& inference) {
  flag_of(inference, "sorted", true);
  const Shape& x = inference.shape(0);
  Shape out = {-1};
  int64_t count = is_static(x) ? element_count(x) : -1;
  if (has_attribute(inference.attributes(), "axis")) {
    const auto axis = static_cast<size_t>(axis_of(inference, "axis", 0, static_cast<int64_t>(x.size())));
    out = x;
    out[axis] = -1;
    count = x[axis];
  }
  inference.set(0, inference.dtype(0), std::move(out));
  inference.set(1, DType::Int64, {-1});
  inference.set(2, DType::Int64, {count});
  inference.set(3, DType::Int64, {-1});
}

/// A parameter of one element, if it is there.
void require_number(const Inference& inference, size_t input, DType dtype, std::string_view what) {
  if (!inference.has(input)) return;
  require_dtype(inference, input, dtype);
  const Shape& shape = inference.shape(input);
  if (!is_static(shape) || element_count(shape) == 1) return;
  inference.fail(fmt::format("{} has shape {}, expected one number", what, to_string(shape)));
}

void infer_non_max_suppression(Inference& inference) {
  flag_of(inference, "center_point_box", false);
  require_dtype(inference, 0, DType::Float32);
  require_dtype(inference, 1, DType::Float32);
  const Shape &boxes = inference.shape(0), &scores = inference.shape(1);
  if (boxes.size() != 3 || scores.size() != 3 || !fits(boxes[2], 4) || !fits(boxes[0], scores[0]) ||
      !fits(boxes[1], scores[2])) {
    inference.fail(
        fmt::format("boxes have shape {} and scores {}, expected [batch, boxes, 4] and [batch, classes, boxes]",
                    to_string(boxes), to_string(scores)));
  }
  require_number(inference, 2, DType::Int64, "max_output_boxes_per_class");
  require_number(inference, 3, DType::Float32, "iou_threshold");
  require_number(inference, 4, DType::Float32, "score_threshold");
  inference.set(0, DType::Int64, {-1, 3});
}

/// The extent of a 1-D list of extents or indices; -1 if not even that is known.
int64_t list_extent(const Inference& inference, size_t input, std::string_view what) {
  require_index(inference, input);
  require_rank(inference, input, 1, 1);
  const int64_t extent = inference.shape(input)[0];
  if (extent > kLargestRank) {
    inference.fail(fmt::format("{} has {} entries, expected at most {}", what, extent, kLargestRank));
  }
  return extent;
}

int64_t known_list_extent(const Inference& inference, size_t input, std::string_view what) {
  const int64_t extent = list_extent(inference, input, what);
  if (extent < 0) {
    inference.fail(fmt::format("the length of {} depends on data, so that the rank of the output is unknown", what),
                   "end the graph before this node");
  }
  return extent;
}

void infer_dynamic_reshape(Inference& inference) {
  const bool allow_zero = flag_of(inference, "allowzero", false);
  const Shape& x = inference.shape(0);
  Shape out(static_cast<size_t>(known_list_extent(inference, 1, "the new shape")), -1);
  const Tensor* asked = inference.constant(1);
  if (asked != nullptr) {
    out = to_ints(*asked);
    if (std::any_of(out.begin(), out.end(), [](int64_t extent) { return extent < -1; }) ||
        std::count(out.begin(), out.end(), -1) > 1) {
      inference.fail(fmt::format("the new shape is {}, expected extents and at most one -1", to_string(out)));
    }
    for (size_t d = 0; d < out.size() && !allow_zero; ++d) {
      if (out[d] == 0 && d < x.size()) out[d] = x[d];
    }
    const auto open = std::find(out.begin(), out.end(), -1);
    if (is_static(x) && open != out.end()) {
      *open = 1;
      const int64_t known = element_count(out), count = element_count(x);
      *open = known > 0 && count % known == 0 ? count / known : known == 0 && count == 0 ? 0 : -2;
      if (*open == -2) {
        inference.fail(
            fmt::format("cannot reshape {} ({} elements) to {}", to_string(x), count, to_string(to_ints(*asked))));
      }
    }
    if (is_static(x) && is_static(out) && element_count(x) != element_count(out)) {
      inference.fail(fmt::format("cannot reshape {} to {}: {} elements are not {}", to_string(x), to_string(out),
                                 element_count(x), element_count(out)));
    }
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

/// The extent of one sliced dimension, if its bounds are known; the run computes it again (resolve_slice).
int64_t sliced_extent(int64_t extent, int64_t start, int64_t end, int64_t step) {
  if (extent < 0 || step == 0) return -1;
  const auto clamp = [&](int64_t index, int64_t low, int64_t high) {
    return std::clamp(index < 0 && index >= -extent ? index + extent : index < 0 ? low : index, low, high);
  };
  const int64_t last = std::max<int64_t>(extent - 1, 0), longest = std::max<int64_t>(extent, 1);
  const int64_t from = step > 0 ? clamp(start, 0, extent) : clamp(start, 0, last);
  const int64_t to = step > 0 ? clamp(end, 0, extent) : clamp(end, -1, last);
  const int64_t room = extent == 0 ? 0 : step > 0 ? to - from : from - to;
  const int64_t stride = std::abs(std::clamp<int64_t>(step, -longest, longest));
  return std::max<int64_t>(room + stride - 1, 0) / stride;
}

void infer_dynamic_slice(Inference& inference) {
  Shape out = inference.shape(0);
  const int64_t rank = static_cast<int64_t>(out.size());
  for (size_t i = 1; i < 5; ++i) {
    if (inference.has(i) && !fits(list_extent(inference, i, "the list of bounds"), inference.shape(1)[0])) {
      inference.fail(fmt::format("starts, ends, axes and steps differ in length: input {} has shape {}, starts {}", i,
                                 to_string(inference.shape(i)), to_string(inference.shape(1))));
    }
  }
  const Tensor *axes = inference.constant(3), *starts = inference.constant(1), *ends = inference.constant(2);
  const Tensor* steps = inference.constant(4);
  const bool bounds_known = starts != nullptr && ends != nullptr && (steps != nullptr || !inference.has(4));
  if (axes != nullptr) {
    const std::vector<int64_t> list = to_ints(*axes);
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i] < -rank || list[i] >= rank) {
        inference.fail(fmt::format("axes name dimension {} of {}", list[i], to_string(inference.shape(0))));
      }
      int64_t& extent = out[static_cast<size_t>(list[i] < 0 ? list[i] + rank : list[i])];
      extent = !bounds_known ? -1
                             : sliced_extent(extent, to_ints(*starts)[i], to_ints(*ends)[i],
                                             steps != nullptr ? to_ints(*steps)[i] : 1);
    }
  } else {
    const int64_t sliced = inference.has(3) || inference.shape(1)[0] < 0 ? rank : inference.shape(1)[0];
    for (int64_t d = 0; d < std::min(sliced, rank); ++d) out[static_cast<size_t>(d)] = -1;
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_dynamic_expand(Inference& inference) {
  const Shape asked(static_cast<size_t>(known_list_extent(inference, 1, "the new shape")), -1);
  const Tensor* content = inference.constant(1);
  if (content != nullptr && !is_static(to_ints(*content))) {
    inference.fail(fmt::format("the new shape is {}, expected extents", to_string(to_ints(*content))));
  }
  inference.set(0, inference.dtype(0),
                broadcast_shapes(inference, inference.shape(0), content != nullptr ? to_ints(*content) : asked));
}

void infer_dynamic_tile(Inference& inference) {
  const int64_t entries = list_extent(inference, 1, "repeats");
  if (!fits(entries, static_cast<int64_t>(inference.shape(0).size()))) {
    inference.fail(fmt::format("repeats has {} entries for shape {}", entries, to_string(inference.shape(0))));
  }
  inference.set(0, inference.dtype(0), Shape(inference.shape(0).size(), -1));
}

void infer_dynamic_top_k(Inference& inference) {
  Shape out = inference.shape(0);
  const auto axis = static_cast<size_t>(axis_of(inference, "axis", 0, static_cast<int64_t>(out.size())));
  flag_of(inference, "largest", true);
  require_number(inference, 1, DType::Int64, "k");
  out[axis] = inference.constant(1) != nullptr ? std::max<int64_t>(to_ints(*inference.constant(1))[0], -1) : -1;
  inference.set(0, inference.dtype(0), out);
  inference.set(1, DType::Int64, std::move(out));
}

const OpSchema kDataDependentSchemas[] = {
    {.name = "NonZero",
     .inputs = {1, 1},
     .outputs = {1, 1},
     .quant = QuantRule::Index,
     .infer = infer_non_zero,
     .summary = "Indices of the elements that are not zero, one column each, in logical order."},
    {.name = "Compress",
     .attributes = kCompress,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .quant = QuantRule::Same,
     .infer = infer_compress,
     .summary = "The slices of x along axis at which condition holds; a shorter condition ends with false."},
    {.name = "Unique",
     .attributes = kUnique,
     .inputs = {1, 1},
     .outputs = {1, 4},
     .quant = QuantRule::Same,
     .infer = infer_unique,
     .summary = "Distinct elements or slices; where each first occurs, which one each element is, and how often."},
    {.name = "NonMaxSuppression",
     .attributes = kNonMaxSuppression,
     .inputs = {2, 5},
     .outputs = {1, 1},
     .quant = QuantRule::Float,
     .infer = infer_non_max_suppression,
     .summary = "[batch, class, box] of the boxes kept; inputs boxes, scores, max_output_boxes_per_class?, "
                "iou_threshold?, score_threshold?."},
    {.name = "DynamicReshape",
     .attributes = kReshape,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .quant = QuantRule::Same,
     .infer = infer_dynamic_reshape,
     .summary = "Reshape to a shape that is an input (one extent may be -1)."},
    {.name = "DynamicSlice",
     .inputs = {3, 5},
     .outputs = {1, 1},
     .quant = QuantRule::Same,
     .infer = infer_dynamic_slice,
     .summary = "Slice whose starts, ends, axes? and steps? are inputs, clamped as in ONNX."},
    {.name = "DynamicExpand",
     .inputs = {2, 2},
     .outputs = {1, 1},
     .quant = QuantRule::Same,
     .infer = infer_dynamic_expand,
     .summary = "x broadcast with a shape that is an input."},
    {.name = "DynamicTile",
     .inputs = {2, 2},
     .outputs = {1, 1},
     .quant = QuantRule::Same,
     .infer = infer_dynamic_tile,
     .summary = "Tile whose repeats are an input."},
    {.name = "DynamicTopK",
     .attributes = kDynamicTopK,
     .inputs = {2, 2},
     .outputs = {2, 2},
     .quant = QuantRule::Same,
     .infer = infer_dynamic_top_k,
     .summary = "TopK whose k is an input."},
};

}  // namespace

std::span<const OpSchema> data_dependent() { return kDataDependentSchemas; }

}  // namespace openrknn::schemas
