#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "core/graph/graph.h"
#include "core/graph/quant_runs.h"
#include "core/graph/schema.h"

namespace openrknn {
namespace {

/// One kind of promise a function; all of them report into one list.
class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  void check_ports() {
    std::set<ValueId> seen;
    for (const ValueId id : graph_.inputs) {
      if (!known(id, "graph input")) continue;
      if (!seen.insert(id).second) add(tensor(id), "is listed twice as a graph input");
      if (graph_[id].producer != NodeId::None) add(tensor(id), "is a graph input and produced by a node");
      if (graph_[id].constant) add(tensor(id), "is a graph input and has constant content");
    }
    for (const ValueId id : graph_.outputs) {
      if (known(id, "graph output") && !available(id)) add(tensor(id), "is a graph output that nothing computes");
    }
    check_orders(graph_.inputs, graph_.input_orders, "inputs");
    check_orders(graph_.outputs, graph_.output_orders, "outputs");
  }

  void check_orders(const std::vector<ValueId>& ids, const std::vector<std::vector<int>>& orders, const char* side) {
    if (orders.size() > ids.size())
      add({}, fmt::format("has {} orders of {}, and {} of them", orders.size(), side, ids.size()));
    for (size_t i = 0; i < std::min(ids.size(), orders.size()); ++i) {
      std::vector<int> sorted = orders[i], all(graph_[ids[i]].shape.size());
      std::iota(all.begin(), all.end(), 0);
      std::ranges::sort(sorted);
      if (!sorted.empty() && sorted != all)
        add(tensor(ids[i]), fmt::format("has the order [{}] of its {} dimensions in the source",
                                        fmt::join(orders[i], ", "), all.size()));
    }
  }

  void check_node(NodeId id) {
    const Node& node = graph_[id];
    for (const ValueId input : node.inputs) {
      if (input == ValueId::None || !known(input, "input of " + node.name)) continue;
      if (!available(input)) {
        add(graph_.where(id), fmt::format("reads '{}', which nothing computes", graph_[input].name));
      }
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId output = node.outputs[i];
      if (output == ValueId::None || !known(output, "output of " + node.name)) continue;
      if (std::find(node.outputs.begin(), node.outputs.begin() + static_cast<std::ptrdiff_t>(i), output) !=
          node.outputs.begin() + static_cast<std::ptrdiff_t>(i)) {
        add(graph_.where(id), fmt::format("gives '{}' twice", graph_[output].name));
      } else if (graph_[output].producer != id) {
        add(graph_.where(id), fmt::format("gives '{}', which says it is produced by {}", graph_[output].name,
                                          producer_text(graph_[output].producer)));
      }
    }
  }

  void check_value(ValueId id) {
    const Value& value = graph_[id];
    if (value.producer != NodeId::None) {
      const bool exists = static_cast<int64_t>(value.producer) < graph_.node_count() && graph_.alive(value.producer);
      const bool gives =
          exists && std::find(graph_[value.producer].outputs.begin(), graph_[value.producer].outputs.end(), id) !=
                        graph_[value.producer].outputs.end();
      if (!gives) add(tensor(id), fmt::format("names {} as its producer", producer_text(value.producer)));
    }
    if (value.constant && (value.constant->dtype() != value.dtype || value.constant->shape() != value.shape)) {
      add(tensor(id), fmt::format("is {}{}, but its content is {}{}", name(value.dtype), to_string(value.shape),
                                  name(value.constant->dtype()), to_string(value.constant->shape())));
    }
    if (value.quant) check_quant(id, *value.quant);
  }

