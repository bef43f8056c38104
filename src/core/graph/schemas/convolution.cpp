// Layers with weights: Conv, ConvTranspose, MatMul.
#include <fmt/format.h>

#include <algorithm>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kConv[] = {
    {"kernel_shape", AttributeType::Ints, false, "spatial extents of the kernel; default: those of the weights"},
    {"strides", AttributeType::Ints, false, "default: 1 each"},
    {"pads", AttributeType::Ints, false, "begin per spatial dimension, then end; default: 0"},
    {"dilations", AttributeType::Ints, false, "default: 1 each"},
    {"group", AttributeType::Int, false, "default: 1"},
    OPENRKNN_ACTIVATION_ATTRIBUTES,
};
constexpr AttributeSpec kConvTranspose[] = {
    {"kernel_shape", AttributeType::Ints, false, "spatial extents of the kernel; default: those of the weights"},
    {"strides", AttributeType::Ints, false, "default: 1 each"},
    {"pads", AttributeType::Ints, false, "begin per spatial dimension, then end; default: 0"},
    {"output_padding", AttributeType::Ints, false, "extra output at the end of each spatial dimension; default: 0"},
    {"dilations", AttributeType::Ints, false, "default: 1 each"},
    {"group", AttributeType::Int, false, "default: 1"},
    OPENRKNN_ACTIVATION_ATTRIBUTES,
};
constexpr AttributeSpec kMatMul[] = {OPENRKNN_ACTIVATION_ATTRIBUTES};

/// Checks what Conv and ConvTranspose share and gives the window.
Window conv_window(const Inference& inference) {
  if (inference.dtype(0) != DType::Int32) require_real(inference, 0);
  require_rank(inference, 0, 3, 5);
  const Shape &x = inference.shape(0), &w = inference.shape(1);
  if (w.size() != x.size()) {
    inference.fail(
        fmt::format("weights have shape {}, expected rank {} as the input {}", to_string(w), x.size(), to_string(x)));
  }
  const std::vector<int64_t> of_weights(w.begin() + 2, w.end());
  const std::vector<int64_t> kernel = ints_attribute(inference.attributes(), "kernel_shape", of_weights);
  if (kernel != of_weights) {
    inference.fail(fmt::format("kernel_shape is {}, but the weights have shape {}", to_string(kernel), to_string(w)));
  }
  check_activation(inference, true);
  return window_of(inference, kernel);
}

int64_t group_of(const Inference& inference) {
  const int64_t group = int_attribute(inference.attributes(), "group", 1);
  constexpr int64_t kMostGroups = int64_t{1} << 22;
  if (group < 1 || group > kMostGroups) {
    inference.fail(fmt::format("group is {}, expected 1 to {}", group, kMostGroups));
  }
  return group;
}

void infer_conv(Inference& inference) {
  const Window window = conv_window(inference);
  const int64_t group = group_of(inference);
  const Shape &x = inference.shape(0), &w = inference.shape(1);
  if (x[1] >= 0 && x[1] != w[1] * group) {
    inference.fail(fmt::format("the input has {} channels, expected {} ({} a group in weights {}, group {})", x[1],
                               w[1] * group, w[1], to_string(w), group));
  }
  if (w[0] % group != 0) {
    inference.fail(
        fmt::format("weights {} give {} output channels, expected a multiple of group {}", to_string(w), w[0], group));
  }
  require_vector(inference, 2, "bias", w[0]);
  Shape out = {x[0], w[0]};
  for (size_t d = 0; d + 2 < x.size(); ++d) out.push_back(window_extent(inference, window, d, x[d + 2], false));
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_conv_transpose(Inference& inference) {
  const Window window = conv_window(inference);
  const int64_t group = group_of(inference);
  const Shape &x = inference.shape(0), &w = inference.shape(1);
  if (!fits(x[1], w[0])) {
    inference.fail(fmt::format("the input has {} channels, expected {} as the weights {}", x[1], w[0], to_string(w)));
  }
  if (w[0] % group != 0) {
    inference.fail(
        fmt::format("weights {} take {} input channels, expected a multiple of group {}", to_string(w), w[0], group));
  }
  const int64_t channels = w[1] * group;
  require_vector(inference, 2, "bias", channels);
  const std::vector<int64_t> extra = list_of(inference, "output_padding", x.size() - 2, 0, 0);
  Shape out = {x[0], channels};
  for (size_t d = 0; d + 2 < x.size(); ++d) {
    if (x[d + 2] < 0) {
      out.push_back(-1);
      continue;
    }
    const int64_t reach = window.dilations[d] * (window.kernel[d] - 1) + 1;
    if (x[d + 2] > kLargestParameter) inference.fail(fmt::format("the input {} is too large", to_string(x)));
    const int64_t extent = window.strides[d] * (x[d + 2] - 1) + extra[d] + reach - window.begin[d] - window.end[d];
    if (extent < 1) {
      inference.fail(fmt::format(
          "output extent along spatial dimension {} would be {}, expected at least 1; pads {} and {} are too large", d,
          extent, window.begin[d], window.end[d]));
    }
    out.push_back(extent);
  }
  inference.set(0, inference.dtype(0), std::move(out));
}

void infer_matmul(Inference& inference) {
  if (!inference.quantized(0) && !inference.quantized(1)) require_equal_types(inference, 0, 1);
  check_activation(inference, true);
  Shape a = inference.shape(0), b = inference.shape(1);
  if (a.empty() || b.empty()) {
    inference.fail(fmt::format("inputs have shapes {} and {}, expected rank 1 or more", to_string(a), to_string(b)));
  }
  // numpy: a vector on the left is a row, on the right a column; that dimension leaves the result again.
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  const int64_t k = a.back();
  if (!fits(k, b[b.size() - 2])) {
    inference.fail(fmt::format("inner dimensions differ, got {} x {}: {} and {}", to_string(inference.shape(0)),
                               to_string(inference.shape(1)), k, b[b.size() - 2]));
  }
  Shape out = broadcast_shapes(inference, Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!row) out.push_back(a[a.size() - 2]);
  if (!column) out.push_back(b.back());
  require_vector(inference, 2, "bias", b.back());
  inference.set(0, inference.dtype(0), std::move(out));
}

const OpSchema kConvolutionSchemas[] = {
    {.name = "Conv",
     .attributes = kConv,
     .inputs = {2, 4},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Compute,
     .infer = infer_conv,
     .summary =
         "Convolution over 1 to 3 spatial dimensions (of Int32: exact); inputs x, w[O,I/group,k…], bias[O], table."},
    {.name = "ConvTranspose",
     .attributes = kConvTranspose,
     .inputs = {2, 4},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Compute,
     .infer = infer_conv_transpose,
     .summary = "Transposed convolution; inputs x, w[I,O/group,k…], bias[O], table."},
    {.name = "MatMul",
     .attributes = kMatMul,
     .inputs = {2, 4},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Compute,
     .infer = infer_matmul,
     .summary = "numpy's matmul with broadcasting, plus bias[N]; inputs a, b, bias, table."},
};

}  // namespace

std::span<const OpSchema> convolution() { return kConvolutionSchemas; }

}  // namespace openrknn::schemas
