#include "compiler/importers/tensorflow/inline_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "compiler/importers/tensorflow/needed_nodes.h"
#include "core/base/error.h"

namespace openrknn::tensorflow {
namespace {

constexpr size_t kMostBytes = size_t{1} << 26;  ///< of nodes in place of calls
constexpr int kDeepest = 32;

size_t bytes_of(const SourceNode& node) {
  size_t bytes = sizeof(SourceNode) + node.name.size() + node.op.size();
  for (const std::string& input : node.inputs) bytes += sizeof(input) + input.size();
  for (const auto& [key, value] : node.attributes)
    bytes += sizeof(value) + key.size() + value.text.size() + sizeof(int64_t) * value.integers.size();
  return bytes;
}

const SourceFunction* called_by(const SourceGraph& graph, const SourceNode& node) {
  const bool is_call = node.op == "PartitionedCall" || node.op == "StatefulPartitionedCall";
  const auto found = graph.functions.find(is_call ? node.text("f") : node.op);
  if (found == graph.functions.end()) return nullptr;
  const auto given = static_cast<size_t>(
      std::ranges::count_if(node.inputs, [](const std::string& input) { return !input.starts_with('^'); }));
  return given == found->second.arguments.size() ? &found->second : nullptr;
}

/// Outputs behind the first that operators give a name of its own; all other names are of a first one.
constexpr std::pair<std::string_view, int64_t> kLaterOutputs[] = {
    {"argmax", 1},          {"batch_mean", 1},  {"batch_variance", 2},  {"idx", 1},
    {"indices", 1},         {"output_true", 1}, {"reserve_space_1", 3}, {"reserve_space_2", 4},
    {"reserve_space_3", 5}, {"value_index", 1},
};
int64_t first_of(std::string_view output) {
  const auto row = std::ranges::find(kLaterOutputs, output, &std::pair<std::string_view, int64_t>::first);
  return row == std::end(kLaterOutputs) ? 0 : row->second;
}

/// What a tensor within a body is in the graph: of the call's inputs one, or a node of its own.
std::string outside(const std::string& text, const SourceFunction& function, const SourceNode& call) {
  const std::string prefix = call.name + "/";
  if (text.starts_with('^')) return "^" + prefix + text.substr(1);
  const size_t colon = text.find(':'), last = text.rfind(':');
  if (colon == std::string::npos) {
    const auto argument = std::ranges::find(function.arguments, text);
    if (argument == function.arguments.end()) return prefix + text;
    return call.inputs[static_cast<size_t>(argument - function.arguments.begin())];  // control inputs come last
  }
  const std::string_view output =
      last == colon ? std::string_view{} : std::string_view(text).substr(colon + 1, last - colon - 1);
  return fmt::format("{}{}:{}", prefix, text.substr(0, colon), first_of(output) + parse_name(text).output);
}

/// The body, and in place of the call what passes its results on; ends when there are more bytes than are left.
void add_body(const SourceFunction& function, const SourceNode& call, std::vector<SourceNode>& nodes, size_t& left) {
  const auto add = [&](SourceNode node) {
    left -= std::min(left, bytes_of(node));
    nodes.push_back(std::move(node));
  };
  for (const SourceNode& source : function.nodes) {
    if (left == 0) return;
    SourceNode node = source;
    node.name = call.name + "/" + node.name;
    for (std::string& input : node.inputs) input = outside(input, function, call);
    add(std::move(node));
  }
  SourceNode results;
  results.name = call.name;
  results.op = "IdentityN";
  for (const std::string& result : function.results) {
    const auto tensor = function.returned.find(result);
    if (tensor != function.returned.end()) results.inputs.push_back(outside(tensor->second, function, call));
  }
  add(std::move(results));
}

}  // namespace

void inline_calls(SourceGraph& graph) {
  size_t left = kMostBytes;
  bool changed = !graph.functions.empty();
  for (int depth = 0; depth < kDeepest && changed; ++depth) {
    std::vector<SourceNode> nodes;
    changed = false;
    for (SourceNode& node : graph.nodes) {
      const SourceFunction* function = called_by(graph, node);
      if (function == nullptr) {
        nodes.push_back(std::move(node));
        continue;
      }
      changed = true;
      add_body(*function, node, nodes, left);
      if (left == 0)
        fail(Code::ImportBadFile, Location{.file = graph.file->name(), .node = node.name},
             "the bodies of functions in place of their calls are beyond any network");
    }
    graph.nodes = std::move(nodes);
  }
}

}  // namespace openrknn::tensorflow