  void check_quant(ValueId id, const QuantParams& quant) {
    const Value& value = graph_[id];
    const int64_t rank = static_cast<int64_t>(value.shape.size());
    // Constants of a model that came quantized: real numbers that codes stand for, and say so.
    const bool decoded = is_floating(value.dtype) && value.constant && value.producer == NodeId::None;
    if ((is_floating(value.dtype) && !decoded) || value.dtype == DType::Bool) {
      add(tensor(id),
          fmt::format("has quantization parameters and type {}, expected an integer type", name(value.dtype)));
    }
    if (quant.axis < -1 || quant.axis >= rank) {
      add(tensor(id), fmt::format("is quantized along axis {}, expected -1 to {}", quant.axis, rank - 1));
      return;
    }
    if (quant.scale.size() != quant.zero_point.size()) {
      add(tensor(id), fmt::format("has {} scales and {} zero points, expected as many", quant.scale.size(),
                                  quant.zero_point.size()));
    }
    if (quant.group < 0) add(tensor(id), fmt::format("is quantized in groups of {}", quant.group));
    const int64_t expected = expected_scales(value.shape, quant);
    if (static_cast<int64_t>(quant.scale.size()) != expected) {
      add(tensor(id), fmt::format("has {} scales for shape {} along axis {}, expected {}", quant.scale.size(),
                                  to_string(value.shape), quant.axis, expected));
    }
    const auto usable = [](double scale) { return scale > 0 && scale < 1e38; };  // false for NaN too
    if (!std::all_of(quant.scale.begin(), quant.scale.end(), usable)) {
      add(tensor(id), "has a scale that is not a positive number");
    }
  }

  /// Types and shapes as the schema infers them; the type of a quantized result is its own (see infer()).
  void check_inference(NodeId id) {
    const Node& node = graph_[id];
    std::vector<Inference::Output> inferred;
    try {
      inferred = inferred_outputs(graph_, node);
    } catch (const Error& error) {
      for (const Diagnostic& diagnostic : error.diagnostics) problems_.add(diagnostic);
      return;
    }
    const auto quantized = [&](ValueId value) { return value != ValueId::None && graph_[value].quant.has_value(); };
    const bool reads_codes = std::any_of(node.inputs.begin(), node.inputs.end(), quantized);
    for (size_t i = 0; i < inferred.size(); ++i) {
      if (node.outputs[i] == ValueId::None) continue;
      const Value& value = graph_[node.outputs[i]];
      const bool free_choice = value.quant || node.op == "Convert" || (reads_codes && is_floating(value.dtype));
      Shape expected = inferred[i].shape;
      for (size_t d = 0; value.constant && d < expected.size() && d < value.shape.size(); ++d) {
        if (expected[d] < 0) expected[d] = value.shape[d];  // known content settles what would depend on data
      }
      if (value.shape != expected || (value.dtype != inferred[i].dtype && !free_choice)) {
        add(graph_.where(id), fmt::format("gives '{}' as {}{}, expected {}{}", value.name, name(value.dtype),
                                          to_string(value.shape), name(inferred[i].dtype), to_string(expected)));
      }
    }
  }

  /// Every source layer is computed by a live node, or said to be unplaced; never both, never neither.
  void check_origins() {
    std::vector<int> holders(graph_.origins.size());
    for (int64_t i = 0; i < graph_.node_count(); ++i) {
      const NodeId id{static_cast<int32_t>(i)};
      if (!graph_.alive(id)) continue;
      const std::vector<int32_t>& list = graph_[id].origins;
      if (std::adjacent_find(list.begin(), list.end(), std::greater_equal<>()) != list.end()) {
        add(graph_.where(id), "has origins out of order or twice, expected ascending indices");
      }
      for (const int32_t origin : list) {
        if (origin < 0 || static_cast<size_t>(origin) >= holders.size()) {
          add(graph_.where(id), fmt::format("has origin {}, expected 0 to {}", origin, graph_.origins.size()));
        } else {
          ++holders[static_cast<size_t>(origin)];
        }
      }
    }
    for (const int32_t origin : graph_.unplaced_origins) {
      if (origin < 0 || static_cast<size_t>(origin) >= holders.size()) {
        add({}, fmt::format("unplaced origin {} does not exist", origin));
      } else if (holders[static_cast<size_t>(origin)]++ > 0) {
        add(graph_.origins[static_cast<size_t>(origin)].where,
            fmt::format("source layer '{}' is said to be unplaced, or twice so, but a node computes it",
                        graph_.origins[static_cast<size_t>(origin)].node));
      }
    }
    for (size_t i = 0; i < holders.size(); ++i) {
      if (holders[i] > 0) continue;
      add(graph_.origins[i].where,
          fmt::format("source layer '{}' ({}) was lost: no node computes it", graph_.origins[i].node,
                      graph_.origins[i].op),
          "hand its origin on with Graph::absorb");
    }
  }

