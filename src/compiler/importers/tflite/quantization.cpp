// What only changes the representation. Codes and numbers are told apart by the importer: here numbers are passed on.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/tflite/dequantize.h"
#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

Results same_numbers(const Layer& layer) {
  layer.require_inputs(1, 1);
  return {layer.real(0)};
}

Results cast_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Placed x = layer.real(0);
  const SourceTensor& to = layer.output();
  // Of codes, numbers are what is cast; 16-bit floats are 32-bit ones here.
  if (holds_codes(to)) return {x};
  const DType dtype = to.dtype == DType::Float16 ? DType::Float32 : to.dtype;
  return {{layer.cast_to(dtype, x.id), x.form}};
}

// The range is moved so that zero is a code: Nudge() of quantization_util.h.
Results fake_quant(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::FakeQuantOptions>();
  if (options == nullptr || options->num_bits() != 8 || !(options->min() < options->max()) ||
      !(options->min() <= 0 && options->max() >= 0) || !std::isfinite(options->max() - options->min()))
    layer.refuse("expected 8 bits and a range around 0");
  const int least = options->narrow_range() ? 1 : 0, most = 255;
  const double scale = (static_cast<double>(options->max()) - options->min()) / (most - least);
  const double zero = std::clamp(std::round(least - options->min() / scale), double(least), double(most));
  SourceTensor about{.name = layer.output().name, .dtype = DType::UInt8};
  about.quant = QuantParams{.scale = {scale}, .zero_point = {static_cast<int32_t>(zero)}};
  Placed x = layer.real(0);
  if (options->narrow_range())
    x.id = layer.add("Clip", {x.id}, {{"min", (least - zero) * scale}, {"max", (most - zero) * scale}});
  const ValueId codes = quantized(layer.builder(), x.id, about, x.form);
  return {{dequantized(layer.builder(), codes, about, x.form), x.form}};
}

constexpr LayerRow kQuantizationRows[] = {
    {6, "DEQUANTIZE", same_numbers}, {53, "CAST", cast_layer},       {80, "FAKE_QUANT", fake_quant},
    {114, "QUANTIZE", same_numbers}, {124, "DENSIFY", same_numbers},
};

}  // namespace

std::span<const LayerRow> rows_of_quantization() { return kQuantizationRows; }

}  // namespace openrknn::tflite
