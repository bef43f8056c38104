// Recurrent layers: Lstm of the OCR forks over whole sequences, LSTM and RNN of BVLC's Caffe step by step, as their
// second input may begin a new sequence at any step (lstm_layer.cpp, lstm_unit_layer.cpp, rnn_layer.cpp).
#include <fmt/format.h>

#include "compiler/importers/caffe/layers.h"
#include "compiler/importers/recurrent_layers.h"

namespace openrknn::caffe {
namespace {

constexpr int64_t kMostSteps = 1024;

struct Sequence {
  int64_t steps, batch, features;
};

/// [steps, batch, features…]. The forks also have rows, [steps · batch, features], and say the batch.
Sequence sequence_of(const Layer& layer, int64_t batch_of_rows) {
  const Shape& x = layer.shape(0);
  if (x.size() < 2) layer.refuse(fmt::format("the input is {}, expected a sequence", to_string(x)));
  Sequence sequence{x[0], x[1], 1};
  size_t first = 2;
  if (x.size() == 2) {
    if (batch_of_rows < 1 || x[0] % batch_of_rows != 0)
      layer.refuse(fmt::format("{} rows are no steps of a batch of {}", x[0], batch_of_rows));
    sequence = {x[0] / batch_of_rows, batch_of_rows, 1};
    first = 1;
  }
  for (size_t d = first; d < x.size(); ++d) sequence.features *= x[d];
  return sequence;
}

int64_t hidden_of(const Layer& layer, const Message& options) {
  const int64_t hidden = options.integer("num_output", 0, 1, 1 << 16);
  if (hidden < 1) layer.refuse("num_output is missing");
  return hidden;
}

ValueId transposed(const Layer& layer, ValueId matrix) {
  return layer.builder.add_beside("Transpose", {matrix}, {{"perm", Ints{1, 0}}});
}

ValueId part_of(const Layer& layer, ValueId x, int64_t axis, int64_t start, int64_t end) {
  Ints starts(layer.builder.shape(x).size(), 0), ends = layer.builder.shape(x);
  starts[static_cast<size_t>(axis)] = start;
  ends[static_cast<size_t>(axis)] = end;
  return layer.add("Slice", {x}, {{"starts", starts}, {"ends", ends}});
}

/// Weights of the input [4H, I], of the state [4H, H], biases [4H], gates in the order i f o g; the graph's is i o f g.
Results whole_lstm(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("lstm_param");
  const int64_t hidden = hidden_of(layer, options);
  const bool are_rows = layer.rank() == 2;
  const Sequence sequence = sequence_of(layer, options.integer("batch_size", 1, 1, 1 << 20));
  LayerBuilder& builder = layer.builder;
  constexpr int64_t kGates[] = {0, 2, 1, 3};
  const auto ordered = [&](ValueId weights) { return gates_in_order(builder, weights, kGates); };
  const ValueId x = builder.add_beside("Reshape", {layer.inputs[0]},
                                       {{"shape", Shape{sequence.steps, sequence.batch, sequence.features}}});
  const ValueId bias = ordered(layer.weights(2, "bias", {4 * hidden}));
  const ValueId none = builder.constant("no bias", Tensor::zeros(DType::Float32, {1, 4 * hidden}));
  const ValueId y = builder
                        .add_many("LSTM",
                                  {x, ordered(layer.weights(0, "input weights", {4 * hidden, sequence.features})),
                                   ordered(layer.weights(1, "recurrent weights", {4 * hidden, hidden})),
                                   builder.add_beside("Concat", {bias, none}, {{"axis", int64_t{1}}})},
                                  recurrent_attributes("forward", {"Sigmoid", "Tanh", "Tanh"}), 1)
                        .front();
  return {layer.reshape(
      y, are_rows ? Shape{sequence.steps * sequence.batch, hidden} : Shape{sequence.steps, sequence.batch, hidden})};
}

/// What LSTM and RNN share: x by its weights for all steps at once, and the second input, 0 where a sequence begins.
struct Unrolled {
  Sequence sequence;
  int64_t hidden;
  ValueId from_input;  ///< [steps, batch, rows of the weights]

