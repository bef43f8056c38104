#include "compiler/importers/layer_builder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

#include "core/executor/plan.h"
#include "core/graph/schema.h"

namespace openrknn {

namespace {

/// Shapes, axes and indices have to be known here; weights are folded by the passes, all at once.
std::optional<std::vector<Tensor>> evaluate_small(const Graph& graph, NodeId id) {
  constexpr int64_t kMostElements = 4096;
  const auto is_large = [&](ValueId value) {
    return value != ValueId::None && graph[value].constant && graph[value].constant->size() > kMostElements;
  };
  if (std::ranges::any_of(graph[id].inputs, is_large)) return std::nullopt;
  return evaluate(graph, id);
}

}  // namespace

LayerBuilder::LayerBuilder(std::string file) : file_(std::move(file)) {}

ValueId LayerBuilder::add_input(std::string name, DType dtype, Shape shape) {
  const ValueId id = graph.add(Value{.name = std::move(name), .dtype = dtype, .shape = std::move(shape)});
  graph.inputs.push_back(id);
  return id;
}

ValueId LayerBuilder::layer(Origin origin, std::span<const ValueId> reads, const std::function<ValueId()>& translate) {
  const std::string tensor = origin.tensor;
  return layer(std::move(origin), std::span(&tensor, 1), reads, [&] { return std::vector{translate()}; }).front();
}

std::vector<ValueId> LayerBuilder::layer(Origin origin, std::span<const std::string> tensors,
                                         std::span<const ValueId> reads,
                                         const std::function<std::vector<ValueId>()>& translate) {
  const auto translate_these = [&] {
    std::vector<ValueId> results = translate();
    if (results.size() < tensors.size()) throw std::out_of_range("a layer gives fewer tensors than it has names");
    results.resize(tensors.size());
    return results;
  };
  return layer(std::move(origin), reads, translate_these, [&](size_t i, size_t) { return tensors[i]; })
      .value_or(std::vector<ValueId>(tensors.size(), ValueId::None));
}

std::optional<std::vector<ValueId>> LayerBuilder::layer(
    Origin origin, std::span<const ValueId> reads, const std::function<std::vector<ValueId>()>& translate,
    const std::function<std::string(size_t index, size_t count)>& tensor_name) {
  if (std::ranges::find(reads, ValueId::None) != reads.end()) return std::nullopt;
  if (origin.where.file.empty()) origin.where.file = file_;
  origin.where.node = origin.node;
  where_ = origin.where;
  layer_name_ = origin.node;
  origin_ = static_cast<int32_t>(graph.origins.size());
  has_node_ = false;
  graph.origins.push_back(std::move(origin));
  try {
    std::vector<ValueId> results = translate();
    for (size_t i = 0; i < results.size(); ++i) results[i] = give_name(results[i], tensor_name(i, results.size()));
    if (!results.empty()) {
      place(results.front());
    } else if (!has_node_) {
      graph.unplaced_origins.push_back(origin_);
    }
    return results;
  } catch (const Error& error) {
    for (Diagnostic diagnostic : error.diagnostics) {
      if (diagnostic.where.file.empty()) diagnostic.where.file = where_.file;
      diagnostic.where.node = where_.node;
      if (diagnostic.where.line == 0) diagnostic.where.line = where_.line;
      problems.add(std::move(diagnostic));
    }
    return std::nullopt;
  }
}

void LayerBuilder::leave_out(Origin origin) {
  origin.where.file = file_;
  origin.where.node = origin.node;
  graph.unplaced_origins.push_back(static_cast<int32_t>(graph.origins.size()));
  graph.origins.push_back(std::move(origin));
}

ValueId LayerBuilder::give_name(ValueId result, const std::string& tensor) {
  const NodeId maker = graph[result].producer;
  const ValueId named = graph.add(Value{.name = tensor, .dtype = graph[result].dtype, .shape = graph[result].shape});
  const bool is_own = maker != NodeId::None && std::ranges::count(graph[maker].origins, origin_) > 0;
  if (is_own && graph.users(result).empty()) {
    // The node takes the tensor the source names, in place of the one it was added with.
    graph[named].constant = graph[result].constant;
    const std::vector<ValueId>& outputs = graph[maker].outputs;
    graph.set_output(maker, static_cast<size_t>(std::ranges::find(outputs, result) - outputs.begin()), named);
    return named;
  }
  graph.redirect(named, result);  // the same numbers under another name
  return result;
}

ValueId LayerBuilder::add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return add_many(op, std::move(inputs), std::move(attributes), 1).front();
}

