// Layers with a state. A run begins with states of zero, as the first run of a fresh interpreter does.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/recurrent_layers.h"
#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

std::string function_of(const Layer& layer, int activation) {
  if (activation == 1) return "Relu";
  if (activation == 4) return "Tanh";
  layer.refuse(fmt::format("the activation {} is not supported in it, expected TANH or RELU", activation));
}

/// [batch, time, n] and [time, batch, n], or [batch, n] as one step.
struct Sequence {
  const Layer& layer;
  bool time_major;

  ValueId in() const {
    const ValueId x = layer.in_source_form(0);
    const Shape shape = layer.shape(0);
    if (shape.size() == 2) return layer.beside_reshape(x, Shape{1, shape[0], shape[1]});
    if (shape.size() != 3) layer.refuse(fmt::format("the input is {}, expected 3 dimensions", to_string(shape)));
    return time_major ? x : layer.builder().add_beside("Transpose", {x}, {{"perm", Ints{1, 0, 2}}});
  }
  /// Of [time, 1, batch, n].
  Placed out(ValueId y) const {
    const Shape shape = layer.builder().shape(y);
    if (layer.rank() == 2) return {layer.reshape(y, {shape[2], shape[3]}), ImageForm::Source};
    y = layer.reshape(y, {shape[0], shape[2], shape[3]});
    return {time_major ? y : layer.add("Transpose", {y}, {{"perm", Ints{1, 0, 2}}}), ImageForm::Source};
  }
};

/// Where the operands of one direction begin.
struct Places {
  size_t input_weights, recurrent_weights, peepholes, biases, projection;
};

// Gates stand as input, forget, cell, output; in the graph as input, output, forget, cell.
constexpr size_t kGates[] = {0, 3, 1, 2};

ValueId lstm(const Layer& layer, ValueId x, const Places& at, int activation, float cell_clip,
             std::string_view direction) {
  if (layer.has(at.projection)) layer.refuse("a projection of its results is not supported");
  if (!(cell_clip >= 0)) layer.refuse(fmt::format("cell_clip is {}", cell_clip));
  if (activation != 4) layer.refuse("an activation other than TANH is not supported in it");
  LayerBuilder& builder = layer.builder();
  const bool is_coupled = !layer.has(at.input_weights);
  const int64_t hidden = layer.shape(at.recurrent_weights + 1)[0], inputs = layer.shape(at.input_weights + 1)[1];
  const auto check = [&](size_t i, const Shape& shape) {
    if (layer.shape(i) != shape)
      layer.refuse(fmt::format("input {} is {}, expected {}", i + 1, to_string(layer.shape(i)), to_string(shape)));
  };
  // 1 - sigmoid(x) = sigmoid(-x): a coupled input gate is the forget gate of the other sign.
  const auto gate = [&](size_t first, size_t which, const Shape& shape, std::string_view part) {
    const bool is_mirrored = is_coupled && which == 0;
    const size_t i = first + (is_mirrored ? 1 : which);
    check(i, shape);
    std::vector<int> order(shape.size());
    for (size_t d = 0; d < order.size(); ++d) order[d] = static_cast<int>(d);
    const ValueId part_of = layer.weights(i, part, order);
    return is_mirrored ? builder.add_beside("Neg", {part_of}) : part_of;
  };
  const auto joined = [&](size_t first, std::span<const size_t> gates, const Shape& shape, std::string_view part,
                          const Shape& whole) {
    std::vector<ValueId> parts;
    for (const size_t which : gates) parts.push_back(gate(first, which, shape, part));
    const ValueId all = builder.add_beside("Concat", std::move(parts), {{"axis", int64_t{0}}});
    return builder.add_beside("Reshape", {all}, {{"shape", whole}});
  };
  std::vector<ValueId> operands{x};
  operands.push_back(joined(at.input_weights, kGates, {hidden, inputs}, "input weights", {1, 4 * hidden, inputs}));
  operands.push_back(
      joined(at.recurrent_weights, kGates, {hidden, hidden}, "recurrent weights", {1, 4 * hidden, hidden}));
  if (layer.has(at.biases + 1)) {
    const ValueId bias = joined(at.biases, kGates, {hidden}, "biases", {1, 4 * hidden});
    const ValueId none = builder.constant("no biases", Tensor::zeros(DType::Float32, {1, 4 * hidden}));
    operands.push_back(builder.add_beside("Concat", {bias, none}, {{"axis", int64_t{1}}}));
  }
  if (layer.has(at.peepholes + 1)) {
    if (is_coupled) layer.refuse("peepholes with a coupled input gate are not supported");
    constexpr size_t kPeepholes[] = {0, 2, 1};  // input, output, forget
    operands.resize(7, ValueId::None);
    operands.push_back(joined(at.peepholes, kPeepholes, {hidden}, "peepholes", {1, 3 * hidden}));
  }
  Attributes attributes = recurrent_attributes(direction, {"Sigmoid", "Tanh", "Tanh"});
  if (cell_clip > 0) attributes.emplace("cell_clip", static_cast<double>(cell_clip));
  return builder.add_many("LSTM", std::move(operands), std::move(attributes), 1).front();
}

Results sequence_lstm(const Layer& layer) {
  layer.require_inputs(18, 24);
  const auto* options = layer.options<file::LstmOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  for (size_t i = 20; i < layer.inputs(); ++i)
    if (layer.has(i)) layer.refuse("layer normalisation in it is not supported");
  const Sequence sequence{layer, options->time_major()};
  return {sequence.out(
      lstm(layer, sequence.in(), {1, 5, 9, 12, 16}, options->fused_activation(), options->cell_clip(), "forward"))};
}

