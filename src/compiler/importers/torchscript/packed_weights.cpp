#include "compiler/importers/torchscript/packed_weights.h"

#include <fmt/format.h>

#include <algorithm>

namespace openrknn::torchscript {
namespace {

using Arguments = const std::vector<Value>&;

/// The type of objects that prepacking makes: they hold the functions' arguments under their names.
constexpr std::string_view kPacked = "packed weights";

TensorRef coded_weight(const Call& call, const Value& value) {
  const auto* weight = value.as<TensorRef>();
  if (weight == nullptr || !(*weight)->content || !(*weight)->coding)
    call.refuse("the packed weights hold no quantized tensor");
  return *weight;
}

const Object& object_at(const Call& call, size_t i) {
  const auto* object = call.at(i).as<ObjectRef>();
  if (object == nullptr) call.refuse(fmt::format("argument {} is {}, expected packed weights", i, kind_of(call.at(i))));
  return **object;
}

const Value& attribute(const Call& call, const Object& object, std::string_view name) {
  const auto found = object.attributes.find(name);
  if (found == object.attributes.end()) call.refuse(fmt::format("packed weights without '{}'", name));
  return found->second;
}

const std::vector<Value>& items_of(const Call& call, const Value& value, size_t least) {
  const auto* sequence = value.sequence();
  if (sequence == nullptr || (*sequence)->items.size() < least)
    call.refuse("packed weights of a form that is not known");
  return (*sequence)->items;
}

Ints ints_of(const Call& call, const Value& value) {
  Ints numbers;
  for (const Value& item : items_of(call, value, 0)) numbers.push_back(call.integer(item, 1));
  return numbers;
}

/// ("2", [configuration, weight], [bias]): the configuration is a tensor of dimensions, stride, padding, dilation,
/// output padding, groups and a flag (ATen/native/quantized/cpu/conv_serialization.h).
PackedWeights from_state(const Call& call, const Value& state) {
  const std::vector<Value>& items = items_of(call, state, 3);
  const std::vector<Value>&tensors = items_of(call, items[1], 2), &optional = items_of(call, items[2], 1);
  const auto* configuration = tensors[0].as<TensorRef>();
  if (configuration == nullptr || !(*configuration)->content) call.refuse("packed weights without a configuration");
  const std::vector<double> numbers = to_doubles(*(*configuration)->content);
  const size_t dims = numbers.empty() || !(numbers[0] > 0 && numbers[0] < 9) ? 0 : static_cast<size_t>(numbers[0]);
  if (dims < 1 || dims > 3 || numbers.size() != 3 + 4 * dims) call.refuse("packed weights of another version");
  const auto part = [&](size_t k) {
    Ints list;
    for (size_t d = 0; d < dims; ++d) list.push_back(whole_number(numbers[1 + k * dims + d]));
    return list;
  };
  return {.weight = coded_weight(call, tensors[1]),
          .bias = optional[0],
          .stride = part(0),
          .padding = part(1),
          .dilation = part(2),
          .output_padding = part(3),
          .groups = whole_number(numbers[1 + 4 * dims]),
          .is_transposed = (whole_number(numbers[2 + 4 * dims]) & 1) != 0};
}

/// An object that holds the arguments under these names.
Value pack(Interpreter& run, Arguments arguments, std::span<const std::string_view> names) {
  auto made = std::make_shared<Object>();
  made->type = kPacked;
  made->depth = 0;
  if (arguments.size() > names.size()) run.refuse("weights are packed with more arguments than are known");
  for (size_t i = 0; i < names.size(); ++i)
    made->attributes.emplace(names[i], i < arguments.size() ? arguments[i] : Value());
  return made;
}
Value pack_linear(Interpreter& run, Arguments arguments) {
  static constexpr std::string_view kNames[] = {"weight", "bias"};
  return pack(run, arguments, kNames);
}
Value pack_convolution(Interpreter& run, Arguments arguments) {
  static constexpr std::string_view kNames[] = {"weight", "bias", "stride", "padding", "dilation", "groups"};
  return pack(run, arguments, kNames);
}
Value pack_transposed(Interpreter& run, Arguments arguments) {
  static constexpr std::string_view kNames[] = {"weight",         "bias",     "stride", "padding",
                                                "output_padding", "dilation", "groups"};
  return pack(run, arguments, kNames);
}

constexpr PythonRow kPythonPackingRows[] = {
    {"quantized::conv1d_prepack", pack_convolution, When::Always},
    {"quantized::conv2d_prepack", pack_convolution, When::Always},
    {"quantized::conv3d_prepack", pack_convolution, When::Always},
    {"quantized::conv_transpose1d_prepack", pack_transposed, When::Always},
    {"quantized::conv_transpose2d_prepack", pack_transposed, When::Always},
    {"quantized::linear_prepack", pack_linear, When::Always},
};

}  // namespace

PackedWeights packed_linear(const Call& call, size_t argument) {
  const Object& object = object_at(call, argument);
  if (object.type == kPacked)
    return {.weight = coded_weight(call, attribute(call, object, "weight")), .bias = attribute(call, object, "bias")};
  const std::vector<Value>& items = items_of(call, attribute(call, object, kPackedState), 2);
  return {.weight = coded_weight(call, items[0]), .bias = items[1]};
}

PackedWeights packed_convolution(const Call& call, size_t argument) {
  const Object& object = object_at(call, argument);
  if (object.type != kPacked) return from_state(call, attribute(call, object, kPackedState));
  PackedWeights packed{.weight = coded_weight(call, attribute(call, object, "weight")),
                       .bias = attribute(call, object, "bias"),
                       .stride = ints_of(call, attribute(call, object, "stride")),
                       .padding = ints_of(call, attribute(call, object, "padding")),
                       .dilation = ints_of(call, attribute(call, object, "dilation")),
                       .groups = call.integer(attribute(call, object, "groups"), argument)};
  packed.is_transposed = object.attributes.contains("output_padding");
  if (packed.is_transposed) packed.output_padding = ints_of(call, attribute(call, object, "output_padding"));
  return packed;
}

std::span<const PythonRow> python_packing() { return kPythonPackingRows; }

}  // namespace openrknn::torchscript
