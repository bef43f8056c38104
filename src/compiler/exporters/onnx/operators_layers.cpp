// Layers with weights, windows, normalizations and reductions.
#include <algorithm>
#include <optional>

#include "compiler/exporters/onnx/operators.h"

namespace openrknn::onnx_export {
namespace {

/// Attributes of a window, and more of them.
std::vector<NamedAttribute> window(const Emission& e, std::initializer_list<std::string_view> more) {
  std::vector<NamedAttribute> list = e.attributes({"kernel_shape", "strides", "pads", "dilations"});
  for (NamedAttribute& each : e.attributes(more)) list.push_back(std::move(each));
  return list;
}

/// As window(), extents rounded up by padding at the end: opsets differ in where a window may begin that reaches beyond
/// the input. Padding in the divisor of a mean would count, so there the attribute stays, if it means the same in all;
/// else nullopt.
std::optional<std::vector<NamedAttribute>> pooling_window(const Emission& e,
                                                          std::initializer_list<std::string_view> more) {
  if (e.integer("ceil_mode") == 0) return window(e, more);
  const Shape &x = e.value(0).shape, &y = e.result().shape;
  const std::vector<int64_t> kernel = e.integers("kernel_shape");
  const size_t dimensions = kernel.size();
  const auto list = [&](std::string_view name, size_t count, int64_t fallback) {
    std::vector<int64_t> values = e.integers(name);
    if (values.empty()) values.assign(count, fallback);
    return values;
  };
  const std::vector<int64_t> strides = list("strides", dimensions, 1), dilations = list("dilations", dimensions, 1);
  std::vector<int64_t> pads = list("pads", 2 * dimensions, 0);
  bool fits = is_static(x) && e.integer("count_include_pad") == 0, is_plain = is_static(x);
  for (size_t d = 0; fits && d < dimensions; ++d) {
    const int64_t reach = dilations[d] * (kernel[d] - 1) + 1;
    const int64_t end = (y[d + 2] - 1) * strides[d] + reach - x[d + 2] - pads[d];
    pads[d + dimensions] = std::max(pads[d + dimensions], end);
    fits = pads[d + dimensions] < kernel[d];
  }
  const std::vector<int64_t> given = list("pads", 2 * dimensions, 0);
  for (size_t d = 0; is_plain && d < dimensions; ++d) {
    const int64_t room = x[d + 2] + given[d] + given[d + dimensions] - dilations[d] * (kernel[d] - 1) - 1;
    is_plain = y[d + 2] == (room + strides[d] - 1) / strides[d] + 1;  // no window was left out
  }
  std::vector<NamedAttribute> attributes = window(e, more);
  if (!fits && !is_plain) return std::nullopt;
  if (!fits) {
    attributes.push_back({"ceil_mode", int64_t{1}});
    return attributes;
  }
  std::erase_if(attributes, [](const NamedAttribute& each) { return each.name == "pads"; });
  attributes.push_back({"pads", pads});
  return attributes;
}

/// Inputs without the table of integer graphs.
std::vector<std::string> layer_inputs(const Emission& e) { return {e.in(0), e.in(1), e.in(2)}; }

void convolution(Emission& e) {
  if (type_in_file(e.value(0)).dtype != DType::Float32) return e.produce_own();  // exact integers: ours alone
  write_with_activation(e, e.node.op, layer_inputs(e), window(e, {"group", "output_padding"}));
}

void matmul(Emission& e) {
  if (!e.has(2)) return write_with_activation(e, "MatMul", {e.in(0), e.in(1)}, {});
  if (e.rank(0) == 2 && e.rank(1) == 2) return write_with_activation(e, "Gemm", layer_inputs(e), {});
  const std::string product = e.emit("MatMul", {e.in(0), e.in(1)});
  write_with_activation(e, "Add", {product, e.in(2)}, {});
}

/// Written out: readers have known its parts since opset 1, and quantizers look for MatMul.
void attention(Emission& e) {
  const std::string scale = e.number(e.real("scale", 1), DType::Float32, "scale");
  std::string scores = e.emit("Mul", {e.emit("MatMul", {e.in(0), e.in(1)}), scale});
  if (e.has(3)) scores = e.emit("Add", {scores, e.in(3)});
  e.produce("MatMul", {e.emit("Softmax", {scores}, {{"axis", int64_t{-1}}}), e.in(2)});
}

void pool(Emission& e) {
  auto attributes = pooling_window(e, {"count_include_pad", "p"});
  if (!attributes) return e.produce_own();
  e.produce(e.node.op, {e.in(0)}, std::move(*attributes));
}
/// The second output of MaxPool.
void arg_max_pool(Emission& e) {
  auto attributes = pooling_window(e, {"storage_order"});
  if (!attributes) return e.produce_own();
  e.produce("MaxPool", {e.in(0)}, std::move(*attributes), {e.scope.file.tensor_name(e.node.name + "_unused"), e.out()});
}
/// With output_shape given, the window says nothing more.
void max_unpool(Emission& e) {
  const std::vector<int64_t> ones(static_cast<size_t>(e.rank() - 2), 1);
  e.produce("MaxUnpool", {e.in(0), e.in(1), e.list(e.integers("shape"), "output_shape")},
            {{"kernel_shape", ones}, {"strides", ones}});
}
void global_pool(Emission& e) { e.produce(e.node.op, {e.in(0)}); }

void with_epsilon(Emission& e) { e.produce(e.node.op, e.all_inputs(), e.attributes({"axis", "epsilon"})); }
void softmax(Emission& e) { e.produce(e.node.op, {e.in(0)}, e.attributes({"axis"})); }
void lp_normalization(Emission& e) { e.produce(e.node.op, {e.in(0)}, e.attributes({"axis", "p"})); }
void local_response(Emission& e) { e.produce("LRN", {e.in(0)}, e.attributes({"size", "alpha", "beta", "bias"})); }

void reduction(Emission& e) {
  e.produce(e.node.op, {e.in(0), e.list(e.integers("axes"), "axes")}, e.attributes({"keepdims"}));
}
void arg(Emission& e) { e.produce(e.node.op, {e.in(0)}, e.attributes({"axis", "keepdims", "select_last_index"})); }
void det(Emission& e) { e.produce("Det", {e.in(0)}); }

/// Plain operators on codes. The type of the codes follows from the zero point, where there is one.
void quantize_linear(Emission& e) {
  std::vector<NamedAttribute> attributes = e.attributes({"axis", "block_size"});
  if (!e.has(2)) attributes.push_back({"output_dtype", int64_t{element_type(e.result().dtype)}});
  e.produce("QuantizeLinear", e.all_inputs(), std::move(attributes));
}
void dequantize_linear(Emission& e) {
  e.produce("DequantizeLinear", e.all_inputs(), e.attributes({"axis", "block_size"}));
}

constexpr OperatorRow kLayerRows[] = {
    {"Conv", convolution},
    {"ConvTranspose", convolution},
    {"MatMul", matmul},
    {"Attention", attention},
    {"MaxPool", pool},
    {"AveragePool", pool},
    {"LpPool", pool},
    {"ArgMaxPool", arg_max_pool},
    {"MaxUnpool", max_unpool},
    {"GlobalAveragePool", global_pool},
    {"GlobalMaxPool", global_pool},
    {"BatchNormalization", with_epsilon},
    {"InstanceNormalization", with_epsilon},
    {"LayerNormalization", with_epsilon},
    {"LpNormalization", lp_normalization},
    {"LRN", local_response},
    {"Softmax", softmax},
    {"LogSoftmax", softmax},
    {"ReduceMean", reduction},
    {"ReduceSum", reduction},
    {"ReduceMax", reduction},
    {"ReduceMin", reduction},
    {"ReduceL1", reduction},
    {"ReduceL2", reduction},
    {"ReduceProd", reduction},
    {"ReduceSumSquare", reduction},
    {"ReduceLogSum", reduction},
    {"ReduceLogSumExp", reduction},
    {"ArgMax", arg},
    {"ArgMin", arg},
    {"Det", det},
    {"QuantizeLinear", quantize_linear},
    {"DequantizeLinear", dequantize_linear},
};

}  // namespace

std::span<const OperatorRow> layer_operators() { return kLayerRows; }

}  // namespace openrknn::onnx_export