Results cell_lstm(const Layer& layer) {
  if (layer.inputs() == 5) layer.refuse("its basic kernel is not supported");
  return sequence_lstm(layer);
}

Results both_ways(const Layer& layer, bool merge, const std::function<Placed(std::string_view)>& one) {
  const Placed forward = one("forward"), backward = one("reverse");
  if (!merge) return {forward, backward};
  const int64_t last = layer.axis(-1, layer.rank());
  return {{layer.add("Concat", {forward.id, backward.id}, {{"axis", last}}), ImageForm::Source}};
}

Results bidirectional_lstm(const Layer& layer) {
  layer.require_inputs(39, 48);
  const auto* options = layer.options<file::BidirectionalLstmOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  if (layer.has(39)) layer.refuse("an auxiliary input is not supported");
  const Sequence sequence{layer, options->time_major()};
  const ValueId x = sequence.in();
  return both_ways(layer, options->merge_outputs(), [&](std::string_view direction) {
    const Places at = direction == "forward" ? Places{1, 5, 9, 12, 16} : Places{18, 22, 26, 29, 33};
    return sequence.out(lstm(layer, x, at, options->fused_activation(), options->cell_clip(), direction));
  });
}

ValueId rnn(const Layer& layer, ValueId x, size_t weights, int activation, std::string_view direction) {
  LayerBuilder& builder = layer.builder();
  const auto stacked = [&](size_t i, std::string_view part, const std::vector<int>& order) {
    Shape shape = layer.shape(i);
    shape.insert(shape.begin(), 1);
    return builder.add_beside("Reshape", {layer.weights(i, part, order)}, {{"shape", shape}});
  };
  const int64_t hidden = layer.shape(weights)[0];
  const ValueId none = builder.constant("no biases", Tensor::zeros(DType::Float32, {1, hidden}));
  const ValueId bias = builder.add_beside("Concat", {stacked(weights + 2, "bias", {0}), none}, {{"axis", int64_t{1}}});
  return builder
      .add_many("RNN",
                {x, stacked(weights, "input weights", {0, 1}), stacked(weights + 1, "recurrent weights", {0, 1}), bias},
                recurrent_attributes(direction, {function_of(layer, activation)}), 1)
      .front();
}

Results sequence_rnn(const Layer& layer) {
  layer.require_inputs(5, 5);
  const auto* options = layer.options<file::RnnOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  const Sequence sequence{layer, options->time_major()};
  return {sequence.out(rnn(layer, sequence.in(), 1, options->fused_activation(), "forward"))};
}

Results cell_rnn(const Layer& layer) {
  layer.require_inputs(5, 5);
  const auto* options = layer.options<file::RnnCellOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  const Sequence sequence{layer, true};
  return {sequence.out(rnn(layer, sequence.in(), 1, options->fused_activation(), "forward"))};
}

Results bidirectional_rnn(const Layer& layer) {
  layer.require_inputs(9, 12);
  const auto* options = layer.options<file::BidirectionalRnnOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  if (layer.has(9)) layer.refuse("an auxiliary input is not supported");
  const Sequence sequence{layer, options->time_major()};
  const ValueId x = sequence.in();
  // input, then weights, recurrent, bias, state of each direction
  return both_ways(layer, options->merge_outputs(), [&](std::string_view direction) {
    return sequence.out(rnn(layer, x, direction == "forward" ? 1 : 5, options->fused_activation(), direction));
  });
}

// A memory of `memory` steps that is empty: the newest step alone counts. rank filters add up to a unit.
Results svdf(const Layer& layer) {
  layer.require_inputs(5, 5);
  const auto* options = layer.options<file::SvdfOptions>();
  if (options == nullptr || options->rank() < 1) layer.refuse("it has no rank");
  layer.require_rank(0, 2, 2);
  layer.require_rank(1, 2, 2);
  layer.require_rank(2, 2, 2);
  const int64_t batch = layer.shape(0)[0], filters = layer.shape(1)[0], memory = layer.shape(2)[1];
  const int64_t rank = options->rank();
  if (layer.shape(2)[0] != filters || memory < 1 || filters % rank != 0)
    layer.refuse(
        fmt::format("weights {} and {} with rank {}", to_string(layer.shape(1)), to_string(layer.shape(2)), rank));
  const ValueId features = layer.add("MatMul", {layer.in_source_form(0), layer.weights(1, "feature weights", {1, 0})});
  const ValueId newest = layer.add("Slice", {layer.weights(2, "time weights", {1, 0})},
                                   {{"starts", Ints{memory - 1, 0}}, {"ends", Ints{memory, filters}}});
  const ValueId each = layer.reshape(layer.add("Mul", {features, newest}), {batch, filters / rank, rank});
  ValueId y = layer.add("ReduceSum", {each}, {{"axes", Ints{2}}, {"keepdims", int64_t{0}}});
  if (layer.has(3)) y = layer.add("Add", {y, layer.weights(3, "bias", {0})});
  return {{layer.activated(y, options->fused_activation()), ImageForm::Source}};
}

constexpr LayerRow kRecurrentRows[] = {
    {16, "LSTM", cell_lstm},
    {24, "RNN", cell_rnn},
    {27, "SVDF", svdf},
    {35, "UNIDIRECTIONAL_SEQUENCE_RNN", sequence_rnn},
    {44, "UNIDIRECTIONAL_SEQUENCE_LSTM", sequence_lstm},
    {46, "BIDIRECTIONAL_SEQUENCE_RNN", bidirectional_rnn},
    {52, "BIDIRECTIONAL_SEQUENCE_LSTM", bidirectional_lstm},
};

}  // namespace

std::span<const LayerRow> rows_of_recurrent() { return kRecurrentRows; }

}  // namespace openrknn::tflite
