// LSTM, GRU and RNN, over sequences and step by step.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/recurrent_layers.h"
#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

/// What tells the three apart. Torch has gates in the order i f g o and r z n, the graph in i o f c and z r h.
struct Cell {
  std::string_view node;
  Ints gates;
  std::vector<std::string> functions;
  bool has_cell_state = false;
};
const Cell kLstm{"LSTM", {0, 3, 1, 2}, {"Sigmoid", "Tanh", "Tanh"}, true};
const Cell kGru{"GRU", {1, 0, 2}, {"Sigmoid", "Tanh"}};
const Cell kTanhRnn{"RNN", {0}, {"Tanh"}};
const Cell kReluRnn{"RNN", {0}, {"Relu"}};

/// [gates · H, …] with the gates in the graph's order, and a direction in front.
ValueId reordered(const Call& call, ValueId weights, const Cell& cell) {
  const auto count = static_cast<int64_t>(cell.gates.size());
  const int64_t extent = call.rank(weights) == 0 ? 0 : call.extent(weights, 0);
  if (extent % count != 0) call.refuse(fmt::format("weights of {}", to_string(call.shape(weights))));
  return gates_in_order(call.builder(), weights, cell.gates);
}

ValueId joined(const Call& call, const std::vector<ValueId>& parts, int64_t axis) {
  return parts.size() == 1 ? parts[0] : call.builder().add_beside("Concat", parts, {{"axis", axis}});
}

struct Result {
  ValueId sequence, hidden, cell;
};

/// One layer, in one direction or both. `weights`: for each direction those of the input, of the state, and their
/// biases.
Result layer(const Call& call, const Cell& cell, ValueId x, std::span<const ValueId> weights, bool has_biases,
             bool is_bidirectional, ValueId hidden, ValueId state) {
  const size_t directions = is_bidirectional ? 2 : 1, each = weights.size() / directions;
  std::vector<ValueId> input, recurrent, biases;
  for (size_t d = 0; d < directions; ++d) {
    input.push_back(reordered(call, weights[d * each], cell));
    recurrent.push_back(reordered(call, weights[d * each + 1], cell));
    if (!has_biases) continue;
    biases.push_back(
        joined(call, {reordered(call, weights[d * each + 2], cell), reordered(call, weights[d * each + 3], cell)}, 1));
  }
  std::vector<ValueId> inputs{x,
                              joined(call, input, 0),
                              joined(call, recurrent, 0),
                              has_biases ? joined(call, biases, 0) : ValueId::None,
                              ValueId::None,
                              hidden};
  if (cell.has_cell_state) inputs.push_back(state);
  std::vector<std::string> functions;
  for (size_t d = 0; d < directions; ++d)
    functions.insert(functions.end(), cell.functions.begin(), cell.functions.end());
  Attributes attributes = recurrent_attributes(is_bidirectional ? "bidirectional" : "forward", std::move(functions));
  if (cell.node == "GRU") attributes.emplace("linear_before_reset", int64_t{1});
  const std::vector<ValueId> outputs =
      call.builder().add_many(cell.node, std::move(inputs), std::move(attributes), cell.has_cell_state ? 3 : 2);
  return {outputs[0], outputs[1], cell.has_cell_state ? outputs[2] : ValueId::None};
}

