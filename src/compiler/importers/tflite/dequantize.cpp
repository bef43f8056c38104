#include "compiler/importers/tflite/dequantize.h"

#include <fmt/format.h>

namespace openrknn::tflite {
namespace {

struct Parameters {
  ValueId scale, zero_point;
  int64_t axis;
};

Parameters parameters_of(LayerBuilder& builder, const SourceTensor& tensor, ImageForm form, DType codes) {
  const QuantParams& quant = *tensor.quant;
  const Shape shape = quant.axis < 0 ? Shape{} : Shape{static_cast<int64_t>(quant.scale.size())};
  const std::vector<float> scale(quant.scale.begin(), quant.scale.end());
  const Tensor zero = Tensor::from<int32_t>(shape, quant.zero_point);
  return {builder.constant(tensor.name + "/scale", Tensor::from<float>(shape, scale)),
          builder.constant(tensor.name + "/zero_point", cast(zero, codes)),
          quant.axis < 0 ? 0 : dimension_in(form, quant.axis)};
}

}  // namespace

ValueId dequantized(LayerBuilder& builder, ValueId codes, const SourceTensor& tensor, ImageForm form) {
  const Parameters about = parameters_of(builder, tensor, form, builder.graph[codes].dtype);
  return builder.add_beside("DequantizeLinear", {codes, about.scale, about.zero_point}, {{"axis", about.axis}});
}

ValueId quantized(LayerBuilder& builder, ValueId numbers, const SourceTensor& tensor, ImageForm form) {
  const Parameters about = parameters_of(builder, tensor, form, tensor.dtype);
  return builder.add_beside("QuantizeLinear", {numbers, about.scale, about.zero_point},
                            {{"axis", about.axis}, {"to", static_cast<int64_t>(tensor.dtype)}});
}

bool holds_codes(const SourceTensor& tensor) {
  return tensor.quant && (tensor.dtype == DType::Int8 || tensor.dtype == DType::UInt8 || tensor.dtype == DType::Int16);
}

}  // namespace openrknn::tflite
