// The IR. A Graph says what is computed, in real numbers, with logical shapes (NCHW). It is a value: copying it
// copies everything but tensor bytes, and the copy has the same ids.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/tensor.h"
#include "core/graph/attribute.h"

namespace openrknn {

enum class ValueId : int32_t { None = -1 };
enum class NodeId : int32_t { None = -1 };

/// real = (code - zero_point) * scale. One entry, or one per index of `axis`; with `group` > 0 one per block of
/// `group` elements along the input channels as well (then entries run [axis][group]).
struct QuantParams {
  std::vector<double> scale;
  std::vector<int32_t> zero_point;
  int axis = -1;
  int64_t group = 0;
  bool operator==(const QuantParams&) const = default;
};

/// Names one row of integer laws in core/targets. Stored in the Model: a file keeps its results for ever.
struct Arithmetic {
  std::string family = "rk3588";
  int version = 1;
  bool operator==(const Arithmetic&) const = default;
};

/// All integers the hardware would be given for one node (docs/arithmetic.md). Computed once, in lower().
struct FixedPoint {
  std::vector<uint16_t> channel;  ///< multiplier per output channel, <= 32767; empty = all 1 << channel_shift
  int channel_shift = 14;
  /// {multiplier < 2^15, shift <= 31 (47 for Int16 results)}. Conv, Mul, Convert, pooling: one. Add, Sub: one per
  /// operand, then one out. Max, Min, Where, Concat: one per operand. AveragePool with unequal windows: one per count.
  /// Int16 LeakyRelu, PRelu: from 0 on, then one or one per channel below it (docs/arithmetic.md).
  std::vector<std::pair<int32_t, int>> scale;
  /// LeakyRelu / PRelu: round(alpha * 16384), one or one per channel. Linear Resize: neighbour and share per position.
  std::vector<int32_t> slope;
  int32_t low = 0, high = 0;  ///< clamp of output codes: saturation, Relu and Clip in one
  bool operator==(const FixedPoint&) const = default;
};

/// Where a node is meant to run. Metadata: values never depend on it.
enum class Placement : uint8_t { Auto, Npu, Cpu, Gpu };

struct Value {
  std::string name;  ///< unique in the graph, case-sensitive bytes
  DType dtype = DType::Float32;
  Shape shape = {};
  std::optional<QuantParams> quant = {};
  std::optional<Tensor> constant = {};  ///< content, if known. With a producer too: proven by inference, not folded yet
  NodeId producer = NodeId::None;
  std::vector<std::string> aliases = {};  ///< names of values that were redirected here
};

/// One layer of the source model, in its order. Never edited after import.
struct Origin {
  std::string op, node, tensor;  ///< op type, node name, name of its first output
  Location where;
};

struct Node {
  std::string name = {}, op = {};
  /// None = optional one left out. Change them through Graph::set_input(s) and set_output.
  std::vector<ValueId> inputs = {}, outputs = {};
  Attributes attributes = {};
  std::optional<FixedPoint> fixed = {};
  Placement placement = Placement::Auto;
  std::vector<int32_t> origins = {};  ///< indices into Graph::origins: the source layers this node computes
};

/// Not thread-safe while it is changed; const access from many threads is safe.
class Graph {
 public:
  std::vector<ValueId> inputs, outputs;
  /// How the source lays out an input or output whose dimensions stand in another order here: its dims[i] = dims here
  /// [order[i]] (NHWC: 0, 2, 3, 1). By position; empty or missing: as here. Import says so, ports take it over.
  std::vector<std::vector<int>> input_orders, output_orders;
  std::vector<Origin> origins;
  std::vector<int32_t> unplaced_origins;        ///< source layers whose result nothing needs any more
  std::map<std::string, std::string> metadata;  ///< the source file's own properties

  const Node& operator[](NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  const Value& operator[](ValueId id) const { return values_[static_cast<size_t>(id)]; }
  Node& operator[](NodeId id) { return nodes_[static_cast<size_t>(id)]; }
  Value& operator[](ValueId id) { return values_[static_cast<size_t>(id)]; }

  int64_t value_count() const {
    return static_cast<int64_t>(values_.size());
  }  ///< ids run below this, dead ones included
  int64_t node_count() const { return static_cast<int64_t>(nodes_.size()); }
  bool alive(NodeId id) const { return alive_[static_cast<size_t>(id)]; }

  /// Live nodes, producers before users; nodes without a path between them keep insertion order.
  /// Throws Error (ImportCycle) naming the nodes of a cycle.
  std::vector<NodeId> order() const;
  /// Live nodes that read the value, in insertion order, each once.
  std::span<const NodeId> users(ValueId) const;
  bool is_output(ValueId) const;
  bool is_input(ValueId) const;

  ValueId add(Value);  ///< the name is made unique ("x", "x_1", …); empty becomes "value"
  /// Sets producer of its outputs; the name is made unique (empty becomes that of the first output). An output that
  /// had a producer is taken over, as by set_output.
  NodeId add(Node);
  ValueId add_constant(std::string name, Tensor);
  void set_input(NodeId, size_t index, ValueId);
  void set_inputs(NodeId, std::vector<ValueId>);
  /// The node computes `value` from now on: its former producer loses it (its output becomes None), and what the node
  /// gave at this place so far is gone, name included. How a fused node takes the output of what it swallowed.
  void set_output(NodeId, size_t index, ValueId value);

  /// The value's content is known: it becomes a constant, and its producer (if any) loses it.
  void make_constant(ValueId, Tensor content);

  /// `from` is the same real numbers as `to`: users and graph outputs move to `to`; `from`'s names become names of `to`
  /// (a graph output keeps its own name as the primary one, unless `to` is itself an input or output). `from` lives on
  /// under a new name until its producer goes.
  void redirect(ValueId from, ValueId to);
  /// `part` is now computed by `into` (fused: one, decomposed: many, nobody: empty): its origins move there and it
  /// dies. Its outputs must have no users left.
  void absorb(NodeId part, std::span<const NodeId> into);
  /// Removes nodes whose outputs nothing uses (origins nobody else holds become unplaced) and releases constants
  /// nothing reads. True if a node was removed.
  bool remove_unused();

  /// A value by name or alias; None if there is none.
  ValueId find(std::string_view name_or_alias) const;
  /// What computes the source tensor now: several nodes if it was decomposed, none if it is gone.
  std::vector<NodeId> computing(std::string_view source_tensor) const;
  /// For messages: node name, op and the source file.
  Location where(NodeId) const;

 private:
  std::string unique_name(std::string wanted, bool node);
  void link(NodeId user, ValueId);
  void unlink(NodeId user, ValueId);
  void forget(ValueId);  // nothing computes it any more: its names are free
  void kill(NodeId);
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<bool> alive_;
  std::vector<std::vector<NodeId>> users_;  // by value
  std::map<std::string, ValueId, std::less<>> value_names_;
  std::map<std::string, NodeId, std::less<>> node_names_;
  std::map<std::string, int64_t, std::less<>> next_suffix_;  // so that many equal names stay cheap
  friend void verify(const Graph&);
};

/// SSA, users table, types and shapes as inferred, known ops and attributes, every origin placed exactly where it is
/// said to be. Throws Error (GraphInvalid) listing everything that is wrong.
void verify(const Graph&);

/// Of those that are not left out.
std::vector<Shape> shapes_of(const Graph&, const std::vector<ValueId>&);

}  // namespace openrknn
