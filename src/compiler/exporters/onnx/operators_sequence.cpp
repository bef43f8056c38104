// Recurrent layers and running sums.
#include <algorithm>
#include <iterator>

#include "compiler/exporters/onnx/operators.h"

namespace openrknn::onnx_export {
namespace {

/// Which functions consume an entry of activation_alpha and activation_beta.
struct FunctionRow {
  std::string_view name;
  bool takes_beta;
};
constexpr FunctionRow kParameterised[] = {
    {"Affine", true},     {"LeakyRelu", false},  {"ThresholdedRelu", false},
    {"ScaledTanh", true}, {"HardSigmoid", true}, {"Elu", false},
};

/// Results nobody reads may be left out, in contrast to those of other operators.
void recurrent(Emission& e) {
  if (has_attribute(e.node.attributes, "cell_clip")) return e.produce_own();  // ONNX has no such bound
  std::vector<NamedAttribute> attributes =
      e.attributes({"direction", "activations", "clip", "linear_before_reset", "input_forget"});
  const auto& functions = std::get<std::vector<std::string>>(e.node.attributes.at("activations"));
  const std::vector<double> alphas = floats_attribute(e.node.attributes, "activation_alpha");
  const std::vector<double> betas = floats_attribute(e.node.attributes, "activation_beta");
  std::vector<double> alpha, beta;
  for (size_t i = 0; i < functions.size(); ++i) {
    const auto* const row = std::find_if(std::begin(kParameterised), std::end(kParameterised),
                                         [&](const FunctionRow& each) { return each.name == functions[i]; });
    if (row == std::end(kParameterised)) continue;
    alpha.push_back(alphas[i]);
    if (row->takes_beta) beta.push_back(betas[i]);
  }
  if (!alpha.empty()) attributes.push_back({"activation_alpha", std::move(alpha)});
  if (!beta.empty()) attributes.push_back({"activation_beta", std::move(beta)});
  attributes.push_back({"hidden_size", e.value(2).shape[2]});
  std::vector<std::string> outputs;
  for (size_t i = 0; i < e.node.outputs.size(); ++i) {
    outputs.push_back(e.node.outputs[i] == ValueId::None ? "" : e.out(i));
  }
  e.produce(e.node.op, e.all_inputs(), std::move(attributes), std::move(outputs));
}

void cumulative_sum(Emission& e) {
  const std::string axis = e.number(static_cast<double>(e.integer("axis")), DType::Int64, "axis");
  e.produce("CumSum", {e.in(0), axis}, e.attributes({"exclusive", "reverse"}));
}

void reverse_sequence(Emission& e) {
  e.produce("ReverseSequence", e.all_inputs(), e.attributes({"batch_axis", "time_axis"}));
}

constexpr OperatorRow kSequenceRows[] = {
    {"LSTM", recurrent},
    {"GRU", recurrent},
    {"RNN", recurrent},
    {"CumSum", cumulative_sum},
    {"ReverseSequence", reverse_sequence},
};

}  // namespace

std::span<const OperatorRow> sequence_operators() { return kSequenceRows; }

}  // namespace openrknn::onnx_export
