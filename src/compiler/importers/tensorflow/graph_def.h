// A frozen GraphDef, taken apart: nodes with their attributes, as the wire has them (graph.proto, node_def.proto,
// attr_value.proto, tensor.proto). Contents stay where they are in the file until somebody asks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.h"
#include "core/base/tensor.h"

namespace openrknn::tensorflow {

struct AttributeValue {
  std::string text;  ///< s, or the name of a func
  int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  int type = 0;  ///< DataType
  std::optional<Shape> shape;
  std::string_view tensor;  ///< bytes of a TensorProto
  std::vector<int64_t> integers;
};

struct SourceNode {
  std::string name, op;
  std::vector<std::string> inputs;  ///< "node", "node:1", "^node"
  std::map<std::string, AttributeValue, std::less<>> attributes;

  std::string text(std::string_view key, std::string fallback = {}) const;
  int64_t integer(std::string_view key, int64_t fallback) const;
  double number(std::string_view key, double fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::vector<int64_t> integers(std::string_view key) const;
  const AttributeValue* find(std::string_view key) const;
};

/// A body that nodes call. Within it "argument", "node:output_name:0" and "^node" name tensors.
struct SourceFunction {
  std::vector<std::string> arguments, results;
  std::vector<SourceNode> nodes;
  std::map<std::string, std::string, std::less<>> returned;  ///< tensor of each result
};

struct SourceGraph {
  std::shared_ptr<const MappedFile> file;  ///< what views look into
  std::vector<SourceNode> nodes;
  std::map<std::string, SourceFunction, std::less<>> functions;
};

/// Throws Error (ImportBadFile).
SourceGraph read_graph(std::shared_ptr<const MappedFile>);
/// Of a TensorProto; a list shorter than the shape repeats its last number. Throws Error (ImportBadFile,
/// ImportUnsupportedAttribute for text).
Tensor read_tensor(std::string_view bytes, const std::shared_ptr<const MappedFile>&);
/// None for types that hold no numbers.
std::optional<DType> dtype_of_type(int type);
/// Floats of 16 and 64 bits are float32 in a graph.
DType computed_as(DType);

/// What a file is by its first bytes.
bool looks_like_graph_def(std::string_view head);
bool looks_like_saved_model(std::string_view head);

}  // namespace openrknn::tensorflow
