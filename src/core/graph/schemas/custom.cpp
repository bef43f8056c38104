// The operator outside the operator set: its meaning is code that is registered when the model runs. One row serves
// all of them, so that everything which walks the table (files, text, layouts, kernels) meets nothing new.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/graph/custom.h"
#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"
#include "core/graph/text/parts.h"

namespace openrknn {
namespace {

std::string quote(std::string_view text) { return fmt::format("'{}'", text); }

}  // namespace

std::string custom_output_text(DType dtype, const Shape& shape) {
  return fmt::format("{}[{}]", name(dtype), fmt::join(shape, ","));
}

std::string_view custom_type(const Node& node) {
  const auto found = node.op == kCustomOp ? node.attributes.find(kCustomType) : node.attributes.end();
  if (found == node.attributes.end()) return {};
  const std::string* type = std::get_if<std::string>(&found->second);
  return type != nullptr ? std::string_view(*type) : std::string_view();
}

std::string_view shown_op(const Node& node) {
  const std::string_view type = custom_type(node);
  return type.empty() ? std::string_view(node.op) : type;
}

bool is_users_attribute(std::string_view attribute) { return !attribute.starts_with("custom."); }

namespace schemas {
namespace {

constexpr size_t kLongestType = 255;  // rknn_custom_op::op_type holds 256 bytes with its terminator

constexpr AttributeSpec kCustom[] = {
    {kCustomType, AttributeType::String, true, "op_type of the code that computes the node, 1 to 255 bytes"},
    {kCustomOutputs, AttributeType::Strings, true, "one type per output, as in the text form: \"f32[1,8]\""},
};

std::pair<DType, Shape> parse_type(const Inference& inference, const std::string& text) {
  try {
    TextCursor cursor(text);
    const std::pair<DType, Shape> type = TextParts(cursor, {}).type();
    if (!cursor.at_end()) cursor.expected("the end of the type");
    return type;
  } catch (const Error& error) {
    inference.fail(fmt::format("{} holds {}, which is no type ({})", kCustomOutputs, quote(text),
                               error.diagnostics.front().problem),
                   "write it like f32[1,8]");
  }
}

void infer_custom(Inference& inference) {
  const std::string type = string_attribute(inference.attributes(), kCustomType, "");
  if (type.empty() || type.size() > kLongestType || type.find('\0') != std::string::npos) {
    inference.fail(
        fmt::format("{} has {} bytes, expected 1 to {} without a NUL", kCustomType, type.size(), kLongestType));
  }
  for (size_t i = 0; i < inference.input_count(); ++i) {
    if (!inference.has(i)) continue;
    const DType dtype = inference.dtype(i);
    if (inference.quantized(i) || (is_floating(dtype) && dtype != DType::Float32)) {
      inference.fail(fmt::format("input {} is {}{}, expected f32: custom code computes in float32", i, name(dtype),
                                 inference.quantized(i) ? " with a scale" : ""),
                     "convert it before the node");
    }
  }
  const auto& declared = std::get<std::vector<std::string>>(inference.attributes().find(kCustomOutputs)->second);
  if (declared.size() != inference.outputs.size()) {
    inference.fail(
        fmt::format("{} lists {} types for {} outputs", kCustomOutputs, declared.size(), inference.outputs.size()));
  }
  for (size_t i = 0; i < declared.size(); ++i) {
    const auto [dtype, shape] = parse_type(inference, declared[i]);
    if (!is_static(shape) || (is_floating(dtype) && dtype != DType::Float32)) {
      inference.fail(
          fmt::format("output {} is declared as {}, expected f32, integers or bools of a fixed shape", i, declared[i]));
    }
    inference.set(i, dtype, shape);
  }
}

const OpSchema kCustomSchemas[] = {
    {.name = kCustomOp,
     .attributes = kCustom,
     .any_attributes = true,
     .inputs = {0, kMany},
     .outputs = {1, kMany},
     .quant = QuantRule::Float,
     .infer = infer_custom,
     .summary = "An operator outside this set, computed by code the user registers; further attributes are its own."},
};

}  // namespace

std::span<const OpSchema> custom() { return kCustomSchemas; }

}  // namespace schemas
}  // namespace openrknn
