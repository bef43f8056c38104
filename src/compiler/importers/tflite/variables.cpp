#include "compiler/importers/tflite/variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace openrknn::tflite {
namespace {

/// What a variable holds at this point of the graph: a tensor of it, or what it began with.
struct Held {
  int32_t tensor = kNoTensor;
  std::optional<Tensor> initial;
};
using Variables = std::map<std::string, Held>;

[[noreturn]] void refuse(const SourceModel& model, std::string problem) {
  fail(Code::ImportUnsupportedOp, Location{.file = model.file->name()}, std::move(problem));
}

std::string variable_of(const SourceModel& model, const SourceOperator& source) {
  const auto* options = options_of<file::VarHandleOptions>(model, source);
  if (options == nullptr || options->shared_name() == nullptr) refuse(model, "VAR_HANDLE: a variable without a name");
  const std::string container = options->container() == nullptr ? "" : options->container()->str();
  return container + "/" + options->shared_name()->str();
}

class Handles {
 public:
  explicit Handles(const SourceModel& model) : model_(model) {}
  void add(const SourceOperator& source) { names_[source.outputs.front()] = variable_of(model_, source); }
  /// Of the first input, which has to come from VAR_HANDLE.
  const std::string& of(const SourceOperator& source, size_t inputs) const {
    const auto found = source.inputs.size() == inputs ? names_.find(source.inputs[0]) : names_.end();
    if (found == names_.end()) refuse(model_, "a variable is read or assigned that has no VAR_HANDLE");
    return found->second;
  }

 private:
  const SourceModel& model_;
  std::map<int32_t, std::string> names_;
};

/// Assigns constants, and does nothing else.
void initialise(const SourceModel& graph, Variables& variables) {
  Handles handles(graph);
  for (const SourceOperator& source : graph.operators) {
    if (source.code == kVarHandle) {
      handles.add(source);
    } else if (source.code == kAssignVariable) {
      const std::string& name = handles.of(source, 2);
      const SourceTensor* value =
          source.inputs[1] == kNoTensor ? nullptr : &graph.tensors[static_cast<size_t>(source.inputs[1])];
      if (value == nullptr || !value->content)
        refuse(graph, fmt::format("CALL_ONCE: '{}' begins with what is computed, expected a constant", name));
      variables[name] = {.tensor = kNoTensor, .initial = value->content};
    } else {
      refuse(graph,
             fmt::format("CALL_ONCE: its graph has operator {}, expected constants that are assigned to variables",
                         source.code));
    }
  }
}

}  // namespace

void resolve_variables(SourceModel& model, const std::function<SourceModel(size_t)>& subgraph) {
  const auto is_of_variables = [](const SourceOperator& source) {
    return source.code == kCallOnce || (source.code >= kVarHandle && source.code <= kAssignVariable);
  };
  if (std::ranges::none_of(model.operators, is_of_variables)) return;
  Variables variables;
  Handles handles(model);
  std::map<int32_t, int32_t> other_name;  // what a variable was read as: the tensor that was assigned
  const auto current = [&](int32_t tensor) {
    const auto found = other_name.find(tensor);
    return found == other_name.end() ? tensor : found->second;
  };
  std::vector<SourceOperator> kept;
  for (SourceOperator& source : model.operators) {
    for (int32_t& input : source.inputs) input = current(input);
    if (source.code == kVarHandle) {
      handles.add(source);
    } else if (source.code == kCallOnce) {
      const auto* options = options_of<file::CallOnceOptions>(model, source);
      const int32_t index = options == nullptr ? 0 : options->init_subgraph_index();
      if (index < 1 || static_cast<size_t>(index) >= model.subgraphs)
        refuse(model, fmt::format("CALL_ONCE: it calls graph {} of {}", index, model.subgraphs));
      initialise(subgraph(static_cast<size_t>(index)), variables);
    } else if (source.code == kAssignVariable) {
      const std::string& name = handles.of(source, 2);
      if (source.inputs[1] == kNoTensor) refuse(model, fmt::format("'{}' is assigned nothing", name));
      variables[name] = {.tensor = source.inputs[1], .initial = std::nullopt};
    } else if (source.code == kReadVariable) {
      const std::string& name = handles.of(source, 1);
      const auto found = variables.find(name);
      if (found == variables.end()) refuse(model, fmt::format("'{}' is read before anything is assigned to it", name));
      const int32_t result = source.outputs.front();
      if (found->second.tensor != kNoTensor) {
        other_name[result] = found->second.tensor;
      } else {
        SourceTensor& tensor = model.tensors[static_cast<size_t>(result)];
        tensor.content = found->second.initial;
        if (tensor.content->dtype() != tensor.dtype ||
            (!tensor.shape.empty() && tensor.content->shape() != tensor.shape))
          refuse(model, fmt::format("'{}' is read as {} {}, and begins as {} {}", name, openrknn::name(tensor.dtype),
                                    to_string(tensor.shape), openrknn::name(tensor.content->dtype()),
                                    to_string(tensor.content->shape())));
      }
    } else {
      kept.push_back(std::move(source));
    }
  }
  for (int32_t& output : model.outputs) output = current(output);
  model.operators = std::move(kept);
}

}  // namespace openrknn::tflite
