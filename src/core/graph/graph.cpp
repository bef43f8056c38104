#include "core/graph/graph.h"

#include <fmt/format.h>

#include <algorithm>

namespace openrknn {
namespace {

template <class T>
bool contains(const std::vector<T>& list, const T& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

/// Adds to an ascending list of distinct items.
template <class T>
void insert_sorted(std::vector<T>& list, const T& item) {
  const auto at = std::lower_bound(list.begin(), list.end(), item);
  if (at == list.end() || *at != item) list.insert(at, item);
}

}  // namespace

std::string Graph::unique_name(std::string wanted, bool node) {
  const auto taken = [&](const std::string& name) {
    return node ? node_names_.contains(name) : value_names_.contains(name);
  };
  if (wanted.empty()) wanted = node ? "node" : "value";
  if (!taken(wanted)) return wanted;
  int64_t& suffix = next_suffix_[wanted];
  std::string name;
  do name = fmt::format("{}_{}", wanted, ++suffix);
  while (taken(name));
  return name;
}

void Graph::link(NodeId user, ValueId value) {
  if (value != ValueId::None) insert_sorted(users_[static_cast<size_t>(value)], user);
}

void Graph::unlink(NodeId user, ValueId value) {
  if (value == ValueId::None || contains(nodes_[static_cast<size_t>(user)].inputs, value)) return;
  std::erase(users_[static_cast<size_t>(value)], user);
}

void Graph::forget(ValueId id) {
  Value& value = (*this)[id];
  const auto erase = [&](const std::string& name) {
    const auto found = value_names_.find(name);
    if (found != value_names_.end() && found->second == id) value_names_.erase(found);
  };
  erase(value.name);
  for (const std::string& alias : value.aliases) erase(alias);
  value.aliases.clear();
  value.producer = NodeId::None;
  value.constant.reset();
}

void Graph::kill(NodeId id) {
  Node& node = (*this)[id];
  const std::vector<ValueId> read = std::exchange(node.inputs, {});
  for (const ValueId input : read) unlink(id, input);
  for (const ValueId output : node.outputs) {
    if (output != ValueId::None && (*this)[output].producer == id) forget(output);
  }
  node_names_.erase(node.name);
  alive_[static_cast<size_t>(id)] = false;
}

ValueId Graph::add(Value value) {
  const ValueId id{static_cast<int32_t>(values_.size())};
  value.name = unique_name(std::move(value.name), false);
  value_names_.emplace(value.name, id);
  std::vector<std::string> aliases;
  for (std::string& alias : value.aliases) {
    if (value_names_.emplace(alias, id).second) aliases.push_back(std::move(alias));
  }
  value.aliases = std::move(aliases);
  values_.push_back(std::move(value));
  users_.emplace_back();
  return id;
}

NodeId Graph::add(Node node) {
  const NodeId id{static_cast<int32_t>(nodes_.size())};
  if (node.name.empty() && !node.outputs.empty() && node.outputs[0] != ValueId::None) {
    node.name = (*this)[node.outputs[0]].name;
  }
  node.name = unique_name(std::move(node.name), true);
  node_names_.emplace(node.name, id);
  std::sort(node.origins.begin(), node.origins.end());
  node.origins.erase(std::unique(node.origins.begin(), node.origins.end()), node.origins.end());
  const std::vector<ValueId> produced = std::exchange(node.outputs, {});
  nodes_.push_back(std::move(node));
  alive_.push_back(true);
  for (const ValueId input : nodes_.back().inputs) link(id, input);
  nodes_.back().outputs.assign(produced.size(), ValueId::None);
  for (size_t i = 0; i < produced.size(); ++i) set_output(id, i, produced[i]);
  return id;
}

ValueId Graph::add_constant(std::string name, Tensor content) {
  Value value;
  value.name = std::move(name);
  value.dtype = content.dtype();
  value.shape = content.shape();
  value.constant = std::move(content);
  return add(std::move(value));
}

void Graph::set_input(NodeId id, size_t index, ValueId value) {
  Node& node = (*this)[id];
  if (node.inputs.size() <= index) node.inputs.resize(index + 1, ValueId::None);
  const ValueId former = std::exchange(node.inputs[index], value);
  unlink(id, former);
  link(id, value);
}

void Graph::set_inputs(NodeId id, std::vector<ValueId> values) {
  const std::vector<ValueId> former = std::exchange((*this)[id].inputs, std::move(values));
  for (const ValueId value : former) unlink(id, value);
  for (const ValueId value : (*this)[id].inputs) link(id, value);
}

void Graph::set_output(NodeId id, size_t index, ValueId value) {
  Node& node = (*this)[id];
  if (node.outputs.size() <= index) node.outputs.resize(index + 1, ValueId::None);
  const ValueId former = node.outputs[index];
  if (former == value) return;
  if (former != ValueId::None) forget(former);
  node.outputs[index] = value;
  if (value == ValueId::None) return;
  const NodeId maker = std::exchange((*this)[value].producer, id);
  if (maker != NodeId::None) {
    std::vector<ValueId>& lost = (*this)[maker].outputs;
    for (size_t i = 0; i < lost.size(); ++i) {
      if (lost[i] == value && (maker != id || i != index)) lost[i] = ValueId::None;
    }
  }
}

void Graph::make_constant(ValueId id, Tensor content) {
  Value& value = (*this)[id];
  const NodeId maker = std::exchange(value.producer, NodeId::None);
  if (maker != NodeId::None) {
    std::vector<ValueId>& lost = (*this)[maker].outputs;
    std::replace(lost.begin(), lost.end(), id, ValueId::None);
  }
  value.constant = std::move(content);
}

std::span<const NodeId> Graph::users(ValueId id) const {
  if (id == ValueId::None) return {};
  return users_[static_cast<size_t>(id)];
}

bool Graph::is_output(ValueId id) const { return contains(outputs, id); }
bool Graph::is_input(ValueId id) const { return contains(inputs, id); }

void Graph::redirect(ValueId from, ValueId to) {
  if (from == to) return;
  const std::vector<NodeId> moving = users_[static_cast<size_t>(from)];
  for (const NodeId user : moving) {
    std::vector<ValueId> read = (*this)[user].inputs;
    std::replace(read.begin(), read.end(), from, to);
    set_inputs(user, std::move(read));
  }
  const bool was_output = is_output(from);
  const bool fixed_name = is_output(to) || is_input(to);  // known outside by its own name
  std::replace(outputs.begin(), outputs.end(), from, to);

  Value& gone = (*this)[from];
  Value& kept = (*this)[to];
  const std::string former = gone.name;
  std::vector<std::string> names = std::exchange(gone.aliases, {});
  names.insert(names.begin(), gone.name);
  if (was_output && !fixed_name) std::swap(kept.name, names.front());
  for (std::string& name : names) {
    value_names_[name] = to;
    if (!contains(kept.aliases, name)) kept.aliases.push_back(std::move(name));
  }
  value_names_[kept.name] = to;
  if (is_input(from)) return;  // an input keeps its place, whoever reads it
  gone.name = unique_name(former, false);
  value_names_.emplace(gone.name, from);
  if (gone.producer == NodeId::None) forget(from);
}

void Graph::absorb(NodeId part, std::span<const NodeId> into) {
  if (!alive(part)) fail(Code::Internal, where(part), "absorb of a node that is gone");
  for (const ValueId output : (*this)[part].outputs) {
    if (output == ValueId::None) continue;
    const bool needed = std::any_of(users(output).begin(), users(output).end(), [&](NodeId u) { return u != part; });
    if (needed || is_output(output)) {
      fail(Code::Internal, where(part), fmt::format("absorb while its output '{}' is still used", (*this)[output].name),
           "redirect the output, or let another node produce it, first");
    }
  }
  const std::vector<int32_t> moving = (*this)[part].origins;
  kill(part);
  for (const NodeId heir : into) {
    for (const int32_t origin : moving) insert_sorted((*this)[heir].origins, origin);
  }
  if (!into.empty()) return;
  for (const int32_t origin : moving) {
    bool held = false;
    for (int64_t i = 0; i < node_count() && !held; ++i) {
      const NodeId id{static_cast<int32_t>(i)};
      held = alive(id) && contains((*this)[id].origins, origin);
    }
    if (!held) insert_sorted(unplaced_origins, origin);
  }
}

bool Graph::remove_unused() {
  std::vector<bool> needed(nodes_.size());
  std::vector<NodeId> open;
  const auto need = [&](ValueId id) {
    if (id == ValueId::None) return;
    const NodeId maker = (*this)[id].producer;
    if (maker == NodeId::None || needed[static_cast<size_t>(maker)]) return;
    needed[static_cast<size_t>(maker)] = true;
    open.push_back(maker);
  };
  for (const ValueId output : outputs) need(output);
  while (!open.empty()) {
    const NodeId id = open.back();
    open.pop_back();
    for (const ValueId input : (*this)[id].inputs) need(input);
  }

  std::vector<int32_t> loose;
  bool removed = false;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!alive_[i] || needed[i]) continue;
    loose.insert(loose.end(), nodes_[i].origins.begin(), nodes_[i].origins.end());
    kill(NodeId{static_cast<int32_t>(i)});
    removed = true;
  }
  if (removed) {
    std::vector<bool> held(origins.size());
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!alive_[i]) continue;
      for (const int32_t origin : nodes_[i].origins) held[static_cast<size_t>(origin)] = true;
    }
    for (const int32_t origin : loose) {
      if (!held[static_cast<size_t>(origin)]) insert_sorted(unplaced_origins, origin);
    }
  }
  std::vector<bool> port(values_.size());
  for (const ValueId id : inputs) port[static_cast<size_t>(id)] = true;
  for (const ValueId id : outputs) port[static_cast<size_t>(id)] = true;
  for (size_t i = 0; i < values_.size(); ++i) {
    const bool loose_constant = values_[i].constant && values_[i].producer == NodeId::None && users_[i].empty();
    if (loose_constant && !port[i]) forget(ValueId{static_cast<int32_t>(i)});
  }
  return removed;
}