  ValueId at(const Layer& layer, int64_t step) const {
    const Shape& shape = layer.builder.shape(from_input);
    return layer.reshape(part_of(layer, from_input, 0, step, step + 1), {shape[1], shape[2]});
  }
  /// [batch, 1]
  ValueId goes_on(const Layer& layer, int64_t step) const {
    return layer.reshape(part_of(layer, layer.inputs[1], 0, step, step + 1), {sequence.batch, 1});
  }
};

Unrolled unroll(const Layer& layer, int64_t gates) {
  const Message& options = layer.options("recurrent_param");
  if (layer.inputs.size() > 2 || options.boolean("expose_hidden", false))
    layer.refuse("static inputs and exposed states are not supported");
  layer.require_inputs(2, 2);
  const int64_t hidden = hidden_of(layer, options);
  const Sequence sequence = sequence_of(layer, 1);
  if (layer.rank() < 3 || layer.shape(1) != Shape{sequence.steps, sequence.batch})
    layer.refuse(fmt::format("the inputs are {} and {}, expected [steps, batch, …] and [steps, batch]",
                             to_string(layer.shape(0)), to_string(layer.shape(1))));
  if (sequence.steps < 1 || sequence.steps > kMostSteps) layer.refuse(fmt::format("{} steps", sequence.steps));
  const ValueId x = layer.builder.add_beside("Reshape", {layer.inputs[0]},
                                             {{"shape", Shape{sequence.steps, sequence.batch, sequence.features}}});
  const ValueId weights = transposed(layer, layer.weights(0, "input weights", {gates * hidden, sequence.features}));
  return {sequence, hidden, layer.add("MatMul", {x, weights, layer.weights(1, "bias", {gates * hidden})})};
}

ValueId joined(const Layer& layer, const Unrolled& work, std::vector<ValueId> steps) {
  for (ValueId& step : steps) step = layer.reshape(step, {1, work.sequence.batch, work.hidden});
  return steps.size() == 1 ? steps[0] : layer.add("Concat", std::move(steps), {{"axis", int64_t{0}}});
}

Results unrolled_lstm(const Layer& layer) {
  const Unrolled work = unroll(layer, 4);
  const int64_t hidden = work.hidden;
  const ValueId weights = transposed(layer, layer.weights(2, "recurrent weights", {4 * hidden, hidden}));
  ValueId state = ValueId::None, cell = ValueId::None;
  std::vector<ValueId> outputs;
  for (int64_t step = 0; step < work.sequence.steps; ++step) {
    ValueId sums = work.at(layer, step);
    if (step > 0) {  // before the first step both states are 0
      const ValueId goes_on = work.goes_on(layer, step);
      state = layer.add("MatMul", {layer.add("Mul", {state, goes_on}), weights});
      sums = layer.add("Add", {sums, state});
      cell = layer.add("Mul", {cell, goes_on});
    }
    const auto gate = [&](int64_t i, std::string_view function) {
      return layer.add(function, {part_of(layer, sums, 1, i * hidden, (i + 1) * hidden)});
    };
    const ValueId fresh = layer.add("Mul", {gate(0, "Sigmoid"), gate(3, "Tanh")});
    cell = step == 0 ? fresh : layer.add("Add", {layer.add("Mul", {gate(1, "Sigmoid"), cell}), fresh});
    state = layer.add("Mul", {gate(2, "Sigmoid"), layer.add("Tanh", {cell})});
    outputs.push_back(state);
  }
  return {joined(layer, work, std::move(outputs))};
}

Results unrolled_rnn(const Layer& layer) {
  const Unrolled work = unroll(layer, 1);
  const int64_t hidden = work.hidden;
  const ValueId weights = transposed(layer, layer.weights(2, "recurrent weights", {hidden, hidden}));
  const ValueId out = transposed(layer, layer.weights(3, "output weights", {hidden, hidden}));
  const ValueId bias = layer.weights(4, "output bias", {hidden});
  ValueId state = ValueId::None;
  std::vector<ValueId> outputs;
  for (int64_t step = 0; step < work.sequence.steps; ++step) {
    ValueId sums = work.at(layer, step);
    if (step > 0) {
      const ValueId kept = layer.add("Mul", {state, work.goes_on(layer, step)});
      sums = layer.add("Add", {sums, layer.add("MatMul", {kept, weights})});
    }
    state = layer.add("Tanh", {sums});
    outputs.push_back(layer.add("Tanh", {layer.add("MatMul", {state, out, bias})}));
  }
  return {joined(layer, work, std::move(outputs))};
}

constexpr LayerRow kRecurrentRows[] = {
    {"LSTM", unrolled_lstm},
    {"Lstm", whole_lstm},
    {"RNN", unrolled_rnn},
};

}  // namespace

std::span<const LayerRow> rows_of_recurrent() { return kRecurrentRows; }

}  // namespace openrknn::caffe
