// LSTM, GRU and RNN in the one form the IR has: time first, every activation named with its parameters.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

/// Functions of recurrent layers and the parameters they take.
struct FunctionRow {
  std::string_view name;
  bool takes_alpha, takes_beta;
  double alpha, beta;  // defaults, those of the operator of that name
};
constexpr FunctionRow kFunctions[] = {
    {"Relu", false, false, 0, 0},
    {"Tanh", false, false, 0, 0},
    {"Sigmoid", false, false, 0, 0},
    {"Affine", true, true, 1, 0},
    {"LeakyRelu", true, false, double{0.01f}, 0},
    {"ThresholdedRelu", true, false, 1, 0},
    {"ScaledTanh", true, true, 1, 1},
    {"HardSigmoid", true, true, double{0.2f}, 0.5},
    {"Elu", true, false, 1, 0},
    {"Softsign", false, false, 0, 0},
    {"Softplus", false, false, 0, 0},
};

/// Names are read in any case, as exporters write them.
const FunctionRow* find_function(std::string_view name) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  for (const FunctionRow& row : kFunctions) {
    if (std::equal(row.name.begin(), row.name.end(), name.begin(), name.end(), same)) return &row;
  }
  return nullptr;
}

struct Layer {
  int64_t gates;
  std::vector<std::string_view> functions;  // defaults, of one direction
  size_t state_inputs;                      // initial_h, or initial_h and initial_c
  size_t outputs;
};

/// The functions, each with its parameters: activation_alpha and activation_beta are consumed in order by those that
/// take one.
void read_functions(const Translation& t, const Layer& layer, int64_t directions, Attributes& attributes) {
  const size_t count = layer.functions.size() * static_cast<size_t>(directions);
  std::vector<std::string> names;
  if (const AttributeProto* given = t.attribute("activations", AttributeKind::Strings)) {
    for (const Bytes name : given->strings) names.emplace_back(name);
  }
  if (names.empty()) {
    for (size_t i = 0; i < count; ++i) names.emplace_back(layer.functions[i % layer.functions.size()]);
  }
  if (names.size() != count) {
    t.fail(Code::ImportShapeMismatch, fmt::format("activations has {} entries, expected {}", names.size(), count));
  }
  const std::vector<double> alphas = t.reals("activation_alpha"), betas = t.reals("activation_beta");
  size_t next_alpha = 0, next_beta = 0;
  std::vector<double> alpha, beta;
  for (std::string& name : names) {
    const FunctionRow* row = find_function(name);
    if (row == nullptr) t.unsupported(fmt::format("'{}' is no activation that the standard lists", name));
    name = row->name;
    alpha.push_back(row->takes_alpha && next_alpha < alphas.size() ? alphas[next_alpha++] : row->alpha);
    beta.push_back(row->takes_beta && next_beta < betas.size() ? betas[next_beta++] : row->beta);
  }
  attributes["activations"] = std::move(names);
  attributes["activation_alpha"] = std::move(alpha);
  attributes["activation_beta"] = std::move(beta);
}

void recurrent(Translation& t, const Layer& layer) {
  const std::string direction = t.text("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    t.unsupported(fmt::format("direction is '{}', expected forward, reverse or bidirectional", direction));
  }
  Attributes attributes = {{"direction", direction}};
  read_functions(t, layer, direction == "bidirectional" ? 2 : 1, attributes);
  if (const double clip = t.real("clip", 0); clip != 0) attributes["clip"] = clip;
  for (const std::string_view flag : {"linear_before_reset", "input_forget"}) {
    if (const int64_t value = t.integer(flag, 0); value != 0) attributes[std::string(flag)] = value;
  }
  if (t.rank(0) != 3 || t.rank(2) != 3) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("X and R must have rank 3, got {} and {}", to_string(t.shape(0)), to_string(t.shape(2))));
  }
  const int64_t hidden = t.shape(2)[2];
  if (const int64_t given = t.integer("hidden_size", hidden); given != hidden) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("hidden_size is {}, but R has shape {}", given, to_string(t.shape(2))));
  }
  const bool batch_first = t.integer("layout", 0) != 0;
  std::vector<ValueId> inputs;
  for (size_t i = 0; i < t.input_count(); ++i) {
    ValueId value = t.optional_input(i);
    const bool is_state = i == 0 || (i > 4 && i < 5 + layer.state_inputs);
    if (batch_first && is_state && value != ValueId::None) value = t.transpose(value, {1, 0, 2});
    if (i == 4 && value != ValueId::None) value = t.cast(value, DType::Int32);
    inputs.push_back(value);
  }
  while (inputs.back() == ValueId::None) inputs.pop_back();
  if (!batch_first) return t.produce(t.op(), std::move(inputs), std::move(attributes));
  const std::vector<ValueId> results = t.emit_many(t.op(), std::move(inputs), std::move(attributes), layer.outputs);
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i] == ValueId::None) continue;
    t.forward(t.transpose(results[i], i == 0 ? std::vector<int64_t>{2, 0, 1, 3} : std::vector<int64_t>{1, 0, 2}), i);
  }
}

void lstm(Translation& t) { recurrent(t, {4, {"Sigmoid", "Tanh", "Tanh"}, 2, 3}); }
void gru(Translation& t) { recurrent(t, {3, {"Sigmoid", "Tanh"}, 1, 2}); }
void rnn(Translation& t) { recurrent(t, {1, {"Tanh"}, 1, 2}); }

constexpr OperatorRow kRecurrentRows[] = {
    {"LSTM", 6, 28, lstm},
    {"GRU", 6, 28, gru},
    {"RNN", 6, 28, rnn},
};

}  // namespace

std::span<const OperatorRow> recurrent_operators() { return kRecurrentRows; }

}  // namespace openrknn::onnx
