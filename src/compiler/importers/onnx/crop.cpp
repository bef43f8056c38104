#include "compiler/importers/onnx/crop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <queue>
#include <unordered_map>

namespace openrknn::onnx {
namespace {

Location at(const std::string& file, const NodeProto* node, Bytes tensor) {
  Location where;
  where.file = file;
  if (node != nullptr) where.node = label(*node);
  where.tensor = std::string(tensor);
  return where;
}

void collect_free_names(const GraphProto& graph, NameSet bound, std::vector<Bytes>& out) {
  for (const ValueInfo& input : graph.inputs) bound.insert(input.name);
  for (const TensorProto& tensor : graph.initializers) bound.insert(tensor.name);
  for (const NodeProto& node : graph.nodes) bound.insert(node.outputs.begin(), node.outputs.end());
  const auto read = [&](Bytes name) {
    if (!name.empty() && !bound.contains(name)) out.push_back(name);
  };
  for (const NodeProto& node : graph.nodes) {
    for (const Bytes name : node.inputs) read(name);
    for (const AttributeProto& attribute : node.attributes) {
      if (attribute.graph) collect_free_names(*attribute.graph, bound, out);
    }
  }
  for (const ValueInfo& output : graph.outputs) read(output.name);
}

/// One cycle among nodes that could not be sorted: walk from producer to producer until a node comes back.
std::vector<const NodeProto*> find_cycle(std::span<const std::vector<size_t>> producers, const std::vector<bool>& done,
                                         std::span<const NodeProto> nodes, size_t start) {
  std::vector<size_t> path;
  std::unordered_map<size_t, size_t> position;
  size_t current = start;
  while (position.emplace(current, path.size()).second) {
    path.push_back(current);
    current = *std::find_if(producers[current].begin(), producers[current].end(), [&](size_t p) { return !done[p]; });
  }
  std::vector<const NodeProto*> cycle;
  for (size_t i = position[current]; i < path.size(); ++i) cycle.push_back(&nodes[path[i]]);
  std::reverse(cycle.begin(), cycle.end());
  return cycle;
}

int64_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t diagonal = std::exchange(row[0], static_cast<int64_t>(i) + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const bool same =
          std::tolower(static_cast<unsigned char>(a[i])) == std::tolower(static_cast<unsigned char>(b[j]));
      const int64_t best = std::min({row[j + 1] + 1, row[j] + 1, diagonal + (same ? 0 : 1)});
      diagonal = std::exchange(row[j + 1], best);
    }
  }
  return row.back();
}

}  // namespace

std::string label(const NodeProto& node) {
  if (!node.name.empty()) return std::string(node.name);
  return fmt::format("{} of '{}'", node.op, node.outputs.empty() ? Bytes() : node.outputs[0]);
}

std::string quoted_list(std::span<const Bytes> names, size_t limit) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < limit; ++i) text += fmt::format("{}'{}'", i == 0 ? "" : ", ", names[i]);
  if (names.size() > limit) text += fmt::format(" and {} more", names.size() - limit);
  return text;
}

std::vector<Bytes> names_read(const NodeProto& node) {
  std::vector<Bytes> names;
  for (const Bytes name : node.inputs) {
    if (!name.empty()) names.push_back(name);
  }
  for (const AttributeProto& attribute : node.attributes) {
    if (attribute.graph) collect_free_names(*attribute.graph, {}, names);
  }
  return names;
}

