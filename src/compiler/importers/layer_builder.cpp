#include "compiler/importers/layer_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/executor/plan.h"
#include "core/graph/schema.h"

namespace openrknn {

LayerBuilder::LayerBuilder(std::string file) : file_(std::move(file)) {}

ValueId LayerBuilder::add_input(std::string name, DType dtype, Shape shape) {
  const ValueId id = graph.add(Value{.name = std::move(name), .dtype = dtype, .shape = std::move(shape)});
  graph.inputs.push_back(id);
  return id;
}

ValueId LayerBuilder::layer(Origin origin, std::span<const ValueId> reads, const std::function<ValueId()>& translate) {
  if (std::ranges::find(reads, ValueId::None) != reads.end()) return ValueId::None;
  origin.where.file = file_;
  origin.where.node = origin.node;
  where_ = origin.where;
  layer_name_ = origin.node;
  origin_ = static_cast<int32_t>(graph.origins.size());
  has_node_ = false;
  const std::string tensor = origin.tensor;
  graph.origins.push_back(std::move(origin));
  try {
    const ValueId result = translate();
    const NodeId maker = graph[result].producer;
    if (has_node_ && maker != NodeId::None && graph.users(result).empty()) {
      // The node takes the tensor the source names, in place of the one it was added with.
      const ValueId named =
          graph.add(Value{.name = tensor, .dtype = graph[result].dtype, .shape = graph[result].shape});
      graph[named].constant = graph[result].constant;
      const std::vector<ValueId>& outputs = graph[maker].outputs;
      graph.set_output(maker, static_cast<size_t>(std::ranges::find(outputs, result) - outputs.begin()), named);
      place(origin_, named);
      return named;
    }
    // The same numbers under another name.
    const ValueId alias = graph.add(Value{.name = tensor, .dtype = graph[result].dtype, .shape = graph[result].shape});
    graph.redirect(alias, result);
    place(origin_, result);
    return result;
  } catch (const Error& error) {
    for (Diagnostic diagnostic : error.diagnostics) {
      if (diagnostic.where.file.empty()) diagnostic.where.file = where_.file;
      diagnostic.where.node = where_.node;
      if (diagnostic.where.line == 0) diagnostic.where.line = where_.line;
      problems.add(std::move(diagnostic));
    }
    return ValueId::None;
  }
}

ValueId LayerBuilder::add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return add_many(op, std::move(inputs), std::move(attributes), 1).front();
}

std::vector<ValueId> LayerBuilder::add_many(std::string_view op, std::vector<ValueId> inputs, Attributes attributes,
                                            size_t outputs) {
  Node node{.name = has_node_ ? fmt::format("{}/{}", layer_name_, op) : layer_name_, .op = std::string(op)};
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  node.origins = {origin_};
  for (size_t i = 0; i < outputs; ++i) {
    node.outputs.push_back(graph.add(Value{.name = fmt::format("{}/{}_output", layer_name_, op)}));
  }
  has_node_ = true;
  const NodeId id = graph.add(std::move(node));
  infer(graph, id, evaluate);
  return graph[id].outputs;
}

ValueId LayerBuilder::constant(std::string_view part, Tensor content) {
  return graph.add_constant(fmt::format("{}/{}", layer_name_, part), std::move(content));
}

ValueId LayerBuilder::scalar(std::string_view part, float number) {
  return constant(part, Tensor::from<float>({}, {number}));
}

ValueId LayerBuilder::per_channel(std::string_view part, std::vector<float> numbers) {
  const auto count = static_cast<int64_t>(numbers.size());
  return constant(part, Tensor::from<float>({1, count, 1, 1}, std::move(numbers)));
}

void LayerBuilder::place(int32_t origin, ValueId result) {
  if (has_node_) return;
  const NodeId maker = graph[result].producer;
  std::vector<int32_t>& list = maker == NodeId::None ? graph.unplaced_origins : graph[maker].origins;
  list.insert(std::ranges::lower_bound(list, origin), origin);
}

}  // namespace openrknn
