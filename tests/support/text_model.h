// Models for tests, written as text graphs: a port for each input and output, named as the value.
#pragma once

#include <string>
#include <string_view>

#include "core/base/file.h"
#include "core/graph/text.h"
#include "core/model/model.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn::test {

inline Model model_of(std::string_view text, std::string target = "rk3588") {
  Model model;
  model.variants.push_back(parse_graph(text));
  const Graph& graph = model.variants.front();
  const auto ports = [&](const std::vector<ValueId>& values) {
    std::vector<Port> result;
    for (const ValueId id : values) {
      Port port;
      port.name = graph[id].name;
      port.dtype = DType::Float32;
      result.push_back(port);
    }
    return result;
  };
  model.inputs = ports(graph.inputs);
  model.outputs = ports(graph.outputs);
  model.target = std::move(target);
  model.tool_version = "test";
  model.source_framework = "ONNX";
  return model;
}

inline std::string file_bytes(const Model& model) {
  MemorySink sink;
  write(model, sink);
  return sink.data;
}

inline std::shared_ptr<const MappedFile> in_memory(const std::string& bytes) {
  return MappedFile::copy_of({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "test.rknn");
}

inline Model read_bytes(const std::string& bytes) { return read(in_memory(bytes)); }

}  // namespace openrknn::test
