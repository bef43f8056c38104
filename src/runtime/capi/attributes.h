// rknn_tensor_attr of inputs and outputs: as programs see them (logical) and as the NPU likes them (native).
#pragma once

#include <optional>

#include "runtime/capi/state.h"

namespace openrknn::capi {

enum class Side { Input, Output };

size_t count(const Context&, Side);
const Port& port(const Context&, Side, size_t index);
const Value& value(const Context&, Side, size_t index);

/// The C API's number for an element type; none for float64, uint64 and uint4, which it lacks.
std::optional<rknn_tensor_type> tensor_type(DType);
/// The element type behind a number of the C API; none for numbers out of range.
std::optional<DType> element_type(rknn_tensor_type);
/// A C program may leave any int in these fields, and C++ may not even load such a value: looks at the bytes. Throws
/// Error (RuntimeBadInput).
void require_enumerators(const rknn_tensor_type&, const rknn_tensor_format&);

/// 4-D inputs are NHWC (bool and int64 stay NCHW), 4-D outputs NCHW, everything else keeps the source order
/// (UNDEFINED).
rknn_tensor_attr logical_attr(const Context&, Side, size_t index);
/// logical_attr of an input in one of the model's sets of shapes, active or not.
rknn_tensor_attr variant_attr(const Context&, size_t index, size_t variant);
/// logical_attr in the largest set of shapes, whichever is active.
rknn_tensor_attr largest_attr(const Context&, Side, size_t index);
/// 4-D inputs of 1, 3 or 4 channels: NHWC with rows padded to the width alignment of the SoC. Other 4-D tensors of 8 or
/// 16 bits: NC1HWC2. Everything else as logical_attr.
rknn_tensor_attr native_attr(const Context&, Side, size_t index);
/// As native_attr, but 4-D tensors are NHWC.
rknn_tensor_attr native_nhwc_attr(const Context&, Side, size_t index);

/// Fails (NotBuilt) for models whose inputs or outputs the C API cannot express.
void require_expressible(const Context&);

}  // namespace openrknn::capi
