#include "core/executor/control_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/executor/data_dependent_node.h"

namespace openrknn {
namespace {

const Graph& body_of(const Node& node, std::string_view attribute) {
  return *std::get<std::shared_ptr<const Graph>>(node.attributes.find(attribute)->second);
}

Tensor input_at(HostInputs inputs, size_t index) { return *inputs[index]; }

bool holds(const Tensor& condition) { return condition.size() > 0 && condition.values<bool>()[0]; }

/// Dimension `from` becomes dimension `to`; the others keep their order.
Tensor move_axis(const Tensor& x, int64_t from, int64_t to) {
  if (from == to) return x;
  std::vector<int> order(x.shape().size());
  std::iota(order.begin(), order.end(), 0);
  order.erase(order.begin() + from);
  order.insert(order.begin() + to, static_cast<int>(from));
  return transpose(x, order);
}

/// Slices of one shape, one after the other. Grows as a vector does: by a factor, not by a slice.
class Stack {
 public:
  Stack(const Graph& graph, NodeId node, const Value& slice) : graph_(graph), node_(node), slice_(slice) {}

  void push(const Tensor& slice) {
    if (count_ == 0) shape_ = slice.shape();
    if (slice.shape() != shape_) {
      fail(Code::RuntimeBadInput, where(),
           fmt::format("iteration {} gives shape {}, those before it {}; slices are stacked and must be equal", count_,
                       to_string(slice.shape()), to_string(shape_)));
    }
    const std::span<const std::byte> bytes = slice.bytes();
    if (static_cast<int64_t>(bytes_.size() + bytes.size()) > kLargestResult || bit_width(slice_.dtype) < 8) {
      fail(Code::OutOfMemory, where(),
           fmt::format("the stacked slices have more than {} bytes after {} iterations", kLargestResult, count_),
           "let the loop end sooner, or stack smaller slices");
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    ++count_;
  }

  Tensor take(int64_t axis, bool backward) {
    if (count_ == 0) {  // nothing ran: extents only a run could tell are 0
      shape_ = slice_.shape;
      for (int64_t& extent : shape_) extent = std::max<int64_t>(extent, 0);
    }
    Shape stacked = shape_;
    stacked.insert(stacked.begin(), count_);
    Tensor all(slice_.dtype, stacked);
    const std::span<std::byte> out = all.mutable_bytes();
    const size_t slice = count_ > 0 ? bytes_.size() / static_cast<size_t>(count_) : 0;
    for (int64_t i = 0; i < count_; ++i) {
      const int64_t to = backward ? count_ - 1 - i : i;
      std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(i) * slice), slice,
                  out.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(to) * slice));
    }
    return move_axis(all, 0, axis);
  }

 private:
  Location where() const {
    Location place = graph_.where(node_);
    place.tensor = slice_.name;
    return place;
  }
  const Graph& graph_;
  NodeId node_;
  const Value& slice_;
  Shape shape_;
  std::vector<std::byte> bytes_;
  int64_t count_ = 0;
};

std::vector<Tensor> run_if(const Graph& graph, const Node& node, NodeId id, HostInputs inputs,
                           const RunBody& run_body) {
  const std::string_view branch = holds(*inputs[0]) ? "then_branch" : "else_branch";
  if (!node.attributes.contains(branch)) {
    fail(Code::RuntimeBadInput, graph.where(id),
         fmt::format("the condition chooses {}, which cannot be computed in the shapes of this graph: {}", branch,
                     string_attribute(node.attributes, "problem", "it is left out")),
         "import the model in shapes for which this branch is meant, or give what leads to the other one");
  }
  std::vector<Tensor> captured;
  for (size_t i = 1; i < inputs.size(); ++i) captured.push_back(input_at(inputs, i));
  return run_body(branch, std::move(captured));
}

std::vector<Tensor> run_loop(const Graph& graph, const Node& node, NodeId id, HostInputs inputs,
                             const RunBody& run_body) {
  const Graph& body = body_of(node, "body");
  const auto carried = static_cast<size_t>(int_attribute(node.attributes, "carried", 0));
  int64_t trips = INT64_MAX;
  if (!inputs.empty() && inputs[0] != nullptr) trips = inputs[0]->values<int64_t>()[0];
  if (trips < 0) {
    fail(Code::RuntimeBadInput, graph.where(id), fmt::format("the trip count is {}, expected 0 or more", trips));
  }
  bool goes_on = inputs.size() < 2 || inputs[1] == nullptr || holds(*inputs[1]);
  std::vector<Tensor> state;
  for (size_t i = 0; i < carried; ++i) state.push_back(input_at(inputs, 2 + i));
  std::vector<Stack> stacks;
  for (size_t i = 1 + carried; i < body.outputs.size(); ++i) stacks.emplace_back(graph, id, body[body.outputs[i]]);

  for (int64_t iteration = 0; iteration < trips && goes_on; ++iteration) {
    std::vector<Tensor> given = {Tensor::from<int64_t>(body[body.inputs[0]].shape, {iteration}),
                                 Tensor::from<bool>(body[body.inputs[1]].shape, {goes_on})};
    given.insert(given.end(), state.begin(), state.end());
    for (size_t i = 2 + carried; i < inputs.size(); ++i) given.push_back(input_at(inputs, i));
    const std::vector<Tensor> results = run_body("body", std::move(given));
    goes_on = holds(results[0]);
    state.assign(results.begin() + 1, results.begin() + 1 + static_cast<std::ptrdiff_t>(carried));
    for (size_t i = 0; i < stacks.size(); ++i) stacks[i].push(results[1 + carried + i]);
  }
  for (Stack& stack : stacks) state.push_back(stack.take(0, false));
  return state;
}

