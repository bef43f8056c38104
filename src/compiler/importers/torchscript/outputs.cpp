#include "compiler/importers/torchscript/outputs.h"

namespace openrknn::torchscript {

void add_outputs(Interpreter& run, const Value& result, const ImportOptions& options, const std::string& file) {
  const Location where{.file = file};
  std::vector<TensorRef> tensors;
  bool has_unknown = false;
  collect_tensors(result, tensors, has_unknown);
  if (has_unknown) fail(Code::ImportUnsupportedOp, where, "the model returns places of maxima that are not computed");
  if (tensors.empty()) fail(Code::ImportBadFile, where, "the model returns no tensor");
  Graph& graph = run.builder().graph;
  for (const TensorRef& tensor : tensors) {
    ValueId id = run.id(tensor);
    const bool is_own = id != ValueId::None && graph[id].producer != NodeId::None && !graph.is_output(id);
    if (!is_own) {
      const Value copy = run.call_operator("aten::clone_of_output", {tensor}, {}, {});
      run.builder().finish();
      id = run.id(*copy.as<TensorRef>());
    }
    graph.outputs.push_back(id);
  }
  if (options.outputs.empty()) return;
  graph.outputs.clear();
  take_outputs(
      graph, options.outputs, [&](const std::string& name) { return graph.find(name); }, file, "no operator gives",
      "openrknn inspect lists the tensors");
}

}  // namespace openrknn::torchscript