std::vector<NodeId> Graph::order() const {
  // Depth first over producers, roots in insertion order: a graph built in order keeps it, and a node that a pass added
  // later stands right before its first user.
  enum class Mark : uint8_t { New, Open, Done };
  std::vector<Mark> marks(nodes_.size(), Mark::New);
  std::vector<NodeId> sorted;
  sorted.reserve(nodes_.size());
  struct Visit {
    NodeId node;
    size_t input;
  };
  std::vector<Visit> path;
  const auto enter = [&](NodeId id) {
    marks[static_cast<size_t>(id)] = Mark::Open;
    path.push_back({id, 0});
  };
  for (size_t root = 0; root < nodes_.size(); ++root) {
    if (!alive_[root] || marks[root] != Mark::New) continue;
    enter(NodeId{static_cast<int32_t>(root)});
    while (!path.empty()) {
      const NodeId id = path.back().node;
      const std::vector<ValueId>& read = (*this)[id].inputs;
      if (path.back().input == read.size()) {
        marks[static_cast<size_t>(id)] = Mark::Done;
        sorted.push_back(id);
        path.pop_back();
        continue;
      }
      const ValueId value = read[path.back().input++];
      const NodeId maker = value == ValueId::None ? NodeId::None : (*this)[value].producer;
      if (maker == NodeId::None || marks[static_cast<size_t>(maker)] == Mark::Done) continue;
      if (marks[static_cast<size_t>(maker)] == Mark::New) {
        enter(maker);
        continue;
      }
      // The path runs from users to producers; shown in the direction data flows.
      constexpr int kShown = 12;
      std::string cycle;
      int shown = 0;
      for (auto at = path.rbegin();; ++at) {
        if (++shown <= kShown) cycle += (*this)[at->node].name + " -> ";
        if (at->node == maker) break;
      }
      if (shown > kShown) cycle += fmt::format("… {} more … -> ", shown - kShown);
      fail(Code::ImportCycle, where(id),
           fmt::format("the graph has a cycle: {}{}, expected none", cycle, (*this)[path.back().node].name),
           "repair the model: a node cannot need its own result");
    }
  }
  return sorted;
}