std::vector<Tensor> run_scan(const Graph& graph, const Node& node, NodeId id, HostInputs inputs,
                             const RunBody& run_body) {
  const Graph& body = body_of(node, "body");
  const auto states = static_cast<size_t>(int_attribute(node.attributes, "states", 0));
  const auto scanned = static_cast<size_t>(int_attribute(node.attributes, "scan_inputs", 0));
  const size_t stacked = body.outputs.size() - states;
  const auto per = [&](std::string_view name, size_t count) {
    return ints_attribute(node.attributes, name, std::vector<int64_t>(count, 0));
  };
  const std::vector<int64_t> input_axes = per("input_axes", scanned),
                             input_directions = per("input_directions", scanned);
  const std::vector<int64_t> output_axes = per("output_axes", stacked);
  const std::vector<int64_t> output_directions = per("output_directions", stacked);

  // The scanned axis first: a slice is then a piece of the bytes.
  std::vector<std::shared_ptr<const Tensor>> sources;
  int64_t length = -1;
  for (size_t i = 0; i < scanned; ++i) {
    const Tensor source = input_at(inputs, states + i);
    sources.push_back(std::make_shared<const Tensor>(move_axis(source, input_axes[i], 0)));
    const int64_t own = sources.back()->shape()[0];
    if (length >= 0 && own != length) {
      fail(Code::RuntimeBadInput, graph.where(id),
           fmt::format("scan input {} has {} slices, others have {}", i, own, length));
    }
    if (bit_width(source.dtype()) < 8) {
      fail(Code::NotBuilt, graph.where(id), "4-bit values cannot be scanned", "put a Cast before it");
    }
    length = own;
  }
  const auto slice_of = [&](size_t i, int64_t iteration) {
    const Tensor& source = *sources[i];
    const size_t bytes = source.bytes().size() / static_cast<size_t>(length);
    const int64_t at = input_directions[i] != 0 ? length - 1 - iteration : iteration;
    const Shape shape(source.shape().begin() + 1, source.shape().end());
    return Tensor::view(source.dtype(), shape, source.bytes().subspan(static_cast<size_t>(at) * bytes, bytes),
                        sources[i]);
  };

  std::vector<Tensor> state;
  for (size_t i = 0; i < states; ++i) state.push_back(input_at(inputs, i));
  std::vector<Stack> stacks;
  for (size_t i = states; i < body.outputs.size(); ++i) stacks.emplace_back(graph, id, body[body.outputs[i]]);
  for (int64_t iteration = 0; iteration < length; ++iteration) {
    std::vector<Tensor> given = state;
    for (size_t i = 0; i < scanned; ++i) given.push_back(slice_of(i, iteration));
    for (size_t i = states + scanned; i < inputs.size(); ++i) given.push_back(input_at(inputs, i));
    const std::vector<Tensor> results = run_body("body", std::move(given));
    state.assign(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(states));
    for (size_t i = 0; i < stacked; ++i) stacks[i].push(results[states + i]);
  }
  for (size_t i = 0; i < stacked; ++i) state.push_back(stacks[i].take(output_axes[i], output_directions[i] != 0));
  return state;
}

struct Row {
  std::string_view op;
  std::vector<Tensor> (*run)(const Graph&, const Node&, NodeId, HostInputs, const RunBody&);
};
constexpr Row kRows[] = {{"If", run_if}, {"Loop", run_loop}, {"Scan", run_scan}};

const Row* find_row(std::string_view op) {
  const auto found = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& row) { return row.op == op; });
  return found != std::end(kRows) ? found : nullptr;
}

}  // namespace

bool is_control_flow(std::string_view op) { return find_row(op) != nullptr; }

std::vector<Tensor> run_control_flow(const Graph& graph, NodeId id, HostInputs inputs, const RunBody& run_body) {
  const Row* row = find_row(graph[id].op);
  if (row == nullptr) fail(Code::Internal, graph.where(id), "is no control flow");
  return row->run(graph, graph[id], id, inputs, run_body);
}

}  // namespace openrknn
