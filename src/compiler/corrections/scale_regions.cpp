#include "compiler/corrections/scale_regions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>

#include "compiler/passes/layer.h"

namespace openrknn::corrections {
namespace {

using passes::as_activated_layer, passes::float_content, passes::is_float;

/// How a node passes a factor on.
enum class Passing : uint8_t {
  Together,   ///< all real inputs and outputs are scaled alike, constants among them
  First,      ///< the first input and the outputs are scaled alike, other inputs stay
  Weights,    ///< a layer: the weights make up for the difference, the bias goes with the output
  Factor,     ///< product with a constant, which makes up for the difference
  Normalize,  ///< the input's factor goes into epsilon, the output's into scale and bias
  Affine,     ///< BatchNormalization: as Weights, with mean and variance
  Pins,       ///< anything else
};

constexpr std::string_view kTogether[] = {
    "Relu",          "LeakyRelu",   "Clip",      "MaxPool",   "AveragePool", "GlobalAveragePool",
    "GlobalMaxPool", "Reshape",     "Transpose", "Slice",     "Split",       "Concat",
    "Add",           "Sub",         "Max",       "Min",       "Neg",         "Abs",
    "ReduceMean",    "ReduceSum",   "ReduceMax", "ReduceMin", "Expand",      "Tile",
    "DepthToSpace",  "SpaceToDepth"};
constexpr std::string_view kFirst[] = {"PRelu", "Gather"};

bool is_one_of(std::string_view op, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

bool is_plain_constant(const Graph& graph, ValueId id) {
  return graph[id].constant.has_value() && graph[id].producer == NodeId::None;
}

bool is_computed_real(const Graph& graph, ValueId id) {
  return id != ValueId::None && is_float(graph, id) && !is_plain_constant(graph, id);
}

bool has_float_constants(const Graph& graph, const Node& node, size_t from) {
  for (size_t i = from; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != ValueId::None && float_content(graph, node.inputs[i]) == nullptr) return false;
  }
  return true;
}

/// Straight through zero, or with bounds that can be scaled along.
bool has_scalable_activation(const Node& node) {
  if (!has_attribute(node.attributes, "activation")) return true;
  const std::string activation = string_attribute(node.attributes, "activation", "");
  return activation == "Relu" || activation == "Clip" || activation == "LeakyRelu";
}

std::optional<size_t> constant_side(const Graph& graph, const Node& node) {
  for (const size_t side : {size_t{1}, size_t{0}}) {
    if (float_content(graph, node.inputs[side]) != nullptr && is_computed_real(graph, node.inputs[1 - side]))
      return side;
  }
  return std::nullopt;
}

Passing passing_of(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (!has_scalable_activation(node)) return Passing::Pins;
  if (is_one_of(node.op, kTogether)) {
    for (const ValueId input : node.inputs) {
      const bool real = input != ValueId::None && is_float(graph, input);
      if (real && is_plain_constant(graph, input) && float_content(graph, input) == nullptr) return Passing::Pins;
    }
    return Passing::Together;
  }
  if (is_one_of(node.op, kFirst)) {
    const bool scalable = is_computed_real(graph, node.inputs[0]) || float_content(graph, node.inputs[0]) != nullptr;
    return scalable ? Passing::First : Passing::Pins;
  }
  if (node.op == "Pad") {
    return float_attribute(node.attributes, "value", 0) == 0 ? Passing::First : Passing::Pins;
  }
  if (node.op == "Resize") {
    const bool extrapolates =
        string_attribute(node.attributes, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
    return extrapolates ? Passing::Pins : Passing::First;
  }
  if (as_activated_layer(graph, id)) return Passing::Weights;
  if (node.op == "Mul" && constant_side(graph, node)) return Passing::Factor;
  if (node.op == "LayerNormalization" || node.op == "InstanceNormalization") {
    return has_float_constants(graph, node, 1) ? Passing::Normalize : Passing::Pins;
  }
  if (node.op == "BatchNormalization" && has_float_constants(graph, node, 1)) return Passing::Affine;
  return Passing::Pins;
}

/// Union-find while the regions grow.
struct Unions {
  std::vector<int> parent;
  std::map<int, std::string> pinned;  // by root

  int root(int at) {
    while (parent[static_cast<size_t>(at)] != at) at = parent[static_cast<size_t>(at)];
    return at;
  }
  void join(ValueId a, ValueId b) {
    const int keep = root(static_cast<int>(a)), gone = root(static_cast<int>(b));
    if (keep == gone) return;
    parent[static_cast<size_t>(gone)] = keep;
    if (const auto reason = pinned.find(gone); reason != pinned.end()) pinned.emplace(keep, reason->second);
  }
  void pin(ValueId id, std::string reason) { pinned.emplace(root(static_cast<int>(id)), std::move(reason)); }
};

std::string pin_reason(const Graph& graph, const Node& node, ValueId value) {
  const bool reads = std::find(node.inputs.begin(), node.inputs.end(), value) != node.inputs.end();
  const std::string activation = string_attribute(node.attributes, "activation", "");
  return fmt::format("'{}' ({}{}) {} '{}', and a factor cannot pass it", node.name, node.op,
                     activation.empty() ? "" : " + " + activation, reads ? "reads" : "gives", graph[value].name);
}

void replace_constant(Graph& graph, NodeId id, size_t input, double factor) {
  if (factor == 1 || graph[id].inputs.size() <= input || graph[id].inputs[input] == ValueId::None) return;
  const ValueId former = graph[id].inputs[input];
  std::vector<double> values = to_doubles(*graph[former].constant);
  for (double& v : values) v *= factor;
  const std::string name = graph[former].name;
  graph.set_input(id, input,
                  graph.add_constant(name, cast(Tensor::from<double>(graph[former].shape, values), DType::Float32)));
}

void scale_attribute(Node& node, std::string_view name, double factor) {
  const auto found = node.attributes.find(name);
  if (found != node.attributes.end()) found->second = float_attribute(node.attributes, name, 0) * factor;
}

}  // namespace

ScaleRegions::ScaleRegions(const Graph& graph) {
  Unions unions;
  for (int i = 0; i < static_cast<int>(graph.value_count()); ++i) unions.parent.push_back(i);
  const auto pin = [&](const Node& node, ValueId value) {
    if (is_computed_real(graph, value)) unions.pin(value, pin_reason(graph, node, value));
  };
  for (const ValueId id : graph.inputs) unions.pin(id, fmt::format("'{}' is an input of the model", graph[id].name));
  for (const ValueId id : graph.outputs) unions.pin(id, fmt::format("'{}' is an output of the model", graph[id].name));
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    const Node& node = graph[id];
    const Passing passing = passing_of(graph, id);
    if (passing == Passing::Together || passing == Passing::First) {
      const size_t tied = passing == Passing::First ? 1 : node.inputs.size();
      for (const ValueId output : node.outputs) {
        for (size_t i = 0; i < tied; ++i) {
          if (is_computed_real(graph, output) && is_computed_real(graph, node.inputs[i])) {
            unions.join(output, node.inputs[i]);
          }
        }
      }
      for (size_t i = tied; i < node.inputs.size(); ++i) pin(node, node.inputs[i]);
    } else if (passing == Passing::Pins) {
      for (const ValueId input : node.inputs) pin(node, input);
      for (const ValueId output : node.outputs) pin(node, output);
    }
  }
  std::map<int, int> numbers;
  for (int i = 0; i < static_cast<int>(graph.value_count()); ++i) {
    if (!is_computed_real(graph, ValueId{i})) {
      region_.push_back(-1);
      continue;
    }
    const int root = unions.root(i);
    const auto [at, is_new] = numbers.emplace(root, count());
    if (is_new) reason_.push_back(unions.pinned.contains(root) ? unions.pinned.at(root) : "");
    region_.push_back(at->second);
  }
  for (const NodeId id : order) {
    const Node& node = graph[id];
    const Passing passing = passing_of(graph, id);
    if (passing == Passing::Weights) {
      factors_.push_back({id, 1, of(node.inputs[0]), of(node.outputs[0])});
    } else if (passing == Passing::Factor) {
      const size_t side = *constant_side(graph, node);
      factors_.push_back({id, side, of(node.inputs[1 - side]), of(node.outputs[0])});
    }
  }
}

void ScaleRegions::apply(Graph& graph, const std::vector<int>& exponent) const {
  const auto of_value = [&](ValueId id) { return of(id) < 0 ? 0 : exponent[static_cast<size_t>(of(id))]; };
  for (const Factor& factor : factors_) {
    const int change = exponent[static_cast<size_t>(factor.in)] - exponent[static_cast<size_t>(factor.out)];
    replace_constant(graph, factor.node, factor.input, std::ldexp(1.0, change));
  }
  for (const NodeId id : graph.order()) {
    const ValueId first = graph[id].outputs.empty() ? ValueId::None : graph[id].outputs[0];
    if (first == ValueId::None || of(first) < 0) continue;
    const Passing passing = passing_of(graph, id);
    const int in = of_value(graph[id].inputs.empty() ? ValueId::None : graph[id].inputs[0]), out = of_value(first);
    const double output_scale = std::ldexp(1.0, -out);
    switch (passing) {
      case Passing::Together:
        for (size_t i = 0; i < graph[id].inputs.size(); ++i) {
          const ValueId input = graph[id].inputs[i];
          if (input != ValueId::None && is_plain_constant(graph, input) && is_float(graph, input)) {
            replace_constant(graph, id, i, output_scale);
          }
        }
        break;
      case Passing::Weights:
        replace_constant(graph, id, 2, output_scale);
        break;
      case Passing::Normalize: {
        Node& node = graph[id];
        if (in != 0) {
          node.attributes["epsilon"] = float_attribute(node.attributes, "epsilon", 1e-5) * std::ldexp(1.0, -2 * in);
        }
        replace_constant(graph, id, 1, output_scale);
        replace_constant(graph, id, 2, output_scale);
        break;
      }
      case Passing::Affine:
        replace_constant(graph, id, 1, std::ldexp(1.0, in - out));
        replace_constant(graph, id, 2, output_scale);
        replace_constant(graph, id, 3, std::ldexp(1.0, -in));
        break;
      case Passing::First:
        if (is_plain_constant(graph, graph[id].inputs[0])) replace_constant(graph, id, 0, output_scale);
        break;
      case Passing::Factor:
      case Passing::Pins:
        break;
    }
    if (out == 0 || passing == Passing::Pins) continue;
    for (const ValueId output : graph[id].outputs) {
      if (output != ValueId::None) graph[output].constant.reset();  // what inference had proven was another number
    }
    Node& node = graph[id];
    for (const std::string_view bound : {"min", "max", "activation_min", "activation_max"}) {
      scale_attribute(node, bound, output_scale);
    }
  }
}

}  // namespace openrknn::corrections