Selection select_nodes(std::span<const NodeProto> nodes, std::span<const Bytes> wanted,
                       const std::function<bool(Bytes)>& is_given, const std::string& file, Diagnostics& problems) {
  std::unordered_map<Bytes, size_t> producer;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const Bytes name : nodes[i].outputs) {
      if (!name.empty()) producer.emplace(name, i);
    }
  }

  Selection selection;
  std::vector<bool> needed(nodes.size());
  std::vector<std::vector<size_t>> producers(nodes.size());
  std::vector<size_t> open;
  // Notes that `reader` needs the tensor; the producer joins the selection.
  const auto need = [&](Bytes name, const NodeProto* reader) -> std::optional<size_t> {
    const bool first = selection.reached.insert(name).second;
    if (is_given(name)) return std::nullopt;
    const auto found = producer.find(name);
    if (found == producer.end()) {
      if (first) {
        problems.add(Code::ImportMissingTensor, at(file, reader, name),
                     fmt::format("tensor '{}' is {} but no node, initializer or input provides it", name,
                                 reader == nullptr ? "an output" : "read"),
                     "export the model again");
      }
      return std::nullopt;
    }
    if (!needed[found->second]) {
      needed[found->second] = true;
      open.push_back(found->second);
    }
    return found->second;
  };
  for (const Bytes name : wanted) need(name, nullptr);
  while (!open.empty()) {
    const size_t i = open.back();
    open.pop_back();
    for (const Bytes name : names_read(nodes[i])) {
      if (const auto from = need(name, &nodes[i])) producers[i].push_back(*from);
    }
  }

  // Kahn's sort; the smallest index first keeps the order of the file wherever that is a valid one.
  std::vector<std::vector<size_t>> consumers(nodes.size());
  std::vector<size_t> waiting(nodes.size());
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  size_t left = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!needed[i]) continue;
    ++left;
    for (const size_t from : producers[i]) consumers[from].push_back(i);
    waiting[i] = producers[i].size();
    if (waiting[i] == 0) ready.push(i);
  }
  std::vector<bool> done(nodes.size());
  while (!ready.empty()) {
    const size_t i = ready.top();
    ready.pop();
    done[i] = true;
    --left;
    selection.nodes.push_back(&nodes[i]);
    for (const size_t next : consumers[i]) {
      if (--waiting[next] == 0) ready.push(next);
    }
  }
  if (left > 0) {
    size_t start = 0;
    while (!needed[start] || done[start]) ++start;
    const std::vector<const NodeProto*> cycle = find_cycle(producers, done, nodes, start);
    std::vector<std::string> labels;
    labels.reserve(cycle.size());
    for (const NodeProto* node : cycle) labels.push_back(label(*node));
    const std::vector<Bytes> names(labels.begin(), labels.end());
    problems.add(Code::ImportCycle, at(file, cycle.front(), {}),
                 fmt::format("the graph has a cycle: {} feed each other", quoted_list(names)),
                 "export the model again");
  }
  return selection;
}

void check_single_assignment(const GraphProto& graph, const std::string& file, Diagnostics& problems) {
  NameSet inputs, assigned;
  const auto duplicate = [&](Bytes name, const NodeProto* node, std::string_view what) {
    problems.add(Code::ImportDuplicateTensor, at(file, node, name),
                 fmt::format("tensor '{}' has more than one source: {}", name, what),
                 "tensor names must be unique; export the model again");
  };
  for (const ValueInfo& input : graph.inputs) {
    if (!inputs.insert(input.name).second) duplicate(input.name, nullptr, "two graph inputs have this name");
  }
  // An initializer may bear the name of an input: it is that input's default.
  for (const TensorProto& tensor : graph.initializers) {
    if (!assigned.insert(tensor.name).second) duplicate(tensor.name, nullptr, "two initializers have this name");
  }
  for (const NodeProto& node : graph.nodes) {
    for (const Bytes name : node.outputs) {
      if (name.empty()) continue;
      if (inputs.contains(name)) {
        duplicate(name, &node, "this node computes a graph input");
      } else if (!assigned.insert(name).second) {
        duplicate(name, &node, "another node or initializer gives it already");
      }
    }
    for (const AttributeProto& attribute : node.attributes) {
      if (attribute.graph) check_single_assignment(*attribute.graph, file, problems);
    }
  }
}

std::vector<Bytes> tensor_names(const GraphProto& graph) {
  std::vector<Bytes> names;
  NameSet seen;
  const auto add = [&](Bytes name) {
    if (!name.empty() && seen.insert(name).second) names.push_back(name);
  };
  for (const ValueInfo& input : graph.inputs) add(input.name);
  for (const TensorProto& tensor : graph.initializers) add(tensor.name);
  for (const NodeProto& node : graph.nodes) {
    for (const Bytes name : node.outputs) add(name);
  }
  return names;
}

std::string near_matches(std::string_view wanted, std::span<const Bytes> names) {
  constexpr size_t kLongest = 200;  // comparing is quadratic in the length
  const auto limit = static_cast<int64_t>(std::max<size_t>(2, wanted.size() / 3));
  std::vector<std::pair<int64_t, Bytes>> near;
  for (const Bytes name : names) {
    if (wanted.size() > kLongest || name.size() > kLongest) continue;
    const bool contained = wanted.size() >= 3 && name.find(wanted) != Bytes::npos;
    const int64_t distance = edit_distance(wanted, name);
    if (distance <= limit || contained) near.emplace_back(distance, name);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (near.empty()) return {};
  std::vector<Bytes> best;
  for (size_t i = 0; i < near.size() && i < 3; ++i) best.push_back(near[i].second);
  return fmt::format("; did you mean {}?", quoted_list(best));
}

}  // namespace openrknn::onnx