/// input hx params has_biases num_layers dropout train bidirectional batch_first
Value network(const Call& call, const Cell& cell) {
  if (call.at(2).is<bool>() || call.is_tensor(1) == cell.has_cell_state)
    call.refuse("packed sequences are not supported", "give the model padded sequences");
  ValueId x = call.floating(0);
  const bool is_unbatched = call.rank(x) == 2, batch_first = call.flag(8) && !is_unbatched,
             has_biases = call.flag(3, true), is_bidirectional = call.flag(7);
  call.require_rank(x, 2, 3);
  const int64_t layers = call.integer(4, 1), directions = is_bidirectional ? 2 : 1;
  std::vector<ValueId> states = cell.has_cell_state ? call.tensors(1) : std::vector{call.floating(1)};
  const std::vector<ValueId> weights = call.tensors(2);
  const size_t each = has_biases ? 4 : 2;
  if (layers < 1 || layers > 64 || weights.size() != each * static_cast<size_t>(layers * directions))
    call.refuse(fmt::format("{} weights for {} layers; projections are not supported", weights.size(), layers));
  if (states.size() != (cell.has_cell_state ? 2 : 1)) call.refuse(fmt::format("{} states", states.size()));
  if (is_unbatched) {
    x = call.reshape(x, {call.extent(x, 0), 1, call.extent(x, 1)});
    for (ValueId& state : states) {
      call.require_rank(state, 2, 2);
      state = call.reshape(state, {call.extent(state, 0), 1, call.extent(state, 1)});
    }
  }
  if (batch_first) x = call.transpose(x, {1, 0, 2});
  std::vector<ValueId> hidden, cells;
  for (int64_t i = 0; i < layers; ++i) {
    const auto state_of = [&](size_t which) {
      if (which >= states.size()) return ValueId::None;
      call.require_rank(states[which], 3, 3);
      return layers == 1 ? states[which] : call.slice(states[which], 0, i * directions, (i + 1) * directions);
    };
    const auto own =
        std::span(weights).subspan(static_cast<size_t>(i * directions) * each, each * static_cast<size_t>(directions));
    const Result result = layer(call, cell, x, own, has_biases, is_bidirectional, state_of(0), state_of(1));
    // [T, D, N, H] -> [T, N, D · H]
    const Shape shape = call.shape(result.sequence);
    const ValueId turned = is_bidirectional ? call.transpose(result.sequence, {0, 2, 1, 3}) : result.sequence;
    x = call.reshape(turned, {shape[0], shape[2], shape[1] * shape[3]});
    hidden.push_back(result.hidden);
    cells.push_back(result.cell);
  }
  if (batch_first) x = call.transpose(x, {1, 0, 2});
  std::vector<ValueId> results{x, call.concat(hidden, 0)};
  if (cell.has_cell_state) results.push_back(call.concat(cells, 0));
  if (is_unbatched) {
    for (ValueId& result : results) {
      Shape shape = call.shape(result);
      shape.erase(shape.begin() + 1);
      result = call.reshape(result, shape);
    }
  }
  return tuple_of(results);
}

/// input hx w_ih w_hh b_ih b_hh: one step of a sequence of one
std::vector<ValueId> step(const Call& call, const Cell& cell) {
  ValueId x = call.floating(0);
  call.require_rank(x, 1, 2);
  const bool is_unbatched = call.rank(x) == 1;
  std::vector<ValueId> states = cell.has_cell_state ? call.tensors(1) : std::vector{call.floating(1)};
  if (states.size() != (cell.has_cell_state ? 2 : 1)) call.refuse(fmt::format("{} states", states.size()));
  const int64_t batch = is_unbatched ? 1 : call.extent(x, 0);
  x = call.builder().add_beside("Reshape", {x}, {{"shape", Shape{1, batch, call.shape(x).back()}}});
  const Shape shape = call.shape(states[0]);
  for (ValueId& state : states)
    state = call.builder().add_beside("Reshape", {state}, {{"shape", Shape{1, batch, call.shape(state).back()}}});
  std::vector<ValueId> weights{call.floating(2), call.floating(3)};
  const bool has_biases = call.has(4) && call.has(5);
  if (has_biases) weights.insert(weights.end(), {call.floating(4), call.floating(5)});
  const Result result =
      layer(call, cell, x, weights, has_biases, false, states[0], states.size() > 1 ? states[1] : ValueId::None);
  std::vector<ValueId> results{call.reshape(result.hidden, shape)};
  if (cell.has_cell_state) results.push_back(call.reshape(result.cell, shape));
  return results;
}

constexpr std::string_view kNetwork = "input hx params has_biases num_layers dropout train bidirectional batch_first",
                           kStep = "input hx w_ih w_hh b_ih b_hh";

constexpr OperatorRow kRecurrentRows[] = {
    {"aten::gru", kNetwork, [](const Call& call) { return network(call, kGru); }},
    {"aten::gru_cell", kStep, [](const Call& call) { return box(step(call, kGru)[0]); }},
    {"aten::lstm", kNetwork, [](const Call& call) { return network(call, kLstm); }},
    {"aten::lstm_cell", kStep, [](const Call& call) { return tuple_of(step(call, kLstm)); }},
    {"aten::rnn_relu", kNetwork, [](const Call& call) { return network(call, kReluRnn); }},
    {"aten::rnn_relu_cell", kStep, [](const Call& call) { return box(step(call, kReluRnn)[0]); }},
    {"aten::rnn_tanh", kNetwork, [](const Call& call) { return network(call, kTanhRnn); }},
    {"aten::rnn_tanh_cell", kStep, [](const Call& call) { return box(step(call, kTanhRnn)[0]); }},
};

}  // namespace

std::span<const OperatorRow> rows_of_recurrent() { return kRecurrentRows; }

}  // namespace openrknn::torchscript