std::vector<ValueId> LayerBuilder::add_many(std::string_view op, std::vector<ValueId> inputs, Attributes attributes,
                                            size_t outputs) {
  const std::string name = has_node_ ? fmt::format("{}/{}", layer_name_, op) : layer_name_;
  has_node_ = true;
  return add_node(name, op, std::move(inputs), std::move(attributes), outputs);
}

ValueId LayerBuilder::add_beside(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return add_node(fmt::format("{}/{}", layer_name_, op), op, std::move(inputs), std::move(attributes), 1).front();
}

std::vector<ValueId> LayerBuilder::add_node(std::string name, std::string_view op, std::vector<ValueId> inputs,
                                            Attributes attributes, size_t outputs) {
  Node node{.name = std::move(name), .op = std::string(op)};
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  node.origins = {origin_};
  for (size_t i = 0; i < outputs; ++i) {
    node.outputs.push_back(graph.add(Value{.name = fmt::format("{}/{}_output", layer_name_, op)}));
  }
  const NodeId id = graph.add(std::move(node));
  infer(graph, id, evaluate_small);
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

ValueId LayerBuilder::reorg(ValueId x, int64_t block) {
  const int64_t n = shape(x)[0], c = shape(x)[1], h = shape(x)[2], w = shape(x)[3], area = block * block;
  const auto reshape = [&](ValueId from, Shape to) { return add("Reshape", {from}, {{"shape", std::move(to)}}); };
  const ValueId view = reshape(x, {n, c / area, h * block, w * block});
  return reshape(add("SpaceToDepth", {view}, {{"blocksize", block}}), {n, c * area, h / block, w / block});
}

/// A layer that adds no node is computed by whoever made what it passes on.
void LayerBuilder::place(ValueId result) {
  if (has_node_) return;
  const NodeId maker = graph[result].producer;
  std::vector<int32_t>& list = maker == NodeId::None ? graph.unplaced_origins : graph[maker].origins;
  const auto at = std::ranges::lower_bound(list, origin_);
  if (at == list.end() || *at != origin_) list.insert(at, origin_);
}

std::string counted(std::span<const std::string> names, std::string_view noun, size_t most) {
  return fmt::format("{} {}{}: {}{}", names.size(), noun, names.size() == 1 ? "" : "s",
                     fmt::join(names.first(std::min(names.size(), most)), ", "), names.size() > most ? ", …" : "");
}

void take_outputs(Graph& graph, std::span<const std::string> names,
                  const std::function<ValueId(const std::string&)>& find, const std::string& file,
                  std::string_view problem, std::string_view fix) {
  Diagnostics problems;
  for (const std::string& name : names) {
    const ValueId id = find(name);
    const Location where{.file = file, .tensor = name};
    if (id == ValueId::None || graph.is_input(id)) {
      problems.add(Code::ImportBadCrop, where, fmt::format("outputs names '{}', which {}", name, problem),
                   std::string(fix));
    } else if (graph.is_output(id)) {
      problems.add(Code::ImportBadCrop, where, fmt::format("outputs names '{}' twice", name));
    } else {
      graph.outputs.push_back(id);
    }
  }
  problems.throw_if_any();
}

}  // namespace openrknn
