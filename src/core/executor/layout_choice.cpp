#include "core/executor/layout_choice.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "core/executor/min_cut.h"

namespace openrknn {
namespace {

// A conversion is a step of its own: it costs about as much as moving this many bytes, however small it is.
constexpr int64_t kStepCost = 4096;

int64_t rank_of(const Graph& graph, ValueId id) { return static_cast<int64_t>(graph[id].shape.size()); }

bool is_variable(const Graph& graph, ValueId id) { return id != ValueId::None && !graph[id].constant; }

/// Cost of having to convert the value.
int64_t conversion_cost(const Value& value) { return kStepCost + byte_size(value.dtype, element_count(value.shape)); }

bool coincide(const Value& value, Form a, Form b) {
  return memory_order(value.shape, a) == memory_order(value.shape, b);
}

// Each undecided node or graph input is a node of the cut; the source's side is channels last. Every cost is a
// conversion, priced by the bytes it moves.
class LayoutCut {
 public:
  explicit LayoutCut(const Graph& graph) : graph_(graph), order_(graph.order()) {}

  LayoutChoice choose() {
    give_variables();
    for (const NodeId id : order_) {
      if (computes_something(graph_, id)) add_reader(id);
    }
    for (auto& [value, readers] : readers_) add_conversions(value, readers);
    return read_off();
  }

 private:
  static constexpr int kChannelsLast = MinCut::kSource, kLogical = MinCut::kSink;

  void give_variables() {
    variable_of_.assign(static_cast<size_t>(graph_.value_count()), kLogical);
    node_variable_.assign(static_cast<size_t>(graph_.node_count()), kLogical);
    for (const ValueId input : graph_.inputs) {
      if (rank_of(graph_, input) >= 3 && bit_width(graph_[input].dtype) >= 8) variable(input) = cut_.add_node();
    }
    for (const NodeId id : order_) {
      if (!computes_something(graph_, id)) continue;
      const int side = side_of(graph_[id]);
      node_variable_[static_cast<size_t>(id)] = side;
      for (const ValueId output : graph_[id].outputs) {
        if (is_variable(graph_, output) && rank_of(graph_, output) >= 3) variable(output) = side;
      }
    }
  }

  // Fixed to one side by its operator, or a new node of the cut.
  int side_of(const Node& node) {
    const OpSchema* schema = find_schema(node.op);
    const auto produced =
        std::find_if(node.outputs.begin(), node.outputs.end(), [](ValueId id) { return id != ValueId::None; });
    if (schema == nullptr || produced == node.outputs.end()) return kLogical;
    const int64_t rank = rank_of(graph_, *produced);
    if (rank < 3 || !bytes_can_move(node)) return kLogical;
    if (is_mover(node)) return !can_give_channels_last(node) ? kLogical : cut_.add_node();
    switch (schema->layout) {
      case LayoutRule::ChannelsLast:
        return kChannelsLast;
      case LayoutRule::Any:
        return ranks_are(node, *schema, rank, false) ? cut_.add_node() : kLogical;
      case LayoutRule::Axis:
        return ranks_are(node, *schema, rank, true) && axes_are_named(node, *schema) ? cut_.add_node() : kLogical;
      case LayoutRule::Logical:
        break;
    }
    return kLogical;
  }

  // 4-bit codes have no address of their own.
  bool bytes_can_move(const Node& node) const {
    const auto wide = [&](ValueId id) { return !is_variable(graph_, id) || bit_width(graph_[id].dtype) >= 8; };
    return std::all_of(node.inputs.begin(), node.inputs.end(), wide) &&
           std::all_of(node.outputs.begin(), node.outputs.end(), wide);
  }

  // Outputs have `rank`, data inputs at most that (exactly that if `exact`).
  bool ranks_are(const Node& node, const OpSchema& schema, int64_t rank, bool exact) const {
    for (const ValueId output : node.outputs) {
      if (output != ValueId::None && rank_of(graph_, output) != rank) return false;
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == ValueId::None || !follows_layout(schema, i)) continue;
      const int64_t input_rank = rank_of(graph_, node.inputs[i]);
      if (input_rank > rank || (exact && input_rank < rank)) return false;
    }
    return true;
  }

