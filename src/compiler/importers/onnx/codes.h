// Writing QuantizeLinear and DequantizeLinear: what operators on codes are translated with.
#pragma once

#include "compiler/importers/onnx/translation.h"

namespace openrknn::onnx {

/// One number as shape [], which is how a scale for the whole tensor is written.
ValueId one_number(Translation&, ValueId);

/// Inputs and attributes QuantizeLinear and DequantizeLinear share, for data, scale and zero point (or None).
struct Linear {
  std::vector<ValueId> inputs;
  Attributes attributes;
};
Linear linear(Translation&, ValueId x, ValueId scale, ValueId zero_point, int64_t axis, int64_t block_size = 0);

ValueId dequantized(Translation&, ValueId codes, ValueId scale, ValueId zero_point, int64_t axis);
/// The node's first output: QuantizeLinear to the type `to`.
void produce_quantized(Translation&, Linear, DType to);

}  // namespace openrknn::onnx
