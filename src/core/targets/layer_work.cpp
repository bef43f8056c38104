#include "core/targets/layer_work.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/graph/products.h"
#include "core/targets/sparsity.h"

namespace openrknn {
namespace {

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

constexpr std::array<std::string_view, 10> kCurves = {"Sigmoid", "Tanh", "Softplus", "HardSigmoid", "HardSwish",
                                                      "SiLU",    "Mish", "Gelu",     "Elu",         "Softmax"};
bool is_curve(std::string_view op) { return std::ranges::find(kCurves, op) != kCurves.end(); }

/// Only other places of the same numbers.
constexpr std::array<std::string_view, 14> kMoves = {"Concat",  "Split", "Slice",        "Transpose",   "Pad",
                                                     "Expand",  "Tile",  "Gather",       "Resize",      "Reshape",
                                                     "Convert", "Cast",  "DepthToSpace", "SpaceToDepth"};
bool is_move(std::string_view op) { return std::ranges::find(kMoves, op) != kMoves.end(); }

struct Lanes {
  int64_t in, out;
};
/// Lanes of input and output channels the multipliers of a core stand in: 32 inputs wide (RK3588's 1024 are 32x32 in
/// its reference manual). Sixteen bits take two multipliers.
Lanes lanes_of(const Target& target, DType dtype) {
  return {32, std::max<int64_t>(1, target.macs_per_cycle / 32 / (bit_width(dtype) > 8 ? 2 : 1))};
}

class Counter {
 public:
  Counter(const Graph& graph, const Target& target, const ElementTypes& types)
      : graph_(graph), target_(target), types_(types) {}

  LayerWork count(NodeId id) const {
    const Node& node = graph_[id];
    LayerWork work{.node = id};
    work.dtype = types_.node(id);
    work.placement = place_node(graph_, id, target_, work.dtype);
    work.products = products_of(graph_, node);
    for (const ValueId output : node.outputs) {
      if (output == ValueId::None) continue;
      work.results += elements(output);
      work.result_bytes += bytes(output);
    }
    for (const ValueId input : node.inputs) {
      if (input == ValueId::None) continue;
      (graph_[input].constant ? work.weight_bytes : work.feature_bytes) += bytes(input);
    }
    const std::string curve = string_attribute(node.attributes, "activation", "");
    if (is_curve(curve) || is_curve(node.op)) work.curve_results = work.results;
    if (is_move(node.op)) {
      work.moved = work.result_bytes;
      work.results = 0;
      // Views, and what the layer behind does while it reads.
      const bool is_view = node.op == "Reshape" || (node.op == "Transpose" && !work.placement.form.empty());
      if (is_view) work.moved = work.feature_bytes = work.result_bytes = 0;
    }
    if (node.op == "Attention")
      count_attention(node, work);
    else if (work.products > 0)
      count_array(node, work);
    const std::vector<int64_t> window = ints_attribute(node.attributes, "kernel_shape");
    if (work.products == 0 && !window.empty()) work.pooled = work.results * element_count(window);
    if (node.op == "GlobalAveragePool" || node.op == "GlobalMaxPool" || node.op.starts_with("Reduce")) {
      work.pooled = elements(node.inputs[0]);
    }
    return work;
  }

 private:
  int64_t elements(ValueId id) const {
    const Shape& shape = graph_[id].shape;
    return is_static(shape) ? element_count(shape) : 0;
  }
  int64_t bytes(ValueId id) const {
    const Value& value = graph_[id];
    if (!is_static(value.shape)) return 0;
    const DType dtype = types_.value(id);
    return value.constant ? (element_count(value.shape) * bit_width(dtype) + 7) / 8
                          : cube_bytes(value.shape, dtype, target_);
  }

