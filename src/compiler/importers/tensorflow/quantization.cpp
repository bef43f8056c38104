// FakeQuant: ranges a training chose, as pairs of QuantizeLinear and DequantizeLinear (docs/quantized_models.md).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/tensorflow/layers.h"

namespace openrknn::tensorflow {
namespace {

struct Range {
  std::vector<double> least, most;
  int64_t axis = -1;  ///< of the source; -1: one range for all
};

/// One number, or one a channel of the input as it lies.
ValueId bound(const Layer& layer, std::string_view part, Placed x, const Range& range, std::vector<float> numbers) {
  if (range.axis < 0) return layer.scalar(part, static_cast<double>(numbers[0]));
  Shape shape(layer.shape_of(x).size(), 1);
  shape[static_cast<size_t>(dimension_in(x.form, range.axis))] = static_cast<int64_t>(numbers.size());
  return layer.builder().constant(part, Tensor::from<float>(shape, std::move(numbers)));
}

// The range is moved so that zero is a code (fake_quant_ops_functor.h, Nudge).
Results pair_of(const Layer& layer, const Range& range) {
  const int64_t bits = layer.node.integer("num_bits", 8);
  if (bits < 2 || bits > 16) layer.refuse(fmt::format("num_bits is {}, expected 2 to 16", bits));
  const bool is_narrow = layer.node.boolean("narrow_range", false);
  const float least = is_narrow ? 1 : 0, most = static_cast<float>((1 << bits) - 1);
  const DType codes_type = bits > 8 ? DType::UInt16 : DType::UInt8;
  std::vector<float> scales, lowest, highest;
  std::vector<int32_t> zero_points;
  for (size_t i = 0; i < range.least.size(); ++i) {
    const auto low = static_cast<float>(range.least[i]), high = static_cast<float>(range.most[i]);
    if (!(low < high && std::isfinite(high - low))) layer.refuse(fmt::format("the range {} to {} is none", low, high));
    // In float32: where the range is symmetric, rounding decides which code is zero.
    const float scale = (high - low) / (most - least);
    const float zero = std::round(std::clamp(least - low / scale, least, most));
    scales.push_back(scale);
    zero_points.push_back(static_cast<int32_t>(zero));
    lowest.push_back((least - zero) * scale);
    highest.push_back((most - zero) * scale);
  }
  Placed x = layer.input(0);
  if (is_narrow || (bits != 8 && bits != 16)) {  // codes that are left out
    x.id = layer.add("Max", {x.id, bound(layer, "lowest", x, range, lowest)});
    x.id = layer.add("Min", {x.id, bound(layer, "highest", x, range, highest)});
  }
  const Shape shape = range.axis < 0 ? Shape{} : Shape{static_cast<int64_t>(scales.size())};
  const ValueId scale = layer.builder().constant("scale", Tensor::from<float>(shape, scales));
  const ValueId zero =
      layer.builder().constant("zero_point", cast(Tensor::from<int32_t>(shape, zero_points), codes_type));
  const int64_t axis = range.axis < 0 ? 0 : dimension_in(x.form, range.axis);
  const ValueId codes =
      layer.add("QuantizeLinear", {x.id, scale, zero}, {{"axis", axis}, {"to", static_cast<int64_t>(codes_type)}});
  return {{layer.add("DequantizeLinear", {codes, scale, zero}, {{"axis", axis}}), x.form}};
}

Results by_arguments(const Layer& layer) {
  layer.require_inputs(1, 1);
  return pair_of(layer, {{layer.node.number("min", -6)}, {layer.node.number("max", 6)}});
}

std::vector<double> numbers(const Layer& layer, size_t i) {
  const std::optional<Tensor> known = layer.content(i);
  if (!known || !is_floating(known->dtype())) layer.refuse("its range is computed by the model");
  return to_doubles(*known);
}

Results by_variables(const Layer& layer) {
  layer.require_inputs(3, 3);
  Range range{numbers(layer, 1), numbers(layer, 2)};
  if (range.least.size() != 1 || range.most.size() != 1) layer.refuse("its range has several numbers");
  return pair_of(layer, range);
}

Results by_channel(const Layer& layer) {
  layer.require_inputs(3, 3);
  Range range{numbers(layer, 1), numbers(layer, 2), layer.axis(-1, layer.rank())};
  const auto channels = static_cast<size_t>(layer.shape()[static_cast<size_t>(range.axis)]);
  if (range.least.size() != channels || range.most.size() != channels)
    layer.refuse(fmt::format("{} ranges for {} channels", range.least.size(), channels));
  return pair_of(layer, range);
}

constexpr LayerRow kQuantizationRows[] = {
    {"FakeQuantWithMinMaxArgs", by_arguments},
    {"FakeQuantWithMinMaxVars", by_variables},
    {"FakeQuantWithMinMaxVarsPerChannel", by_channel},
};

}  // namespace

std::span<const LayerRow> rows_of_quantization() { return kQuantizationRows; }

}  // namespace openrknn::tensorflow
