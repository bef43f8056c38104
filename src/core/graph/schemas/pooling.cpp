// Pools: windows without weights.
#include <fmt/format.h>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kMaxPool[] = {
    {"kernel_shape", AttributeType::Ints, true, "spatial extents of the window"},
    {"strides", AttributeType::Ints, false, "default: 1 each"},
    {"pads", AttributeType::Ints, false, "begin per spatial dimension, then end; default: 0"},
    {"dilations", AttributeType::Ints, false, "default: 1 each"},
    {"ceil_mode", AttributeType::Int, false, "1: output extents are rounded up; default: 0"},
};
constexpr AttributeSpec kAveragePool[] = {
    {"kernel_shape", AttributeType::Ints, true, "spatial extents of the window"},
    {"strides", AttributeType::Ints, false, "default: 1 each"},
    {"pads", AttributeType::Ints, false, "begin per spatial dimension, then end; default: 0"},
    {"dilations", AttributeType::Ints, false, "default: 1 each"},
    {"ceil_mode", AttributeType::Int, false, "1: output extents are rounded up; default: 0"},
    {"count_include_pad", AttributeType::Int, false, "1: padding counts as zeros in the divisor; default: 0"},
};

void infer_pool(Inference& inference) {
  require_rank(inference, 0, 3, 5);
  const Shape& x = inference.shape(0);
  const std::vector<int64_t> kernel = ints_attribute(inference.attributes(), "kernel_shape");
  if (kernel.size() != x.size() - 2) {
    inference.fail(fmt::format("kernel_shape has {} entries, expected {} for input {}", kernel.size(), x.size() - 2,
                               to_string(x)));
  }
  const bool ceil_mode = flag_of(inference, "ceil_mode", false);
  flag_of(inference, "count_include_pad", false);
  const Window window = window_of(inference, kernel);
  Shape out = {x[0], x[1]};
  for (size_t d = 0; d < kernel.size(); ++d) {
    const int64_t reach = window.dilations[d] * (kernel[d] - 1) + 1;
    if (window.begin[d] >= reach || window.end[d] >= reach) {
      inference.fail(fmt::format(
          "pads {} and {} along spatial dimension {} leave windows without input, expected less than the window's {}",
          window.begin[d], window.end[d], d, reach));
    }
    out.push_back(window_extent(inference, window, d, x[d + 2], ceil_mode));
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_global_pool(Inference& inference) {
  require_rank(inference, 0, 3, 5);
  Shape out = inference.shape(0);
  for (size_t d = 2; d < out.size(); ++d) {
    if (out[d] == 0) inference.fail(fmt::format("input {} has no elements to pool", to_string(inference.shape(0))));
    out[d] = 1;
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

const OpSchema kRows[] = {
    {.name = "MaxPool",
     .attributes = kMaxPool,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Same,
     .infer = infer_pool,
     .summary = "Largest element of each window; padding never wins."},
    {.name = "AveragePool",
     .attributes = kAveragePool,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Compute,
     .infer = infer_pool,
     .summary = "Mean of each window."},
    {.name = "GlobalAveragePool",
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Compute,
     .infer = infer_global_pool,
     .summary = "Mean over all spatial dimensions, kept as extent 1."},
    {.name = "GlobalMaxPool",
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Same,
     .infer = infer_global_pool,
     .summary = "Maximum over all spatial dimensions, kept as extent 1."},
};

}  // namespace

std::span<const OpSchema> pooling() { return kRows; }

}  // namespace openrknn::schemas
