#include "compiler/importers/tflite/layers.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/tflite/dequantize.h"

namespace openrknn::tflite {
namespace {

constexpr std::string_view kOther = "it calls another graph of the file", kText = "it works on text or tables";
constexpr LayerRow kRefused[] = {
    {.code = 10, .name = "HASHTABLE_LOOKUP", .refused = kText},
    {.code = 15, .name = "LSH_PROJECTION", .refused = kText},
    {.code = 31, .name = "CALL", .refused = kOther},
    {.code = 33, .name = "EMBEDDING_LOOKUP_SPARSE", .refused = kText},
    {.code = 118, .name = "IF", .refused = kOther},
    {.code = 119, .name = "WHILE", .refused = kOther},
    {.code = 120,
     .name = "NON_MAX_SUPPRESSION_V4",
     .refused = "boxes are chosen on the host: cut the model before it with outputs="},
    {.code = 121,
     .name = "NON_MAX_SUPPRESSION_V5",
     .refused = "boxes are chosen on the host: cut the model before it with outputs="},
};

}  // namespace

namespace {

/// Biases of int16 x int8 layers have 64 bits and never need them.
Tensor narrowed(const Tensor& wide) {
  Tensor narrow = cast(wide, DType::Int32);
  if (!identical(cast(narrow, DType::Int64), wide))
    fail(Code::ImportUnsupportedAttribute, "a bias has codes of more than 32 bits");
  return narrow;
}

}  // namespace

std::vector<LayerRow> layer_rows() {
  std::vector<LayerRow> rows(std::begin(kRefused), std::end(kRefused));
  for (const std::span<const LayerRow> table :
       {rows_of_products(), rows_of_functions(), rows_of_arithmetic(), rows_of_shapes(), rows_of_slices(),
        rows_of_lookups(), rows_of_reductions(), rows_of_sampling(), rows_of_recurrent(), rows_of_quantization()}) {
    rows.insert(rows.end(), table.begin(), table.end());
  }
  return rows;
}

const SourceTensor& Layer::input(size_t i) const {
  if (!has(i)) refuse(fmt::format("input {} is missing, it has {}", i + 1, inputs()));
  return network.model.tensors[index(i)];
}

size_t Layer::index(size_t i) const {
  const auto given = static_cast<size_t>(source.inputs[i]);
  const int32_t stored_as = network.states[given].stored_as;
  return stored_as == kNoTensor ? given : static_cast<size_t>(stored_as);
}

const SourceTensor& Layer::output(size_t i) const {
  return network.model.tensors[static_cast<size_t>(source.outputs.at(i))];
}

Shape Layer::shape(size_t i) const {
  const SourceTensor& tensor = input(i);
  return network.states[index(i)].content ? tensor.shape : layout().shape(real(i));
}

Placed Layer::real(size_t i) const {
  const SourceTensor& tensor = input(i);
  TensorState& state = network.states[index(i)];
  if (state.real.id != ValueId::None) return state.real;
  if (state.codes.id != ValueId::None) {
    state.real = {dequantized(builder(), state.codes.id, tensor, state.codes.form), state.codes.form};
    return state.real;
  }
  if (!state.content && tensor.is_variable && is_static(tensor.shape)) {
    // A state starts at zero, of codes at their zero point.
    state.real = {builder().graph.add_constant(tensor.name, Tensor::zeros(DType::Float32, tensor.shape)), {}};
    return state.real;
  }
  if (!state.content) refuse(fmt::format("it reads '{}', which nothing gives before", tensor.name));
  const bool is_half = state.content->dtype() == DType::Float16;
  const ValueId stored =
      builder().graph.add_constant(tensor.name, is_half ? cast(*state.content, DType::Float32) : *state.content);
  const bool is_coded = tensor.quant && state.content->dtype() == tensor.dtype;
  state.real = {is_coded ? dequantized(builder(), stored, tensor, ImageForm::Source) : stored, ImageForm::Source};
  return state.real;
}

std::vector<Placed> Layer::all_real() const {
  std::vector<Placed> all;
  for (size_t i = 0; i < inputs(); ++i) all.push_back(real(i));
  return all;
}

ValueId Layer::channels_first(size_t i) const {
  require_rank(i, 4, 4);
  return layout().channels_first(real(i));
}

std::optional<Tensor> Layer::content(size_t i) const {
  input(i);
  const TensorState& state = network.states[index(i)];
  if (state.content) return state.content;
  // Computed from constants: proven by inference. In the source's order only where it has that form.
  if (state.real.id == ValueId::None || state.real.form != ImageForm::Source) return std::nullopt;
  return builder().graph[state.real.id].constant;
}

ValueId Layer::weights(size_t i, std::string_view part, const std::vector<int>& order) const {
  const SourceTensor& tensor = input(i);
  if (tensor.shape.size() != order.size())
    refuse(fmt::format("{} is {}, expected {} dimensions", part, to_string(tensor.shape), order.size()));
  const TensorState& state = network.states[index(i)];
  if (!state.content) {
    Ints perm(order.begin(), order.end());
    return add("Transpose", {layout().source(real(i))}, {{"perm", std::move(perm)}});
  }
  Tensor turned = transpose(*state.content, order);
  if (turned.dtype() == DType::Int64 && tensor.quant) turned = narrowed(turned);
  if (!tensor.quant || is_floating(turned.dtype())) return builder().constant(part, cast(turned, DType::Float32));
  SourceTensor moved = tensor;
  if (tensor.quant->axis >= 0)
    moved.quant->axis = static_cast<int>(std::ranges::find(order, tensor.quant->axis) - order.begin());
  return dequantized(builder(), builder().constant(part, turned), moved, ImageForm::Source);
}

ValueId Layer::activated(ValueId x, int activation) const {
  switch (activation) {
    case 0:
      return x;
    case 1:
      return add("Relu", {x});
    case 2:
      return add("Clip", {x}, {{"min", -1.0}, {"max", 1.0}});
    case 3:
      return add("Clip", {x}, {{"min", 0.0}, {"max", 6.0}});
    case 4:
      return add("Tanh", {x});
    case 5:
      return add("Sign", {x});
    default:
      refuse(fmt::format("the activation {} is none of the format's", activation));
  }
}

void Layer::require_inputs(size_t least, size_t most) const {
  if (inputs() < least || inputs() > most)
    refuse(least == most ? fmt::format("{} inputs, expected {}", inputs(), least)
                         : fmt::format("{} inputs, expected {} to {}", inputs(), least, most));
}

void Layer::require_rank(size_t i, int64_t least, int64_t most) const {
  if (rank(i) < least || rank(i) > most)
    refuse(fmt::format("input {} is {}, expected {} dimensions", i + 1, to_string(shape(i)),
                       least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most)));
}

std::pair<int64_t, int64_t> padding_of(const Layer& layer, int padding, int64_t size, Window window) {
  const std::pair<int64_t, int64_t> same = same_padding(layer, size, window);
  if (padding != 0 && padding != 1) layer.refuse(fmt::format("padding {} is none of the format's", padding));
  return padding == 0 ? same : std::pair<int64_t, int64_t>{0, 0};
}

}  // namespace openrknn::tflite