  /// Conv, ConvTranspose, MatMul: the steps of docs/estimates.md, and what the buffer makes it read again.
  void count_array(const Node& node, LayerWork& work) const {
    const Shape &x = graph_[node.inputs[0]].shape, &w = graph_[node.inputs[1]].shape,
                &y = graph_[node.outputs[0]].shape;
    const Lanes lanes = lanes_of(target_, work.dtype);
    if (node.op == "MatMul") {
      const int64_t inner = x.empty() ? 1 : x.back(), columns = y.empty() ? 1 : y.back();
      const int64_t rows = columns == 0 ? 0 : element_count(y) / columns;
      work.array_steps =
          static_cast<double>(rows) * static_cast<double>(ceil_div(inner, lanes.in) * ceil_div(columns, lanes.out));
    } else {
      const bool transposed = node.op == "ConvTranspose";
      const int64_t group = int_attribute(node.attributes, "group", 1);
      const int64_t in = x[1], out = y[1], taps = element_count(w) / std::max<int64_t>(1, w[0] * w[1]);
      const int64_t pixels = element_count(transposed ? x : y) / std::max<int64_t>(1, transposed ? in : out);
      if (group > 1 && group == in) {
        // One input lane a channel: two rows of weights stand side by side, where there are as many multipliers.
        const int64_t channels = std::min(2 * lanes.in, lanes.in * lanes.out);
        work.array_steps = static_cast<double>(pixels * taps) * static_cast<double>(ceil_div(out, channels));
      } else {
        // Pixels of few channels are read with their neighbours in the row.
        const bool few = in <= 4 && x.size() == 4;
        const int64_t width = few ? w.back() : 1;
        const int64_t steps = few ? taps / width * ceil_div(in * width, lanes.in) : taps * ceil_div(in, lanes.in);
        work.array_steps = static_cast<double>(pixels * steps) * static_cast<double>(ceil_div(out, lanes.out));
      }
    }
    if (types_.sparse && why_dense(graph_, node).empty()) {
      work.sparse = true;
      work.array_steps /= 2;
      // Half of the weights, and two bits for each that say where it stood.
      work.weight_bytes = work.weight_bytes / 2 + work.weight_bytes / 8;
    }
    reread(work);
  }

  /// Two products, and between them a Softmax whose rows never leave the chip. Keys and values are read once for all
  /// queries where these fit half the buffer.
  void count_attention(const Node& node, LayerWork& work) const {
    const Shape &q = graph_[node.inputs[0]].shape, &v = graph_[node.inputs[2]].shape;
    const Lanes lanes = lanes_of(target_, work.dtype);
    const int64_t size = q.back(), keys = v[v.size() - 2], values = v.back();
    const int64_t rows = element_count(Shape(q.begin(), q.end() - 1)), scores = rows * keys;
    const int64_t steps =
        ceil_div(size, lanes.in) * ceil_div(keys, lanes.out) + ceil_div(keys, lanes.in) * ceil_div(values, lanes.out);
    work.array_steps = static_cast<double>(rows) * static_cast<double>(steps);
    work.curve_results = scores;
    work.results += scores;
    const int64_t half = std::max<int64_t>(1, target_.buffer_bytes / 2);
    const int64_t matrices = std::max<int64_t>(1, element_count(Shape(q.begin(), q.end() - 2)));
    const int64_t query_bytes = bytes(node.inputs[0]) / matrices;
    work.tiles = std::max<int64_t>(1, ceil_div(query_bytes, half));
    work.feature_bytes += (bytes(node.inputs[1]) + bytes(node.inputs[2])) * (work.tiles - 1);
  }

  /// The buffer holds half weights, half features: the smaller of the two ways to go round is taken.
  void reread(LayerWork& work) const {
    const int64_t half = std::max<int64_t>(1, target_.buffer_bytes / 2);
    const int64_t weight_parts = std::max<int64_t>(1, ceil_div(work.weight_bytes, half));
    const int64_t feature_parts = std::max<int64_t>(1, ceil_div(work.feature_bytes, half));
    const int64_t again_features = work.weight_bytes + work.feature_bytes * weight_parts;
    const int64_t again_weights = work.feature_bytes + work.weight_bytes * feature_parts;
    if (again_features <= again_weights) {
      work.feature_bytes *= weight_parts;
    } else {
      work.weight_bytes *= feature_parts;
    }
    work.tiles = weight_parts * feature_parts;
  }

