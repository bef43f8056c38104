// ONNX's protobuf messages, written. Field numbers: onnx/onnx.proto3 (Apache-2.0).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/graph/attribute.h"

namespace openrknn::onnx_export {

/// TensorProto::DataType.
int32_t element_type(DType);

/// A GraphProto that is written already.
struct Body {
  std::string message;
};
struct NamedAttribute {
  std::string name;
  std::variant<Attribute, Body> value;
};

struct NodeMessage {
  std::string op, domain, name;
  std::vector<std::string> inputs, outputs;
  std::vector<NamedAttribute> attributes;
};

struct TensorType {
  DType dtype = DType::Float32;
  Shape shape;
};

std::string node_message(const NodeMessage&);
std::string value_message(const std::string& name, const TensorType&);
/// A whole TensorProto.
std::string tensor_message(const std::string& name, const Tensor&);
/// A TensorProto up to its bytes, which are to follow.
std::string tensor_header(const std::string& name, const Tensor&);
/// Tag and length of field `number`, whose `bytes` are to follow.
std::string field_header(uint32_t number, uint64_t bytes);

}  // namespace openrknn::onnx_export
