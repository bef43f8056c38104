// The one function each way between the outside's arrays and the graph's values: layout, mean/std, quantization.
// Calibration, golden, C API and session all go through here.
#pragma once

#include <cstddef>
#include <span>

#include "core/base/layout.h"
#include "core/model/model.h"

namespace openrknn {

/// How a caller lays out an array of a 4-D port (the C API's fmt). Undefined: source order, no mean/std (c-api 5.1).
enum class PortLayout : uint8_t { Source, Nchw, Nhwc, Undefined };

/// Shape the caller's array must have for a graph value of `logical` shape.
Shape expected_shape(const Port&, const Shape& logical, PortLayout);

/// x' = (x - mean)/std in float32, then to the value's dtype: quantized (half to even, saturating), rounded to fp16, or
/// kept. With `pass_through` the bytes are taken as they are (dtype must equal the value's). The result is logical
/// or, if asked, channels-last. `array` has expected_shape and any numeric dtype. NaN becomes 0 after quantization.
/// Throws Error (RuntimeBadInput) for shape and dtype problems.
Tensor to_graph(const Port&, const Value&, const Tensor& array, PortLayout given, bool pass_through, Layout wanted);

/// `value` holds the graph value's content in logical order. want_float: dequantized / converted to float32 (integers and
/// bools too, by value); else the codes as they are. The result has the port's source order.
Tensor from_graph(const Port&, const Value&, const Tensor& value, bool want_float);

/// real -> code and back with per-tensor or per-axis parameters; double arithmetic, half to even, saturating.
Tensor quantize_tensor(const Tensor& real, const QuantParams&, DType);
Tensor dequantize_tensor(const Tensor& codes, const QuantParams&);

}  // namespace openrknn
