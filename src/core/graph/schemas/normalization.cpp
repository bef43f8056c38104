// Normalisations and softmax.
#include <fmt/format.h>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kEpsilon[] = {{"epsilon", AttributeType::Float, false, "added to the variance; default 1e-5"}};
constexpr AttributeSpec kLayerNorm[] = {
    {"axis", AttributeType::Int, true, "first normalised dimension, 0..rank-1"},
    {"epsilon", AttributeType::Float, false, "added to the variance; default 1e-5"},
};
constexpr AttributeSpec kLpNorm[] = {
    {"axis", AttributeType::Int, true, "normalised dimension, 0..rank-1"},
    {"p", AttributeType::Int, false, "1 or 2 (default)"},
};
constexpr AttributeSpec kLocalResponse[] = {
    {"size", AttributeType::Int, true, "how many neighbouring channels are summed"},
    {"alpha", AttributeType::Float, false, "default: 1e-4"},
    {"beta", AttributeType::Float, false, "default: 0.75"},
    {"bias", AttributeType::Float, false, "default: 1"},
};
constexpr AttributeSpec kSoftmax[] = {{"axis", AttributeType::Int, true, "normalised dimension, 0..rank-1"}};

void infer_per_channel(Inference& inference) {
  require_real(inference, 0);
  require_rank(inference, 0, 2, 5);
  constexpr std::string_view kNames[] = {"", "scale", "bias", "mean", "variance"};
  for (size_t i = 1; i < inference.input_count(); ++i) {
    require_vector(inference, i, kNames[i], inference.shape(0)[1]);
  }
  infer_same(inference);
}

void infer_layer_norm(Inference& inference) {
  require_real(inference, 0);
  const Shape& x = inference.shape(0);
  const int64_t axis = axis_of(inference, "axis", 0, static_cast<int64_t>(x.size()));
  const Shape normalised(x.begin() + axis, x.end());
  for (const size_t i : {size_t{1}, size_t{2}}) {
    if (!inference.has(i)) continue;
    const Shape& shape = inference.shape(i);
    if (shape.size() != normalised.size() || !std::equal(shape.begin(), shape.end(), normalised.begin(), fits)) {
      inference.fail(fmt::format("{} (input {}) has shape {}, expected {} (dimensions {} to the last of {})",
                                 i == 1 ? "scale" : "bias", i, to_string(shape), to_string(normalised), axis,
                                 to_string(x)));
    }
  }
  infer_same(inference);
}

void infer_local_response(Inference& inference) {
  require_real(inference, 0);
  require_rank(inference, 0, 3, 5);
  const int64_t size = int_attribute(inference.attributes(), "size", 1);
  if (size < 1 || size > kLargestParameter) {
    inference.fail(fmt::format("attribute 'size' is {}, expected 1 to {}", size, kLargestParameter));
  }
  infer_same(inference);
}

void infer_along_axis(Inference& inference) {
  require_real(inference, 0);
  axis_of(inference, "axis", 0, static_cast<int64_t>(inference.shape(0).size()));
  const int64_t p = int_attribute(inference.attributes(), "p", 2);
  if (p != 1 && p != 2) inference.fail(fmt::format("attribute 'p' is {}, expected 1 or 2", p));
  infer_same(inference);
}

const OpSchema kNormalizationSchemas[] = {
    {.name = "LRN",
     .attributes = kLocalResponse,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Float,
     .infer = infer_local_response,
     .summary = "x / (bias + alpha/size * sum of the squares of neighbouring channels)^beta."},
    {.name = "BatchNormalization",
     .attributes = kEpsilon,
     .inputs = {5, 5},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Compute,
     .infer = infer_per_channel,
     .summary = "(x - mean) / sqrt(variance + epsilon) * scale + bias per channel."},
    {.name = "InstanceNormalization",
     .attributes = kEpsilon,
     .inputs = {3, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::ChannelsLast,
     .quant = QuantRule::Float,
     .infer = infer_per_channel,
     .summary = "Each channel of each sample normalised by its own mean and variance, then scale and bias."},
    {.name = "LayerNormalization",
     .attributes = kLayerNorm,
     .inputs = {2, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Float,
     .infer = infer_layer_norm,
     .summary = "Normalised by mean and variance over axis to the last dimension, then scale and bias."},
    {.name = "LpNormalization",
     .attributes = kLpNorm,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "axis:one",
     .quant = QuantRule::Float,
     .infer = infer_along_axis,
     .summary = "x divided by its L1 or L2 norm along axis."},
    {.name = "Softmax",
     .attributes = kSoftmax,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "axis:one",
     .quant = QuantRule::Float,
     .infer = infer_along_axis,
     .summary = "exp(x) / sum of exp(x) along axis."},
    {.name = "LogSoftmax",
     .attributes = kSoftmax,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "axis:one",
     .quant = QuantRule::Float,
     .infer = infer_along_axis,
     .summary = "Logarithm of Softmax."},
};

}  // namespace

std::span<const OpSchema> normalization() { return kNormalizationSchemas; }

}  // namespace openrknn::schemas
