// Operators along axes: which ones the NPU reduces, cuts or multiplies along.
#include <fmt/format.h>

#include <algorithm>

#include "core/targets/operator_limits.h"

namespace openrknn {
namespace {

/// Where an axis of the node's first input stands among four.
int64_t axis_of_four(const Shape& shape, int64_t axis) {
  return std::ssize(shape) > 4 ? axis : axis + 4 - std::ssize(shape);
}

}  // namespace

void check_softmax(LimitQuery& query) {
  const Shape& shape = query.input(0).shape;
  const int64_t axis = axis_of_four(shape, int_attribute(query.node.attributes, "axis", -1));
  if (axis != 1 && axis != 3) {
    query.exceed("axis", fmt::format("{} of {}", axis, to_string(four_dimensions(shape))), "1 or 3",
                 "put a Transpose on both sides");
  }
  if (query.family == Family::Rk2118) {
    const Shape four = four_dimensions(shape);
    query.require_range(axis == 3 ? "width" : "channels", four[static_cast<size_t>(axis == 3 ? 3 : 1)], 1,
                        kLargestExtent);
  }
}

void check_spatial_reduction(LimitQuery& query) {
  const Shape& shape = query.input(0).shape;
  std::vector<int64_t> axes = ints_attribute(query.node.attributes, "axes");
  for (int64_t& axis : axes) axis = axis_of_four(shape, axis);
  std::ranges::sort(axes);
  const Shape four = four_dimensions(shape);
  const bool fits = std::ranges::all_of(axes, [&](int64_t axis) {
    return axis == 2 || axis == 3 || (axis >= 0 && axis < std::ssize(four) && four[static_cast<size_t>(axis)] == 1);
  });
  // Over the channels it is a Conv by ones.
  const bool is_conv = axes == std::vector<int64_t>{1} && shape.size() == 4;
  if (!fits && !is_conv) {
    query.exceed("axes", fmt::format("[{}] of {}", fmt::join(axes, ", "), to_string(four)),
                 "height and width, or channels", "put a Transpose in front");
  }
  query.form = "as a Conv or a pool";
}

void check_layer_normalization(LimitQuery& query) {
  const Shape& shape = query.input(0).shape;
  const int64_t axis = int_attribute(query.node.attributes, "axis", -1), rank = std::ssize(shape);
  const int64_t count = rank - (axis < 0 ? axis + rank : axis);
  // Over the last axis it is one over the channels, behind a Transpose.
  if (count != 1 && count != rank - 1) {
    query.exceed("normalised dimensions", fmt::format("{} of {}", count, rank), "the last one, or all but the batch",
                 "normalise over one axis");
  }
}

void check_mat_mul(LimitQuery& query) {
  if (query.input(1).constant) {
    query.form = "as a 1x1 Conv";
    return;
  }
  const Shape& a = query.input(0).shape;
  if (!a.empty()) query.require_range("inner extent K", a.back(), 1, kLargestExtent, "split it and add the products");
}

void check_attention(LimitQuery& query) {
  const Shape &q = query.input(0).shape, &v = query.input(2).shape;
  query.require_range("width of queries", q.back(), 1, kLargestExtent, "split the heads");
  query.require_range("width of values", v.back(), 1, kLargestExtent, "split the heads");
}

void check_recurrent(LimitQuery& query) {
  const Shape& x = query.input(0).shape;
  const int64_t batch = x[1], hidden = query.input(2).shape.back();
  query.require_range("sequence length", x[0], 1, kLargestExtent);
  query.require_range("input size", x[2], 1, kLargestExtent);
  query.require_range("hidden size", hidden, 1, kLargestExtent);
  if (batch != 1 && batch % 4 != 0) {
    query.exceed("batch", fmt::format("{}", batch), "1 or a multiple of 4", "pad the batch");
  }
  if (query.has_input(7)) query.exceed("peepholes", "given", "none", "train without peepholes");
  if (int_attribute(query.node.attributes, "input_forget", 0) != 0) {
    query.exceed("input_forget", "1", "0", "train with separate gates");
  }
}

void check_slice(LimitQuery& query) {
  for (const int64_t step : ints_attribute(query.node.attributes, "steps")) {
    if (step != 1) {
      query.exceed("step", fmt::format("{}", step), "1",
                   "slices that take every second pixel together are a Conv of stride 2");
    }
  }
}

void check_pad(LimitQuery& query) {
  const std::string mode = string_attribute(query.node.attributes, "mode", "constant");
  if (mode == "constant") return;
  if (mode != "reflect") {
    query.exceed("mode", mode, "constant or reflect", "write it as Slice and Concat");
    return;
  }
  const Shape four = four_dimensions(query.input(0).shape);
  query.require_range("channels", four[1], 1, kLargestExtent);
  query.require_range("height", four[2], 1, kLargestExtent);
  query.require_range("width", four[3], 1, 8176);
}

void check_gather(LimitQuery& query) {
  const int64_t rank = std::ssize(query.input(1).shape);
  if (rank != 1) query.exceed("dimensions of indices", fmt::format("{}", rank), "1", "put a Reshape in front");
}

}  // namespace openrknn
