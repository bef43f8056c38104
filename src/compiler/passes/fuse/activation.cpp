// An activation behind a layer (or Relu and Clip behind an arithmetic op) is computed on the way out of it.
#include <algorithm>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {
namespace {

constexpr std::string_view kStraight[] = {"Relu", "Clip"};
constexpr std::string_view kCurved[] = {"Relu",     "Clip",        "LeakyRelu", "Elu",  "Sigmoid", "Tanh",
                                        "Softplus", "HardSigmoid", "HardSwish", "SiLU", "Mish",    "Gelu"};

struct Rule {
  std::string_view op;
  std::span<const std::string_view> activations;
};
constexpr Rule kRules[] = {
    {"Conv", kCurved},  {"ConvTranspose", kCurved}, {"MatMul", kCurved}, {"Add", kStraight},
    {"Sub", kStraight}, {"Mul", kStraight},         {"Div", kStraight},
};

bool is_allowed(std::string_view op, std::string_view activation) {
  const auto rule = std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& r) { return r.op == op; });
  if (rule == std::end(kRules)) return false;
  return std::find(rule->activations.begin(), rule->activations.end(), activation) != rule->activations.end();
}

}  // namespace

bool fuse_activation(Graph& graph, const PassContext& context) {
  return for_each_node(graph, [&](NodeId id) {
    const Node& activation = graph[id];
    if (activation.inputs.size() != 1 || activation.outputs.size() != 1) return false;
    const ValueId plain = activation.inputs[0];
    const NodeId before = graph[plain].producer;
    if (before == NodeId::None || !is_allowed(graph[before].op, activation.op)) return false;
    if (has_attribute(graph[before].attributes, "activation")) return false;
    if (!used_once(graph, plain) || !is_float(graph, plain)) return false;
    note(context, "fuse_activation", graph, std::vector{before, id});
    Attributes& attributes = graph[before].attributes;
    attributes["activation"] = activation.op;
    for (const auto& [name, value] : activation.attributes) attributes["activation_" + name] = value;
    graph.set_output(before, 0, activation.outputs[0]);
    graph.absorb(id, std::span(&before, 1));
    return true;
  });
}

}  // namespace openrknn::passes
