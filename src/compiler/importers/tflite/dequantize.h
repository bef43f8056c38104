// Codes and the numbers they stand for, as pairs of QuantizeLinear and DequantizeLinear (docs/quantized_models.md).
#pragma once

#include "compiler/importers/image_layout.h"
#include "compiler/importers/tflite/model.h"

namespace openrknn::tflite {

/// Adds what makes numbers of codes that are parameterised as the tensor says, and the other way round. Scales along a
/// dimension follow it into the form.
ValueId dequantized(LayerBuilder&, ValueId codes, const SourceTensor&, ImageForm);
ValueId quantized(LayerBuilder&, ValueId numbers, const SourceTensor&, ImageForm);

/// The tensor holds codes: 8 or 16 bits with scales. (32 bits are biases, which only constants are.)
bool holds_codes(const SourceTensor&);

}  // namespace openrknn::tflite
