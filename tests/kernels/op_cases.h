// Runs the last node of a graph in the text form by its reference kernel, operands in the layout kernels meet them in.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>

#include "core/graph/schema.h"
#include "core/graph/text.h"
#include "core/kernels/kernel.h"

namespace openrknn::op_cases {

/// A call with everything it points at. Inputs are constants of the graph; `known` tells the kernel their content.
class BoundNode {
 public:
  BoundNode(const Graph& graph, NodeId id, bool known) : node_(graph[id]) {
    const OpSchema& schema = schema_of(node_);
    channels_last_ = schema.layout == LayoutRule::ChannelsLast;
    for (size_t i = 0; i < node_.inputs.size(); ++i) {
      if (node_.inputs[i] == ValueId::None) {
        inputs_.push_back({.present = false});
        tensors_.emplace_back();
        continue;
      }
      const Value& value = graph[node_.inputs[i]];
      const bool moves = channels_last_ && (schema.data_inputs >> i & 1) && value.shape.size() >= 3;
      tensors_.push_back(moves ? transpose(*value.constant, order(value.shape)) : *value.constant);
      inputs_.push_back(operand(value, moves));
      if (known) inputs_.back().constant = &tensors_.back();
    }
    for (const ValueId output : node_.outputs) {
      outputs_.push_back(operand(graph[output], channels_last_ && graph[output].shape.size() >= 3));
    }
    if (channels_last_) permute_lists();
  }
  BoundNode(const BoundNode&) = delete;
  BoundNode& operator=(const BoundNode&) = delete;

  Call call() const { return {.node = node_, .inputs = inputs_, .outputs = outputs_}; }
  std::vector<Tensor> inputs() const { return {tensors_.begin(), tensors_.end()}; }
  /// Outputs of the kernel in the graph's logical order.
  std::vector<Tensor> logical(std::vector<Tensor> outputs) const {
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs_[i].layout == Layout::Logical) continue;
      const std::vector<int> physical = order(outputs[i].shape());
      std::vector<int> back(physical.size());
      for (size_t d = 0; d < physical.size(); ++d) back[static_cast<size_t>(physical[d])] = static_cast<int>(d);
      outputs[i] = transpose(outputs[i], back);
    }
    return outputs;
  }

 private:
  static std::vector<int> order(const Shape& shape) {
    return physical_order(Layout::ChannelsLast, static_cast<int64_t>(shape.size()));
  }
  static Operand operand(const Value& value, bool moves) {
    Operand operand;
    operand.dtype = value.dtype;
    operand.layout = moves ? Layout::ChannelsLast : Layout::Logical;
    operand.shape = physical_shape(value.shape, operand.layout);
    if (value.quant) operand.quant = &*value.quant;
    return operand;
  }
  /// Resize names every dimension; the executor hands such lists over in physical order.
  void permute_lists() {
    const std::vector<int> places = order(inputs_[0].shape);
    for (auto& [name, attribute] : node_.attributes) {
      const auto permute_list = [&](auto& list) {
        auto moved = list;
        for (size_t i = 0; i < list.size(); ++i) {
          const size_t rank = places.size();
          moved[i] = list[i / rank * rank + static_cast<size_t>(places[i % rank])];
        }
        list = moved;
      };
      if (name == "sizes") permute_list(std::get<std::vector<int64_t>>(attribute));
      if (name == "scales" || name == "roi") permute_list(std::get<std::vector<double>>(attribute));
    }
  }

  Node node_;
  bool channels_last_ = false;
  std::deque<Tensor> tensors_;
  std::vector<Operand> inputs_, outputs_;
};

inline const Kernel& reference_of(const Call& call) {
  const Kernel* kernel = choose_kernel(reference_kernels(), call, 0);
  if (!kernel) throw std::runtime_error("no reference kernel takes " + call.node.op);
  return *kernel;
}
inline std::vector<Tensor> run_node(const Graph& graph, NodeId id, bool known = false) {
  const BoundNode bound(graph, id, known);
  Weights weights;
  return bound.logical(run_kernel(reference_of(bound.call()), bound.call(), bound.inputs(), weights));
}
inline std::string elements_of(const Tensor& tensor) {
  std::string text = to_string(tensor.shape()) + " {";
  for (const double v : to_doubles(tensor)) text += " " + std::to_string(v);
  return text + " }";
}

/// The text holds constants, one node, and one more constant for each of its outputs: what they must be, to the bit.
inline void expect_result(const std::string& text) {
  SCOPED_TRACE(text);
  const Graph graph = parse_graph("ir 1\n" + text);
  const NodeId id = graph.order().back();
  std::vector<Tensor> expected;
  for (int64_t v = static_cast<int64_t>(graph[graph[id].outputs.back()].producer == id) *
                   (static_cast<int64_t>(graph[id].outputs.back()) + 1);
       v < graph.value_count(); ++v) {
    expected.push_back(*graph[static_cast<ValueId>(v)].constant);
  }
  for (const bool known : {false, true}) {
    const std::vector<Tensor> results = run_node(graph, id, known);
    ASSERT_EQ(results.size(), expected.size());
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_TRUE(identical(results[i], expected[i]))
          << "got " << elements_of(results[i]) << ", expected " << elements_of(expected[i]);
    }
  }
}

}  // namespace openrknn::op_cases
