#include "compiler/importers/tensorflow/needed_nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace openrknn::tensorflow {

TensorName parse_name(const std::string& text) {
  if (!text.empty() && text[0] == '^') return {text.substr(1), 0, true};
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size()) return {text, 0, false};
  int64_t output = 0;
  for (size_t i = colon + 1; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9' || output > 65536) return {text, 0, false};
    output = output * 10 + (text[i] - '0');
  }
  return {text.substr(0, colon), output, false};
}

bool names_tensor(std::span<const TensorName> names, const std::string& tensor) {
  return std::ranges::any_of(names, [&](const TensorName& name) { return name.text() == tensor; });
}

// Without recursion: chains are long.
std::vector<size_t> needed_nodes(const SourceGraph& source, const std::map<std::string, size_t>& by_name,
                                 std::span<const TensorName> inputs, std::span<const TensorName> outputs,
                                 Diagnostics& problems) {
  std::vector<size_t> order;
  const auto where = [&](const std::string& node) { return Location{.file = source.file->name(), .node = node}; };
  enum class State : uint8_t { New, Open, Done };
  std::vector<State> states(source.nodes.size(), State::New);
  std::vector<std::pair<size_t, size_t>> stack;  // node, next of its inputs
  std::set<std::string> missing;
  const auto open = [&](const TensorName& name, const std::string& reader) {
    const auto found = by_name.find(name.node);
    if (found == by_name.end()) {
      if (missing.insert(name.node).second)
        problems.add(Code::ImportMissingTensor, where(reader),
                     fmt::format("it reads '{}', and there is no such node", name.node));
      return;
    }
    State& state = states[found->second];
    if (state == State::Open && source.nodes[found->second].op != "Merge") {
      problems.add(Code::ImportCycle, where(name.node), "the node depends on its own result");
      return;
    }
    if (state != State::New) return;
    state = State::Open;
    stack.emplace_back(found->second, 0);
  };
  for (const TensorName& output : outputs) {
    open(output, output.node);
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      const SourceNode& reader = source.nodes[node];
      if (next == reader.inputs.size() || reader.op == "NextIteration") {  // of a loop the way back
        states[node] = State::Done;
        order.push_back(node);
        stack.pop_back();
        continue;
      }
      const TensorName read = parse_name(reader.inputs[next++]);
      if (!read.is_control && !names_tensor(inputs, fmt::format("{}:0", reader.name)) &&
          !names_tensor(inputs, read.text()))
        open(read, reader.name);
    }
  }
  return order;
}

}  // namespace openrknn::tensorflow
