#include "compiler/exporters/onnx/messages.h"

#include <array>
#include <iterator>
#include <protozero/pbf_writer.hpp>

#include "core/base/error.h"

namespace openrknn::onnx_export {
namespace {

using protozero::pbf_writer;

/// By DType: Float32 Float16 BFloat16 Float64 Int4 UInt4 Int8 UInt8 Int16 UInt16 Int32 UInt32 Int64 UInt64 Bool.
constexpr std::array<int32_t, kDTypeCount> kElementTypes = {1, 10, 16, 11, 22, 21, 3, 2, 5, 4, 6, 12, 7, 13, 9};

enum AttributeField : uint32_t {
  kName = 1,
  kF = 2,
  kI = 3,
  kS = 4,
  kT = 5,
  kG = 6,
  kFloats = 7,
  kInts = 8,
  kStrings = 9,
  kType = 20
};

/// Writes value and AttributeProto::AttributeType, whose numbers are those of the alternatives below.
struct AttributeWriter {
  pbf_writer& to;

  void type(int32_t number) const { to.add_enum(kType, number); }
  void operator()(int64_t value) const {
    to.add_int64(kI, value);
    type(2);
  }
  void operator()(double value) const {
    to.add_float(kF, static_cast<float>(value));
    type(1);
  }
  void operator()(const std::string& value) const {
    to.add_bytes(kS, value);
    type(3);
  }
  void operator()(const std::vector<int64_t>& values) const {
    for (const int64_t value : values) to.add_int64(kInts, value);
    type(7);
  }
  void operator()(const std::vector<double>& values) const {
    for (const double value : values) to.add_float(kFloats, static_cast<float>(value));
    type(6);
  }
  void operator()(const std::vector<std::string>& values) const {
    for (const std::string& value : values) to.add_bytes(kStrings, value);
    type(8);
  }
  void operator()(const Tensor& value) const {
    to.add_message(kT, tensor_message("", value));
    type(4);
  }
  void operator()(const std::shared_ptr<const Graph>&) const { fail(Code::Internal, "a body was not written"); }
};

void add_attribute(pbf_writer& node, const NamedAttribute& attribute) {
  pbf_writer to(node, 5);
  to.add_string(kName, attribute.name);
  if (const auto* body = std::get_if<Body>(&attribute.value)) {
    to.add_message(kG, body->message);
    to.add_enum(kType, 5);
  } else {
    std::visit(AttributeWriter{to}, std::get<Attribute>(attribute.value));
  }
}

}  // namespace

int32_t element_type(DType dtype) { return kElementTypes[static_cast<size_t>(dtype)]; }

std::string node_message(const NodeMessage& node) {
  std::string message;
  pbf_writer to(message);
  for (const std::string& name : node.inputs) to.add_string(1, name);
  for (const std::string& name : node.outputs) to.add_string(2, name);
  to.add_string(3, node.name);
  to.add_string(4, node.op);
  for (const NamedAttribute& attribute : node.attributes) add_attribute(to, attribute);
  if (!node.domain.empty()) to.add_string(7, node.domain);
  return message;
}

std::string value_message(const std::string& name, const TensorType& type) {
  std::string message;
  pbf_writer to(message);
  to.add_string(1, name);
  pbf_writer type_proto(to, 2);
  pbf_writer tensor(type_proto, 1);
  tensor.add_int32(1, element_type(type.dtype));
  // Assembled apart: an empty message (no dimensions, an extent nobody knows) has to be there, too.
  std::string dimensions;
  pbf_writer shape(dimensions);
  for (const int64_t extent : type.shape) {
    std::string dimension;
    if (extent >= 0) pbf_writer(dimension).add_int64(1, extent);
    shape.add_message(1, dimension);
  }
  tensor.add_message(2, dimensions);
  return message;
}

std::string tensor_header(const std::string& name, const Tensor& tensor) {
  std::string message;
  pbf_writer to(message);
  for (const int64_t extent : tensor.shape()) to.add_int64(1, extent);
  to.add_int32(2, element_type(tensor.dtype()));
  if (!name.empty()) to.add_string(8, name);
  return message + field_header(9, tensor.bytes().size());
}

std::string tensor_message(const std::string& name, const Tensor& tensor) {
  std::string message = tensor_header(name, tensor);
  message.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
  return message;
}

std::string field_header(uint32_t number, uint64_t bytes) {
  constexpr uint64_t kLengthDelimited = 2;
  std::string header;
  protozero::write_varint(std::back_inserter(header), uint64_t{number} << 3 | kLengthDelimited);
  protozero::write_varint(std::back_inserter(header), bytes);
  return header;
}

}  // namespace openrknn::onnx_export