  void check_order() {
    try {
      graph_.order();
    } catch (const Error& error) {
      for (const Diagnostic& diagnostic : error.diagnostics) problems_.add(diagnostic);
    }
  }

  Location tensor(ValueId id) const { return {.file = {}, .node = {}, .tensor = graph_[id].name}; }
  void add(Location where, std::string problem, std::string fix = {}) {
    problems_.add(Code::GraphInvalid, std::move(where), std::move(problem), std::move(fix));
  }
  bool known(ValueId id, std::string_view what) {
    const int64_t index = static_cast<int64_t>(id);
    if (index >= 0 && index < graph_.value_count()) return true;
    add({}, fmt::format("{}: value {} does not exist, expected 0 to {}", what, index, graph_.value_count() - 1));
    return false;
  }
  void throw_if_any() {
    if (problems_.empty()) return;
    // One code for whoever catches it; each diagnostic keeps its own text.
    std::vector<Diagnostic> list = problems_.list();
    for (Diagnostic& diagnostic : list) diagnostic.code = Code::GraphInvalid;
    throw Error(std::move(list));
  }
  bool sound() const { return problems_.empty(); }

 private:
  bool available(ValueId id) const {
    return graph_[id].producer != NodeId::None || graph_[id].constant.has_value() || graph_.is_input(id);
  }
  std::string producer_text(NodeId id) const {
    if (id == NodeId::None) return "no node";
    if (static_cast<int64_t>(id) >= graph_.node_count()) return "a node that does not exist";
    return fmt::format("{}'{}'", graph_.alive(id) ? "" : "the removed node ", graph_[id].name);
  }
  const Graph& graph_;
  Diagnostics problems_;
};

}  // namespace

void verify(const Graph& graph) {
  Verifier verifier(graph);
  verifier.check_ports();
  for (int64_t i = 0; i < graph.value_count(); ++i) verifier.check_value(ValueId{static_cast<int32_t>(i)});
  std::vector<std::vector<NodeId>> readers(graph.values_.size());
  for (int64_t i = 0; i < graph.node_count(); ++i) {
    const NodeId id{static_cast<int32_t>(i)};
    if (!graph.alive(id)) continue;
    verifier.check_node(id);
    for (const ValueId input : graph[id].inputs) {
      if (input == ValueId::None || static_cast<size_t>(input) >= readers.size()) continue;
      std::vector<NodeId>& list = readers[static_cast<size_t>(input)];
      if (list.empty() || list.back() != id) list.push_back(id);
    }
    const auto named = graph.node_names_.find(graph[id].name);
    if (named == graph.node_names_.end() || named->second != id) {
      verifier.add(graph.where(id), "shares its name with another node, or was renamed behind the graph's back");
    }
  }
  for (size_t i = 0; i < readers.size(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    if (readers[i] != graph.users_[i]) {
      verifier.add(verifier.tensor(id), "has a users table that does not match the nodes' inputs",
                   "change inputs through Graph::set_input");
    }
    const Value& value = graph[id];
    const bool exists = value.producer != NodeId::None || value.constant || !readers[i].empty();
    const auto named = graph.value_names_.find(value.name);
    if (exists && (named == graph.value_names_.end() || named->second != id)) {
      verifier.add(verifier.tensor(id), "shares its name with another value, or was renamed behind the graph's back");
    }
  }
  verifier.check_origins();
  verifier.check_order();
  if (verifier.sound()) {  // inference may rely on everything above
    for (const NodeId id : graph.order()) verifier.check_inference(id);
    for (const NodeId id : graph.order()) {
      for (const auto& [name, attribute] : graph[id].attributes) {
        const auto* body = std::get_if<std::shared_ptr<const Graph>>(&attribute);
        if (body != nullptr && *body != nullptr) verify(**body);
      }
    }
  }
  verifier.throw_if_any();
}

}  // namespace openrknn
