// Element types by the names the Open Inference Protocol gives them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "openrknn/session_types.hpp"

namespace openrknn::server {

/// "FP32", "INT8", "BOOL".
std::string_view wire_name(ElementType);
/// Nothing for types no model input has (BYTES, FP64, UINT64, BF16).
std::optional<ElementType> wire_type(std::string_view name);
/// All of them, "BOOL, UINT8, …".
std::string wire_names();

/// Of "tensor(float16)", as NodeArg::type has it.
std::optional<ElementType> type_of_tensor(std::string_view tensor);

/// The protocol's name of a layer value's dtype ("f32" -> "FP32", "i4" -> "INT4"); the name itself for others.
std::string wire_name_of_dtype(std::string_view dtype);
/// The other way round.
std::string dtype_of_wire_name(std::string_view name);

}  // namespace openrknn::server
