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

// The range is moved so that zero is a code (fake_quant_ops_functor.h, Nudge).
Results pair_of(const Layer& layer, const Range& range) {
  const int64_t bits = layer.node.integer("num_bits", 8);
  if (bits != 8) layer.refuse(fmt::format("num_bits is {}, only 8 is supported", bits));
  const int least = layer.node.boolean("narrow_range", false) ? 1 : 0, most = 255;
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  for (size_t i = 0; i < range.least.size(); ++i) {
    if (!(range.least[i] <= 0 && range.most[i] >= 0 && range.least[i] < range.most[i] &&
          std::isfinite(range.most[i] - range.least[i])))
      layer.refuse(fmt::format("the range {} to {} does not hold zero", range.least[i], range.most[i]));
    const double scale = (range.most[i] - range.least[i]) / (most - least);
    scales.push_back(static_cast<float>(scale));
    zero_points.push_back(
        static_cast<int32_t>(std::clamp(std::round(least - range.least[i] / scale), double(least), double(most))));
  }
  Placed x = layer.input(0);
  if (least == 1 && range.axis < 0) {  // the lowest code is left out
    const double zero = zero_points[0], scale = static_cast<double>(scales[0]);
    x.id = layer.add("Clip", {x.id}, {{"min", (least - zero) * scale}, {"max", (most - zero) * scale}});
  }
  const Shape shape = range.axis < 0 ? Shape{} : Shape{static_cast<int64_t>(scales.size())};
  const ValueId scale = layer.builder().constant("scale", Tensor::from<float>(shape, scales));
  const ValueId zero =
      layer.builder().constant("zero_point", cast(Tensor::from<int32_t>(shape, zero_points), DType::UInt8));
  const int64_t axis = range.axis < 0 ? 0 : dimension_in(x.form, range.axis);
  const ValueId codes =
      layer.add("QuantizeLinear", {x.id, scale, zero}, {{"axis", axis}, {"to", static_cast<int64_t>(DType::UInt8)}});
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

constexpr LayerRow kRows[] = {
    {"FakeQuantWithMinMaxArgs", by_arguments},
    {"FakeQuantWithMinMaxVars", by_variables},
    {"FakeQuantWithMinMaxVarsPerChannel", by_channel},
};

}  // namespace

std::span<const LayerRow> rows_of_quantization() { return kRows; }

}  // namespace openrknn::tensorflow