  // An axis left to the operator's default would be read as a physical one. (Absent lists mean "all", which any
  // permutation leaves alone.)
  static bool axes_are_named(const Node& node, const OpSchema& schema) {
    for (const AttributeSpec& spec : schema.attributes) {
      const std::string entry = std::string(spec.name) + ":one";
      const bool names_axis =
          (',' + std::string(schema.dimension_attributes) + ',').find(',' + entry + ',') != std::string::npos;
      if (names_axis && !has_attribute(node.attributes, spec.name)) return false;
    }
    return true;
  }

  bool can_give_channels_last(const Node& node) const {
    const ValueId input = node.inputs[0];
    return is_variable(graph_, input) &&
           (node.op == "Transpose" || moves_nothing(graph_, node, Layout::Logical, Layout::ChannelsLast) ||
            moves_nothing(graph_, node, Layout::ChannelsLast, Layout::ChannelsLast));
  }

  void add_reader(NodeId id) {
    const Node& node = graph_[id];
    const OpSchema* schema = find_schema(node.op);
    const int reader = node_variable_[static_cast<size_t>(id)];
    if (is_mover(node) && is_variable(graph_, node.inputs[0])) return add_mover(node, reader);
    int64_t rank = 0;
    for (const ValueId output : node.outputs) {
      if (output != ValueId::None) rank = std::max(rank, rank_of(graph_, output));
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (!is_variable(graph_, input)) continue;
      const bool follows = schema != nullptr && follows_layout(*schema, i) && reader != kLogical;
      if (follows && rank_of(graph_, input) < rank) {
        add_raised_reader(input, reader, rank);
      } else {
        readers_[input].push_back(follows ? reader : kLogical);
      }
    }
  }

  // An operand of lower rank: taken from its logical order, and converted for a channels-last reader unless its few
  // dimensions lie alike in both (bias-like [C,1,1]).
  void add_raised_reader(ValueId id, int reader, int64_t rank) {
    const Value& value = graph_[id];
    readers_[id].push_back(kLogical);
    if (!coincide(value, {Layout::Logical, rank}, {Layout::ChannelsLast, rank})) {
      cut_.add_cost(reader, kLogical, conversion_cost(value));
    }
  }

  // What the node costs in each pair of layouts. [input][output], 1 = channels last.
  void add_mover(const Node& node, int output) {
    const Value& value = graph_[node.inputs[0]];
    const int input = variable(node.inputs[0]);
    std::array<std::array<int64_t, 2>, 2> cost;
    for (int x = 0; x < 2; ++x) {
      for (int y = 0; y < 2; ++y) {
        // A Reshape whose input lies wrong has it converted first; a Transpose moves the data itself.
        cost[x][y] = moves_nothing(graph_, node, Layout(x), Layout(y)) ? 0 : conversion_cost(value);
      }
    }
    if (cost[0][0] + cost[1][1] > cost[0][1] + cost[1][0]) {
      // Cheap in unequal layouts only (NCHW to NHWC): no cut can say that, so each side is charged what the layout
      // costs when the other side chooses best.
      for (int x = 0; x < 2; ++x) {
        const int64_t as_input = std::min(cost[x][0], cost[x][1]), as_output = std::min(cost[0][x], cost[1][x]);
        charge(input, x, as_input);
        charge(output, x, as_output);
      }
      return;
    }
    // cost = c00 + (c10 - c00) x + (c11 - c10) y + (c01 + c10 - c00 - c11) (1 - x) y
    charge(input, 1, cost[1][0]);
    charge(input, 0, cost[0][0]);
    charge(output, 1, std::max<int64_t>(0, cost[1][1] - cost[1][0]));
    charge(output, 0, std::max<int64_t>(0, cost[1][0] - cost[1][1]));
    cut_.add_cost(output, input, cost[0][1] + cost[1][0] - cost[0][0] - cost[1][1]);
  }

