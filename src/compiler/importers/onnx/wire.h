// ONNX's protobuf messages as plain structs that look into the mapped file. Field numbers: onnx/onnx.proto3
// (Apache-2.0).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/file.h"

namespace openrknn::onnx {

using Bytes = std::string_view;  ///< a piece of the mapping

/// TensorProto::DataType.
enum class ElementType : int32_t {
  Undefined = 0,
  Float = 1,
  UInt8 = 2,
  Int8 = 3,
  UInt16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  String = 8,
  Bool = 9,
  Float16 = 10,
  Double = 11,
  UInt32 = 12,
  UInt64 = 13,
  Complex64 = 14,
  Complex128 = 15,
  BFloat16 = 16,
  Float8E4M3FN = 17,
  Float8E4M3FNUZ = 18,
  Float8E5M2 = 19,
  Float8E5M2FNUZ = 20,
  UInt4 = 21,
  Int4 = 22,
  Float4E2M1 = 23,
  Float8E8M0 = 24,
  UInt2 = 25,
  Int2 = 26,
  Float6E2M3 = 27,
  Float6E3M2 = 28,
};

struct TensorProto {
  Bytes name;
  std::vector<int64_t> dims;
  ElementType type = ElementType::Undefined;
  std::optional<Bytes> raw_data;
  bool external = false;                               ///< data_location == EXTERNAL
  std::vector<std::pair<Bytes, Bytes>> external_data;  ///< location, offset, length, checksum
  Bytes message;                                       ///< the whole message: typed fields are read from it on demand
};

/// AttributeProto::AttributeType.
enum class AttributeKind : int32_t {
  Undefined = 0,
  Float = 1,
  Int = 2,
  String = 3,
  Tensor = 4,
  Graph = 5,
  Floats = 6,
  Ints = 7,
  Strings = 8,
  Tensors = 9,
  Graphs = 10,
  SparseTensor = 11,
  SparseTensors = 12,
  TypeProto = 13,
  TypeProtos = 14,
};

struct GraphProto;

struct AttributeProto {
  Bytes name, reference;  ///< reference: the attribute of the enclosing function that this one stands for
  AttributeKind kind = AttributeKind::Undefined;
  float f = 0;
  int64_t i = 0;
  Bytes s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<Bytes> strings;
  std::shared_ptr<const TensorProto> tensor;
  std::shared_ptr<const GraphProto> graph;
};

struct NodeProto {
  std::vector<Bytes> inputs, outputs;  ///< "" = left out
  Bytes name, op, domain, overload;
  std::vector<AttributeProto> attributes;
};

/// One extent of a declared shape: a number, a symbol, or neither.
struct Dimension {
  std::optional<int64_t> value;
  Bytes symbol;
};

struct ValueInfo {
  Bytes name;
  ElementType type = ElementType::Undefined;
  std::string_view other_kind;                  ///< "sequence", "map", …: not a tensor
  std::optional<std::vector<Dimension>> shape;  ///< absent: rank unknown
};

struct GraphProto {
  Bytes name, doc;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<Bytes> sparse_initializers;  ///< names
  std::vector<ValueInfo> inputs, outputs, values;
};

struct OpsetId {
  Bytes domain;
  int64_t version = 0;
};

struct FunctionProto {
  Bytes name, domain, overload;
  std::vector<Bytes> inputs, outputs;
  std::vector<AttributeProto> defaults;
  std::vector<NodeProto> nodes;
  std::vector<OpsetId> opsets;
};

struct ModelProto {
  int64_t ir_version = 0, model_version = 0;
  Bytes producer_name, producer_version, domain, doc;
  std::vector<OpsetId> opsets;
  GraphProto graph;
  bool has_graph = false;
  std::vector<FunctionProto> functions;
  std::vector<std::pair<Bytes, Bytes>> metadata;
};

/// Reads the structure; weights stay where they are. The result looks into `file`, which must outlive it.
/// Throws Error (ImportTruncated, ImportBadFile) for anything that is not a whole ONNX file.
ModelProto parse_model(const MappedFile& file);

}  // namespace openrknn::onnx
