// Operators outside the operator set: nodes of the one schema row "Custom" (schemas/custom.cpp).
#pragma once

#include <string>
#include <string_view>

#include "core/graph/graph.h"

namespace openrknn {

inline constexpr std::string_view kCustomOp = "Custom";
/// Attributes that are ours. The dot keeps them apart from the user's own: ONNX attribute names are C identifiers.
inline constexpr std::string_view kCustomType = "custom.type", kCustomOutputs = "custom.outputs";

/// The operator type the model's author gave the node; "" for nodes of the operator set.
std::string_view custom_type(const Node&);
/// What people call the node's operator: its type, if it is custom.
std::string_view shown_op(const Node&);
/// One entry of kCustomOutputs: "f32[1,8]".
std::string custom_output_text(DType, const Shape&);
/// The attribute is one of the source model, not one of ours.
bool is_users_attribute(std::string_view name);

}  // namespace openrknn