  void charge(int variable, int channels_last, int64_t cost) {
    if (channels_last != 0) {
      cut_.add_cost(variable, kLogical, cost);
    } else {
      cut_.add_cost(kChannelsLast, variable, cost);
    }
  }

  // The value is converted at most once, however many readers want the other layout.
  void add_conversions(ValueId id, std::vector<int>& readers) {
    const Value& value = graph_[id];
    const int64_t rank = rank_of(graph_, id);
    if (coincide(value, {Layout::Logical, rank}, {Layout::ChannelsLast, rank})) return;
    std::sort(readers.begin(), readers.end());
    readers.erase(std::unique(readers.begin(), readers.end()), readers.end());
    const int writer = variable(id);
    const int64_t cost = conversion_cost(value);
    if (readers.size() == 1) {
      cut_.add_cost(writer, readers[0], cost);
      cut_.add_cost(readers[0], writer, cost);
      return;
    }
    const int any_logical = cut_.add_node(), any_channels_last = cut_.add_node();
    cut_.add_cost(writer, any_logical, cost);
    cut_.add_cost(any_channels_last, writer, cost);
    for (const int reader : readers) {
      cut_.add_cost(any_logical, reader, MinCut::kNever);
      cut_.add_cost(reader, any_channels_last, MinCut::kNever);
    }
  }

  LayoutChoice read_off() {
    const std::vector<bool> channels_last = cut_.source_side();
    const auto layout = [&](int v) {
      return channels_last[static_cast<size_t>(v)] ? Layout::ChannelsLast : Layout::Logical;
    };
    LayoutChoice choice;
    for (const int v : variable_of_) choice.value.push_back(layout(v));
    for (const int v : node_variable_) choice.node.push_back(layout(v));
    return choice;
  }

  int& variable(ValueId id) { return variable_of_[static_cast<size_t>(id)]; }

  const Graph& graph_;
  std::vector<NodeId> order_;
  MinCut cut_;
  std::vector<int> variable_of_, node_variable_;
  std::map<ValueId, std::vector<int>> readers_;
};

}  // namespace

LayoutChoice choose_layouts(const Graph& graph) { return LayoutCut(graph).choose(); }

bool follows_layout(const OpSchema& schema, size_t input) {
  return (schema.data_inputs >> std::min<size_t>(input, 31) & 1) != 0;
}

std::vector<int64_t> permutation_of(const Node& node, int64_t rank) {
  std::vector<int64_t> reversed(static_cast<size_t>(rank));
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const std::vector<int64_t> perm = ints_attribute(node.attributes, "perm", reversed);
  if (!std::is_permutation(perm.begin(), perm.end(), reversed.begin(), reversed.end())) {
    fail(Code::GraphBadAttribute, Location{.node = node.name}, "perm is not a permutation of the input's dimensions");
  }
  return perm;
}

bool is_mover(const Node& node) {
  return (node.op == "Reshape" || node.op == "Transpose") && node.inputs.size() == 1 && node.outputs.size() == 1 &&
         node.inputs[0] != ValueId::None && node.outputs[0] != ValueId::None;
}

bool moves_nothing(const Graph& graph, const Node& node, Layout input, Layout output) {
  const Value &from = graph[node.inputs[0]], &to = graph[node.outputs[0]];
  if (from.dtype != to.dtype) return false;
  const Form in{input, static_cast<int64_t>(from.shape.size())}, out{output, static_cast<int64_t>(to.shape.size())};
  const MemoryOrder from_order = memory_order(from.shape, in);
  return from_order == (node.op == "Transpose" ? transposed_order(from.shape, permutation_of(node, in.rank), out)
                                               : memory_order(to.shape, out));
}

bool computes_something(const Graph& graph, NodeId id) {
  const std::vector<ValueId>& outputs = graph[id].outputs;
  return std::any_of(outputs.begin(), outputs.end(), [&](ValueId output) { return is_variable(graph, output); });
}

}  // namespace openrknn