  const Graph& graph_;
  const Target& target_;
  const ElementTypes& types_;
};

/// Layers whose output stage adds a tensor: not in the small families.
bool adds_in_output_stage(const Target& target) {
  const Family family = family_of(target);
  return family != Family::Rv1106b && family != Family::Rk2118;
}

/// An Add of two tensors behind a layer without a function of its own and without other users becomes part of it.
void fuse_residuals(const Graph& graph, const Target& target, std::vector<LayerWork>& works) {
  if (!adds_in_output_stage(target)) return;
  std::map<NodeId, size_t> index;
  for (size_t i = 0; i < works.size(); ++i) index[works[i].node] = i;
  for (LayerWork& work : works) {
    const Node& node = graph[work.node];
    if (node.op != "Add" || work.placement.place != Place::Npu) continue;
    for (const ValueId input : node.inputs) {
      const NodeId producer = graph[input].producer;
      if (producer == NodeId::None || graph.users(input).size() != 1 || graph.is_output(input)) continue;
      LayerWork& layer = works[index.at(producer)];
      if (graph[producer].op != "Conv" || has_attribute(graph[producer].attributes, "activation") ||
          layer.placement.place != Place::Npu || layer.dtype != work.dtype) {
        continue;
      }
      work.fused_into = producer;
      work.feature_bytes -= layer.result_bytes;  // never leaves the output stage
      layer.result_bytes = 0;
      work.results = 0;
      break;
    }
  }
}

}  // namespace

ElementTypes types_of_graph(const Graph& graph, bool sparse) {
  return {.value = [&graph](ValueId id) { return graph[id].dtype; },
          .node = [&graph](NodeId id) { return computing_type(graph, graph[id]); },
          .sparse = sparse};
}

int64_t products_per_step(const Target& target, DType dtype) {
  const Lanes lanes = lanes_of(target, dtype);
  return lanes.in * lanes.out;
}

int64_t cube_bytes(const Shape& shape, DType dtype, const Target& target) {
  const int64_t count = element_count(shape);
  if (shape.size() != 4 || shape[1] == 0) return (count * bit_width(dtype) + 7) / 8;
  const int64_t lane = std::max<int64_t>(1, target.cube_channels_int8 * 8 / std::max(8, bit_width(dtype)));
  return count / shape[1] * ceil_div(shape[1], lane) * lane * std::max(8, bit_width(dtype)) / 8;
}

std::vector<LayerWork> work_of(const Graph& graph, const Target& target, const ElementTypes& types) {
  const Counter counter(graph, target, types);
  std::vector<LayerWork> works;
  for (const NodeId id : graph.order()) works.push_back(counter.count(id));
  fuse_residuals(graph, target, works);
  return works;
}

int64_t peak_feature_bytes(const Graph& graph, const Target& target, const ElementTypes& types) {
  const auto bytes = [&](ValueId id) -> int64_t {
    const Value& value = graph[id];
    return value.constant || !is_static(value.shape) ? 0 : cube_bytes(value.shape, types.value(id), target);
  };
  const std::vector<NodeId> order = graph.order();
  std::map<NodeId, size_t> position;
  for (size_t i = 0; i < order.size(); ++i) position[order[i]] = i;
  std::map<size_t, std::vector<ValueId>> ends;  // by the step after which the value is not needed any more
  const auto end_of = [&](ValueId id) {
    if (graph.is_output(id)) return order.size();
    size_t last = 0;
    for (const NodeId user : graph.users(id)) last = std::max(last, position.at(user));
    return last;
  };
  int64_t alive = 0, peak = 0;
  for (const ValueId input : graph.inputs) {
    alive += bytes(input);
    ends[end_of(input)].push_back(input);
  }
  for (size_t i = 0; i < order.size(); ++i) {
    const Node& node = graph[order[i]];
    for (const ValueId output : node.outputs) {
      // A Reshape is another view of the same bytes.
      if (output == ValueId::None || node.op == "Reshape") continue;
      alive += bytes(output);
      ends[std::max(i, end_of(output))].push_back(output);
    }
    peak = std::max(peak, alive);
    for (const ValueId ended : ends[i]) alive -= bytes(ended);
  }
  return peak;
}

int64_t constant_bytes(const Graph& graph, const ElementTypes& types) {
  std::set<ValueId> seen;
  int64_t total = 0;
  for (const NodeId id : graph.order()) {
    for (const ValueId input : graph[id].inputs) {
      if (input == ValueId::None || !graph[input].constant || !seen.insert(input).second) continue;
      total += (element_count(graph[input].shape) * bit_width(types.value(input)) + 7) / 8;
    }
  }
  return total;
}

}  // namespace openrknn
