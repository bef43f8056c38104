// A Pad in front of a window op becomes pads of that op.
#include <algorithm>
#include <limits>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {
namespace {

/// Nothing below 0 comes out of the producer, so that a padding of 0 never wins a MaxPool against a real element.
bool is_not_negative(const Graph& graph, ValueId value) {
  const NodeId id = graph[value].producer;
  if (id == NodeId::None) return false;
  const Node& node = graph[id];
  const std::string fused = string_attribute(node.attributes, "activation", "");
  const std::string function = fused.empty() ? node.op : fused;
  if (function == "Clip") return float_attribute(node.attributes, fused.empty() ? "min" : "activation_min", -1) >= 0;
  return function == "Relu" || function == "Sigmoid" || function == "HardSigmoid";
}

/// The pads can be moved into `next` without changing a number (given that they are spatial and not negative).
bool is_legal(const Graph& graph, const Node& pad, const Node& next, const std::vector<int64_t>& joined) {
  const double value = float_attribute(pad.attributes, "value", 0);
  if (next.op == "Conv") return value == 0;
  const std::vector<int64_t> kernel = ints_attribute(next.attributes, "kernel_shape");
  const std::vector<int64_t> dilations =
      ints_attribute(next.attributes, "dilations", std::vector<int64_t>(kernel.size(), 1));
  for (size_t d = 0; d < kernel.size(); ++d) {  // every window keeps a real element
    const int64_t reach = dilations[d] * (kernel[d] - 1) + 1;
    if (joined[d] >= reach || joined[d + kernel.size()] >= reach) return false;
    if (dilations[d] != 1 && joined[d] + joined[d + kernel.size()] > 0) return false;  // holes may skip it
  }
  // With ceil_mode a last window may reach past the pads, where explicit padding would count and implicit would not.
  if (int_attribute(next.attributes, "ceil_mode", 0) != 0) return false;
  if (next.op == "MaxPool") {
    return value == -std::numeric_limits<double>::infinity() || value <= std::numeric_limits<float>::lowest() ||
           (value == 0 && is_not_negative(graph, pad.inputs[0]));
  }
  const std::vector<int64_t> former = ints_attribute(next.attributes, "pads");
  const bool pads_count = int_attribute(next.attributes, "count_include_pad", 0) != 0;
  const bool none_yet = std::all_of(former.begin(), former.end(), [](int64_t p) { return p == 0; });
  return value == 0 && (pads_count || none_yet);
}

}  // namespace

bool fold_pad(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"Conv", "AveragePool", "MaxPool"}, [&](NodeId id) {
    const ValueId padded = graph[id].inputs[0];
    const NodeId pad = producer(graph, padded, "Pad");
    if (pad == NodeId::None || !used_once(graph, padded) || !is_float(graph, padded)) return false;
    if (string_attribute(graph[pad].attributes, "mode", "constant") != "constant") return false;
    const std::vector<int64_t> pads = ints_attribute(graph[pad].attributes, "pads");
    const size_t rank = pads.size() / 2, spatial = rank - 2;
    if (std::any_of(pads.begin(), pads.end(), [](int64_t p) { return p < 0; })) return false;
    if (pads[0] || pads[1] || pads[rank] || pads[rank + 1]) return false;  // batch or channels
    std::vector<int64_t> joined = ints_attribute(graph[id].attributes, "pads", std::vector<int64_t>(2 * spatial, 0));
    for (size_t d = 0; d < spatial; ++d) {
      joined[d] += pads[d + 2];
      joined[d + spatial] += pads[d + 2 + rank];
    }
    if (!is_legal(graph, graph[pad], graph[id], joined)) return false;
    note(context, "fold_pad", graph, std::vector{pad, id});
    if (graph[id].op == "AveragePool") graph[id].attributes["count_include_pad"] = int64_t{1};
    graph[id].attributes["pads"] = joined;
    graph.set_input(id, 0, graph[pad].inputs[0]);
    graph.absorb(pad, std::span(&id, 1));
    return true;
  });
}

}  // namespace openrknn::passes
