// The one function each way between the outside's arrays and the graph's values: layout, mean/std, quantization.
// Calibration, golden, C API and session all go through here.
#pragma once

#include <cstddef>
#include <span>

#include "core/base/layout.h"
#include "core/model/model.h"

namespace openrknn {

/// How a caller lays out an array of a 4-D port (the C API's fmt); other ranks are always in source order.
enum class PortLayout : uint8_t { Source, Nchw, Nhwc };

/// Inputs and outputs of an imported graph as its source has them: names, dtypes, orders.
std::vector<Port> source_inputs(const Graph&);
std::vector<Port> source_outputs(const Graph&);

/// Shape the caller's array must have for a graph value of `logical` shape.
Shape expected_shape(const Port&, const Shape& logical, PortLayout);

/// x' = (x - mean[c]) / std[c] in float32, one subtraction and one IEEE division (left out where mean is 0 and std 1
/// everywhere), then to the value's dtype: quantized like quantize_tensor, rounded to fp16, or kept. c is the index
/// of logical dimension 1 (0 for rank 1). Values that stay integers or bool take no mean/std and must be exact.
/// With `pass_through` the elements are taken as they are (dtype must equal the value's); they still change places. The
/// result is logical or, if asked, channels-last. `array` has expected_shape and any numeric dtype. NaN passes into
/// float values and counts as 0 where codes are made.
/// Throws Error (RuntimeBadInput) for shape and dtype problems, (ConfigBadMeanStd) for a wrong number of mean/std
/// values.
Tensor to_graph(const Port&, const Value&, const Tensor& array, PortLayout given, bool pass_through, Layout wanted);

/// `value` holds the graph value's content in logical order. want_float: dequantized / converted to float32 (integers
/// and bools too, by value); else the codes as they are. The result has the port's source order.
Tensor from_graph(const Port&, const Value&, const Tensor& value, bool want_float);

/// code = round(x / scale + zero point), half to even, saturated; and back: (code - zero point) * scale, as float32.
/// Per tensor or along quant.axis, in double; NaN counts as 0. Groups are refused (NotBuilt).
Tensor quantize_tensor(const Tensor& real, const QuantParams&, DType);
Tensor dequantize_tensor(const Tensor& codes, const QuantParams&);

}  // namespace openrknn
