#include "toolkit/export_onnx.h"

#include "compiler/exporters/onnx/export.h"

namespace openrknn {
namespace {

void write(const Graph& graph, OnnxNames names, const std::filesystem::path& path) {
  names.graph = path.stem().string();
  FileSink sink(path);
  write_onnx(graph, names, sink);
  sink.commit();
}

}  // namespace

void export_onnx(const Model& model, const std::filesystem::path& path) {
  OnnxNames names;
  for (const Port& port : model.inputs) names.inputs.push_back(port.name);
  for (const Port& port : model.outputs) names.outputs.push_back(port.name);
  names.metadata = {{"openrknn.target", model.target}};
  write(model.variants.front(), std::move(names), path);
}

void export_onnx(const Graph& graph, const std::filesystem::path& path) { write(graph, {}, path); }

}  // namespace openrknn
