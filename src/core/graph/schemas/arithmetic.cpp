// Elementwise ops of two operands, and Where.
#include <fmt/format.h>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kFusible[] = {OPENRKNN_ACTIVATION_ATTRIBUTES};
constexpr AttributeSpec kShift[] = {{"direction", AttributeType::String, true, "\"LEFT\" or \"RIGHT\""}};
constexpr AttributeSpec kMod[] = {
    {"fmod", AttributeType::Int, false, "1: the sign follows the dividend, as C's fmod; default 0: the divisor"}};

void infer_binary(Inference& inference) {
  require_equal_types(inference, 0, 1);
  check_activation(inference, false);
  inference.set(0, inference.dtype(0), broadcast_shapes(inference, inference.shape(0), inference.shape(1)));
}

/// The exponent's type is free in ONNX.
void infer_pow(Inference& inference) {
  inference.set(0, inference.dtype(0), broadcast_shapes(inference, inference.shape(0), inference.shape(1)));
}

void infer_mod(Inference& inference) {
  if (!flag_of(inference, "fmod", false) && is_floating(inference.dtype(0))) {
    inference.fail(fmt::format("Mod of {} needs fmod=1, got 0", name(inference.dtype(0))));
  }
  infer_binary(inference);
}

void infer_comparison(Inference& inference) {
  require_equal_types(inference, 0, 1);
  inference.set(0, DType::Bool, broadcast_shapes(inference, inference.shape(0), inference.shape(1)));
}

void infer_logic(Inference& inference) {
  require_dtype(inference, 0, DType::Bool);
  require_dtype(inference, 1, DType::Bool);
  infer_comparison(inference);
}

void infer_bits(Inference& inference) {
  require_integer(inference, 0);
  infer_binary(inference);
}

void infer_shift(Inference& inference) {
  choice_of(inference, "direction", {"LEFT", "RIGHT"});
  infer_bits(inference);
}

void infer_where(Inference& inference) {
  require_dtype(inference, 0, DType::Bool);
  require_equal_types(inference, 1, 2);
  const Shape values = broadcast_shapes(inference, inference.shape(1), inference.shape(2));
  inference.set(0, inference.dtype(1), broadcast_shapes(inference, inference.shape(0), values));
}

constexpr OpSchema binary(std::string_view name, QuantRule quant, void (*infer)(Inference&), std::string_view summary,
                          std::span<const AttributeSpec> attributes = {}) {
  return {.name = name,
          .attributes = attributes,
          .inputs = {2, 2},
          .outputs = {1, 1},
          .layout = LayoutRule::Any,
          .data_inputs = 0b11,
          .quant = quant,
          .infer = infer,
          .summary = summary};
}

const OpSchema kArithmeticSchemas[] = {
    binary("Add", QuantRule::Compute, infer_binary, "a + b, broadcast.", kFusible),
    binary("Sub", QuantRule::Compute, infer_binary, "a - b, broadcast.", kFusible),
    binary("Mul", QuantRule::Compute, infer_binary, "a * b, broadcast.", kFusible),
    binary("Div", QuantRule::Compute, infer_binary, "a / b, broadcast; integers truncate.", kFusible),
    binary("Pow", QuantRule::Float, infer_pow, "a to the power b, broadcast."),
    binary("Mod", QuantRule::Float, infer_mod, "Remainder of a / b, broadcast.", kMod),
    binary("Max", QuantRule::Compute, infer_binary, "The larger of a and b, broadcast."),
    binary("Min", QuantRule::Compute, infer_binary, "The smaller of a and b, broadcast."),
    binary("Equal", QuantRule::Index, infer_comparison, "a == b as Bool."),
    binary("Greater", QuantRule::Index, infer_comparison, "a > b as Bool."),
    binary("GreaterOrEqual", QuantRule::Index, infer_comparison, "a >= b as Bool."),
    binary("Less", QuantRule::Index, infer_comparison, "a < b as Bool."),
    binary("LessOrEqual", QuantRule::Index, infer_comparison, "a <= b as Bool."),
    binary("And", QuantRule::Index, infer_logic, "Logical and of Bools."),
    binary("Or", QuantRule::Index, infer_logic, "Logical or of Bools."),
    binary("Xor", QuantRule::Index, infer_logic, "Logical exclusive or of Bools."),
    binary("BitwiseAnd", QuantRule::Index, infer_bits, "Bits set in both integers, broadcast."),
    binary("BitwiseOr", QuantRule::Index, infer_bits, "Bits set in either integer, broadcast."),
    binary("BitwiseXor", QuantRule::Index, infer_bits, "Bits set in one of the integers, broadcast."),
    binary("BitShift", QuantRule::Index, infer_shift,
           "Bits of a moved by b places, broadcast; to the right the sign repeats.", kShift),
    {.name = "Where",
     .inputs = {3, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::Any,
     .data_inputs = 0b111,
     .quant = QuantRule::Unify,
     .infer = infer_where,
     .summary = "x where the condition holds, else y; broadcast."},
};

}  // namespace

std::span<const OpSchema> arithmetic() { return kArithmeticSchemas; }

}  // namespace openrknn::schemas