ValueId Graph::find(std::string_view name) const {
  const auto found = value_names_.find(name);
  return found == value_names_.end() ? ValueId::None : found->second;
}

std::vector<NodeId> Graph::computing(std::string_view source_tensor) const {
  std::vector<NodeId> found;
  for (size_t origin = 0; origin < origins.size(); ++origin) {
    if (origins[origin].tensor != source_tensor) continue;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const bool computes = alive_[i] && contains(nodes_[i].origins, static_cast<int32_t>(origin));
      if (computes) insert_sorted(found, NodeId{static_cast<int32_t>(i)});
    }
  }
  if (!found.empty()) return found;
  // Not the first output of any layer, but perhaps a tensor that still exists.
  const ValueId value = find(source_tensor);
  if (value != ValueId::None && (*this)[value].producer != NodeId::None) found.push_back((*this)[value].producer);
  return found;
}

Location Graph::where(NodeId id) const {
  const Node& node = (*this)[id];
  Location location;
  if (!node.origins.empty() && static_cast<size_t>(node.origins[0]) < origins.size()) {
    location = origins[static_cast<size_t>(node.origins[0])].where;
  }
  location.node = fmt::format("{} ({})", node.name, node.op);
  return location;
}

std::vector<Shape> shapes_of(const Graph& graph, const std::vector<ValueId>& values) {
  std::vector<Shape> shapes;
  for (const ValueId id : values) {
    if (id != ValueId::None) shapes.push_back(graph[id].shape);
  }
  return shapes;
}

}  // namespace openrknn
