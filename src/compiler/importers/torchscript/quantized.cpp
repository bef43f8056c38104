// Quantized models: numbers stay numbers, and pairs of QuantizeLinear and DequantizeLinear say how they are coded
// (docs/quantized_models.md).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/torchscript/packed_weights.h"
#include "compiler/importers/torchscript/pickle.h"

namespace openrknn::torchscript {
namespace {

struct Parameters {
  ValueId scale, zero_point;
  int64_t axis;
};

Parameters parameters_of(const Call& call, const Coding& coding, DType zero_type) {
  const Shape shape = coding.axis < 0 ? Shape{} : Shape{static_cast<int64_t>(coding.scale.size())};
  std::vector<float> scales;
  for (const double scale : coding.scale) {
    if (!(scale > 0) || !std::isfinite(scale)) call.refuse(fmt::format("the scale {}", scale));
    scales.push_back(static_cast<float>(scale));
  }
  return {call.constant("scale", Tensor::from<float>(shape, scales)),
          call.constant("zero_point", openrknn::cast(Tensor::from<int32_t>(shape, coding.zero_point), zero_type)),
          std::max<int64_t>(coding.axis, 0)};
}

Coding one_scale(const Call& call, size_t scale, size_t zero_point, DType codes = DType::UInt8) {
  return {.codes = codes,
          .scale = {call.number(scale)},
          .zero_point = {zero_point_of(static_cast<double>(call.integer(zero_point)))}};
}

void add_bias(const Call& call, const PackedWeights& packed, std::vector<ValueId>& inputs) {
  const auto* bias = packed.bias.as<TensorRef>();
  if (bias == nullptr) return;
  if (!(*bias)->content) call.refuse("packed weights without their bias");
  inputs.push_back(call.constant("bias", openrknn::cast(*(*bias)->content, DType::Float32)));
}

ValueId finished(const Call& call, ValueId y, bool has_relu) { return has_relu ? call.add("Relu", {y}) : y; }

/// qx packed output_scale output_zero_point. Of one dimension the archive has images of height 1.
template <bool HasRelu>
Value quantized_convolution(const Call& call) {
  const ValueId x = call.floating(0);
  const PackedWeights packed = packed_convolution(call, 1);
  const ValueId weight = numbers_of_codes(call, *packed.weight);
  const auto count = packed.stride.size();
  const bool is_row = call.rank(x) == 3 && count == 2;
  ValueId image = x;
  if (is_row)
    image = call.builder().add_beside("Reshape", {x},
                                      {{"shape", Shape{call.extent(x, 0), call.extent(x, 1), 1, call.extent(x, 2)}}});
  if (call.rank(weight) != static_cast<int64_t>(count) + 2 || call.rank(image) != call.rank(weight))
    call.refuse(
        fmt::format("an input of {} and weights of {}", to_string(call.shape(x)), to_string(call.shape(weight))));
  std::vector<ValueId> inputs{image, weight};
  add_bias(call, packed, inputs);
  Ints pads = packed.padding;
  pads.insert(pads.end(), packed.padding.begin(), packed.padding.end());
  Attributes attributes{{"kernel_shape", Ints(call.shape(weight).begin() + 2, call.shape(weight).end())},
                        {"strides", packed.stride},
                        {"pads", pads},
                        {"dilations", packed.dilation},
                        {"group", packed.groups}};
  if (packed.is_transposed) attributes.emplace("output_padding", packed.output_padding);
  ValueId y = call.add(packed.is_transposed ? "ConvTranspose" : "Conv", std::move(inputs), std::move(attributes));
  y = finished(call, y, HasRelu);
  if (is_row) y = call.reshape(y, {call.shape(y)[0], call.shape(y)[1], call.shape(y)[3]});
  return coded(call, y, one_scale(call, 2, 3));
}

ValueId packed_product(const Call& call, bool has_relu) {
  const ValueId x = call.floating(0);
  const PackedWeights packed = packed_linear(call, 1);
  const ValueId weight = numbers_of_codes(call, *packed.weight);
  call.require_rank(weight, 2, 2);
  std::vector<ValueId> inputs{x, call.transpose(weight, {1, 0})};
  add_bias(call, packed, inputs);
  return finished(call, call.add("MatMul", std::move(inputs)), has_relu);
}
template <bool HasRelu>
Value quantized_linear(const Call& call) {
  return coded(call, packed_product(call, HasRelu), one_scale(call, 2, 3));
}
/// X packed reduce_range: the input's range is found while the model runs; float here
template <bool HasRelu>
Value dynamically_quantized_linear(const Call& call) {
  return box(packed_product(call, HasRelu));
}

/// qa qb scale zero_point
template <const char* Node, bool HasRelu>
Value quantized_binary(const Call& call) {
  const ValueId y = call.add(Node, {call.floating(0), call.floating(1)});
  return coded(call, finished(call, y, HasRelu), one_scale(call, 2, 3));
}
constexpr char kAdd[] = "Add", kMul[] = "Mul";

/// qa scalar: the scalar has the codes of qa's kind, the result those that torch derives
Value multiply_number(const Call& call) {
  const auto* x = call.at(0).as<TensorRef>();
  if (x == nullptr || !(*x)->coding) call.refuse("the input is not quantized");
  const double number = call.number(1);
  const ValueId y = call.add("Mul", {call.floating(0), call.scalar(number)});
  Coding coding = *(*x)->coding;
  if (number == 0) return coded(call, y, {.codes = coding.codes, .scale = {1}, .zero_point = {0}});
  for (double& scale : coding.scale) scale *= std::fabs(number);
  // The codes of a negative factor run the other way (qmul.cpp: _mul_scalar_out).
  const int32_t sum = coding.codes == DType::UInt8 ? 255 : -1;
  if (number < 0)
    for (int32_t& zero : coding.zero_point) zero = sum - zero;
  return coded(call, y, coding);
}

/// qx dim scale zero_point
template <bool HasRelu>
Value quantized_cat(const Call& call) {
  const std::vector<ValueId> parts = call.tensors(0);
  const ValueId y = call.concat(parts, call.axis_of(1, parts[0], 0));
  return coded(call, finished(call, y, HasRelu), one_scale(call, 2, 3));
}

/// qx … scale zero_point, of a function
Value quantized_leaky_relu(const Call& call) {
  const ValueId y = call.add("LeakyRelu", {call.floating(0)}, {{"alpha", call.number(1)}});
  return coded(call, y, one_scale(call, 3, 4));
}
template <const char* Node>
Value quantized_function(const Call& call) {
  return coded(call, call.add(Node, {call.floating(0)}), one_scale(call, 1, 2));
}
constexpr char kElu[] = "Elu";
Value quantized_elu(const Call& call) {
  return coded(call, call.add(kElu, {call.floating(0)}, {{"alpha", call.number(3, 1)}}), one_scale(call, 1, 2));
}
/// qx weight bias mean var eps scale zero_point
template <bool HasRelu>
Value quantized_batch_norm(const Call& call) {
  const ValueId y = call.add("BatchNormalization",
                             {call.floating(0), call.floating(1), call.floating(2), call.floating(3), call.floating(4)},
                             {{"epsilon", call.number(5)}});
  return coded(call, finished(call, y, HasRelu), one_scale(call, 6, 7));
}
/// input normalized_shape weight bias eps scale zero_point
Value quantized_layer_norm(const Call& call) {
  const ValueId x = call.floating(0);
  const int64_t axis = call.rank(x) - static_cast<int64_t>(call.ints(1).size());
  const ValueId y = call.add("LayerNormalization", {x, call.floating(2), call.floating(3)},
                             {{"axis", axis}, {"epsilon", call.number(4)}});
  return coded(call, y, one_scale(call, 5, 6));
}

/// self scale zero_point dtype
Value quantize(const Call& call) {
  const DType codes = dtype_of_number(call.integer(3));
  if (codes != DType::Int8 && codes != DType::UInt8) call.refuse("codes of other than 8 bits");
  return coded(call, call.floating(0), one_scale(call, 1, 2, codes));
}
/// self scales zero_points axis dtype
Value quantize_by_channel(const Call& call) {
  Coding coding{.codes = dtype_of_number(call.integer(4)),
                .scale = to_doubles(call.known(1)),
                .zero_point = {},
                .axis = call.integer(3)};
  for (const double zero : to_doubles(call.known(2))) coding.zero_point.push_back(zero_point_of(zero));
  return coded(call, call.floating(0), coding);
}
Value dequantize(const Call& call) { return box(call.tensor(0)); }

/// The codes a training saw: quant_min to quant_max decide their type.
Value fake_quantized(const Call& call, Coding coding, int64_t least, int64_t most) {
  if (least == 0 && most == 255) {
    coding.codes = DType::UInt8;
  } else if (least >= -128 && most <= 127) {
    coding.codes = DType::Int8;
  } else if (least >= 0 && most <= 255) {
    coding.codes = DType::UInt8;
  } else {
    call.refuse(fmt::format("codes from {} to {}", least, most));
  }
  ValueId x = call.floating(0);
  const bool is_whole = (least == 0 && most == 255) || (least == -128 && most == 127);
  if (!is_whole) {  // codes that are left out
    if (coding.axis >= 0) call.refuse(fmt::format("codes from {} to {} by channel are not supported", least, most));
    const double scale = coding.scale[0], zero = coding.zero_point[0];
    x = call.add(
        "Clip", {x},
        {{"min", (static_cast<double>(least) - zero) * scale}, {"max", (static_cast<double>(most) - zero) * scale}});
  }
  return box(coded_numbers(call, x, coding));
}
/// self scale zero_point quant_min quant_max
Value fake_quantize(const Call& call) {
  return fake_quantized(call, one_scale(call, 1, 2), call.integer(3), call.integer(4));
}
/// Of training that has ended: the scale is the one that was found. An observer that is on would change it.
/// self observer_on fake_quant_on running_min running_max scale zero_point averaging quant_min quant_max ch_axis
/// per_row
Value observed(const Call& call) {
  if (call.number(1) != 0)
    call.refuse("an observer still changes the ranges",
                "call model.apply(torch.ao.quantization.disable_observer) before it is saved");
  if (call.number(2) == 0) return call.at(0);
  Coding coding{.codes = DType::UInt8, .scale = to_doubles(call.known(5)), .zero_point = {}};
  for (const double zero : to_doubles(call.known(6))) coding.zero_point.push_back(zero_point_of(zero));
  if (call.flag(11)) {
    coding.axis = call.axis(call.integer(10), call.rank(call.tensor(0)));
  } else if (coding.scale.size() != 1) {
    call.refuse("several scales for one range");
  }
  return fake_quantized(call, coding, call.integer(8), call.integer(9));
}
/// self scale zero_point axis quant_min quant_max. Weights of narrow ranges are whole ones here: no code below is used.
Value fake_quantize_by_channel(const Call& call) {
  Coding coding{.codes = DType::Int8,
                .scale = to_doubles(call.known(1)),
                .zero_point = {},
                .axis = call.axis(call.integer(3), call.rank(call.tensor(0)))};
  for (const double zero : to_doubles(call.known(2))) coding.zero_point.push_back(zero_point_of(zero));
  return fake_quantized(call, coding, call.integer(4), call.integer(5));
}

constexpr std::string_view kProduct = "qx packed_weight output_scale output_zero_point",
                           kBinary = "qa qb scale zero_point";

constexpr OperatorRow own(std::string_view op, std::string_view parameters, Value (*translate)(const Call&)) {
  return {.op = op, .parameters = parameters, .translate = translate, .has_own_codes = true};
}

constexpr OperatorRow kQuantizedRows[] = {
    own("aten::dequantize", "self", dequantize),
    own("aten::fake_quantize_per_channel_affine", "self scale zero_point axis quant_min quant_max",
        fake_quantize_by_channel),
    own("aten::fake_quantize_per_tensor_affine", "self scale zero_point quant_min quant_max", fake_quantize),
    own("aten::fused_moving_avg_obs_fake_quant",
        "self observer_on fake_quant_on running_min running_max scale zero_point averaging_const quant_min quant_max "
        "ch_axis per_row_fake_quant symmetric_quant",
        observed),
    own("aten::quantize_per_channel", "self scales zero_points axis dtype", quantize_by_channel),
    own("aten::quantize_per_tensor", "self scale zero_point dtype", quantize),
    own("quantized::add", kBinary, quantized_binary<kAdd, false>),
    own("quantized::add_relu", kBinary, quantized_binary<kAdd, true>),
    own("quantized::batch_norm2d", "qx weight bias mean var eps output_scale output_zero_point",
        quantized_batch_norm<false>),
    own("quantized::batch_norm2d_relu", "qx weight bias mean var eps output_scale output_zero_point",
        quantized_batch_norm<true>),
    own("quantized::cat", "qx dim scale zero_point", quantized_cat<false>),
    own("quantized::cat_relu", "qx dim scale zero_point", quantized_cat<true>),
    own("quantized::conv1d", kProduct, quantized_convolution<false>),
    own("quantized::conv1d_relu", kProduct, quantized_convolution<true>),
    own("quantized::conv2d", kProduct, quantized_convolution<false>),
    own("quantized::conv2d_relu", kProduct, quantized_convolution<true>),
    own("quantized::conv3d", kProduct, quantized_convolution<false>),
    own("quantized::conv3d_relu", kProduct, quantized_convolution<true>),
    own("quantized::conv_transpose1d", kProduct, quantized_convolution<false>),
    own("quantized::conv_transpose2d", kProduct, quantized_convolution<false>),
    own("quantized::elu", "self output_scale output_zero_point alpha scale input_scale", quantized_elu),
    own("quantized::hardswish", "input output_scale output_zero_point", quantized_function<kHardSwish>),
    own("quantized::layer_norm", "input normalized_shape weight bias eps output_scale output_zero_point",
        quantized_layer_norm),
    own("quantized::leaky_relu", "qx negative_slope inplace output_scale output_zero_point", quantized_leaky_relu),
    own("quantized::linear", kProduct, quantized_linear<false>),
    own("quantized::linear_dynamic", "X packed_weight reduce_range", dynamically_quantized_linear<false>),
    own("quantized::linear_relu", kProduct, quantized_linear<true>),
    own("quantized::linear_relu_dynamic", "X packed_weight reduce_range", dynamically_quantized_linear<true>),
    own("quantized::mul", kBinary, quantized_binary<kMul, false>),
    own("quantized::mul_relu", kBinary, quantized_binary<kMul, true>),
    own("quantized::mul_scalar", "qa b", multiply_number),
    own("quantized::sigmoid", "qx output_scale output_zero_point", quantized_function<kSigmoid>),
};

}  // namespace

ValueId coded_numbers(const Call& call, ValueId numbers, const Coding& coding) {
  const Parameters parameters = parameters_of(call, coding, coding.codes);
  const ValueId codes = call.add("QuantizeLinear", {numbers, parameters.scale, parameters.zero_point},
                                 {{"axis", parameters.axis}, {"to", static_cast<int64_t>(coding.codes)}});
  return call.add("DequantizeLinear", {codes, parameters.scale, parameters.zero_point}, {{"axis", parameters.axis}});
}

Value coded(const Call& call, ValueId numbers, const Coding& coding) {
  auto made = std::make_shared<TensorBox>();
  made->id = coded_numbers(call, numbers, coding);
  made->coding = coding;
  return TensorRef(std::move(made));
}

ValueId numbers_of_codes(const Call& call, const TensorBox& tensor) {
  if (tensor.coding->scale.empty()) call.refuse("a quantized tensor without its scales");
  const Parameters parameters = parameters_of(call, *tensor.coding, tensor.content->dtype());
  const ValueId codes = call.constant("codes", *tensor.content);
  return call.builder().add_beside("DequantizeLinear", {codes, parameters.scale, parameters.zero_point},
                                   {{"axis", parameters.axis}});
}

Coding coding_after(std::string_view op, const Coding& before) {
  // What functions of a known range give has a fixed coding (ATen/native/quantized/cpu/qsigmoid.cpp, qtanh.cpp, …).
  const bool is_signed = before.codes == DType::Int8;
  if (op == "aten::sigmoid" || op == "aten::hardsigmoid" || op == "aten::hardsigmoid_" || op == "aten::sigmoid_" ||
      op == "aten::softmax")
    return {.codes = before.codes, .scale = {1.0 / 256}, .zero_point = {is_signed ? -128 : 0}};
  if (op == "aten::tanh" || op == "aten::tanh_")
    return {.codes = before.codes, .scale = {2.0 / 256}, .zero_point = {is_signed ? 0 : 128}};
  return before;
}

std::span<const OperatorRow> rows_of_quantized() { return kQuantizedRows; }

}  // namespace openrknn::torchscript
