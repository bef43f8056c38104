// Pools: windows without weights.
#include <fmt/format.h>

#include <algorithm>

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

constexpr AttributeSpec kArgMaxPool[] = {
    {"kernel_shape", AttributeType::Ints, true, "spatial extents of the window"},
    {"strides", AttributeType::Ints, false, "default: 1 each"},
    {"pads", AttributeType::Ints, false, "begin per spatial dimension, then end; default: 0"},
    {"dilations", AttributeType::Ints, false, "default: 1 each"},
    {"ceil_mode", AttributeType::Int, false, "1: output extents are rounded up; default: 0"},
    {"storage_order", AttributeType::Int, false, "1: the first spatial dimension counts fastest; default: 0"},
};
constexpr AttributeSpec kMaxUnpool[] = {
    {"shape", AttributeType::Ints, true, "the output's shape; batch and channels are the input's"},
};
constexpr AttributeSpec kLpPool[] = {
    {"kernel_shape", AttributeType::Ints, true, "spatial extents of the window"},
    {"strides", AttributeType::Ints, false, "default: 1 each"},
    {"pads", AttributeType::Ints, false, "begin per spatial dimension, then end; default: 0"},
    {"dilations", AttributeType::Ints, false, "default: 1 each"},
    {"ceil_mode", AttributeType::Int, false, "1: output extents are rounded up; default: 0"},
    {"p", AttributeType::Int, false, "exponent of the norm, 1 or more; default: 2"},
};

/// The output's shape.
Shape pooled_shape(const Inference& inference) {
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
  return out;
}

void infer_pool(Inference& inference) { inference.set(0, inference.dtype(0), pooled_shape(inference)); }

void infer_arg_max_pool(Inference& inference) {
  flag_of(inference, "storage_order", false);
  inference.set(0, DType::Int64, pooled_shape(inference));
}

void infer_lp_pool(Inference& inference) {
  require_real(inference, 0);
  const int64_t p = int_attribute(inference.attributes(), "p", 2);
  if (p < 1 || p > kLargestParameter) {
    inference.fail(fmt::format("attribute 'p' is {}, expected 1 to {}", p, kLargestParameter));
  }
  infer_pool(inference);
}

void infer_max_unpool(Inference& inference) {
  require_rank(inference, 0, 3, 5);
  require_dtype(inference, 1, DType::Int64);
  const Shape &x = inference.shape(0), &indices = inference.shape(1);
  if (indices.size() != x.size() || !std::equal(x.begin(), x.end(), indices.begin(), fits)) {
    inference.fail(
        fmt::format("the indices have shape {}, expected that of the input, {}", to_string(indices), to_string(x)));
  }
  std::vector<int64_t> shape = list_of(inference, "shape", x.size(), 0, 0);
  if (!fits(x[0], shape[0]) || !fits(x[1], shape[1])) {
    inference.fail(
        fmt::format("shape is {} for input {}, expected batch and channels to stay", to_string(shape), to_string(x)));
  }
  inference.set(0, inference.dtype(0), std::move(shape));
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

const OpSchema kPoolingSchemas[] = {
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
    {.name = "LpPool",
     .attributes = kLpPool,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Float,
     .infer = infer_lp_pool,
     .summary = "p-norm of each window; padding counts as 0."},
    {.name = "ArgMaxPool",
     .attributes = kArgMaxPool,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Index,
     .infer = infer_arg_max_pool,
     .summary = "Where MaxPool found its element: int64 positions in the flattened input."},
    {.name = "MaxUnpool",
     .attributes = kMaxUnpool,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .data_inputs = 0b11,
     .quant = QuantRule::Float,
     .infer = infer_max_unpool,
     .summary = "Zeros, and each element of x where indices say, counted in the flattened output."},
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

std::span<const OpSchema> pooling() { return kPoolingSchemas; }

}  // namespace openrknn::schemas
