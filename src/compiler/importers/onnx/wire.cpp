#include "compiler/importers/onnx/wire.h"

#include <fmt/format.h>

#include <protozero/pbf_reader.hpp>

#include "compiler/importers/protobuf_fields.h"
#include "core/base/error.h"

namespace openrknn::onnx {
namespace {

using protobuf::bytes;
using protobuf::fixed32;
using protobuf::varint;
using protozero::pbf_reader;

/// Graphs nest through attributes (If, Loop). Real models stay below ten; the parser's stack must not be the file's
/// choice.
constexpr int kMaxNesting = 32;

struct TooDeep {};

// clang-format off
// (the switches below are tables: a field a line)


Bytes view(pbf_reader& reader) {
  const protozero::data_view data = reader.get_view();
  return {data.data(), data.size()};
}
pbf_reader message(pbf_reader& reader) { return pbf_reader(reader.get_view()); }

void append_packed_ints(pbf_reader& reader, std::vector<int64_t>& out) {
  for (const int64_t value : reader.get_packed_int64()) out.push_back(value);
}

std::pair<Bytes, Bytes> parse_pair(pbf_reader reader) {
  std::pair<Bytes, Bytes> pair;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): pair.first = view(reader); break;
      case bytes(2): pair.second = view(reader); break;
      default: reader.skip();
    }
  }
  return pair;
}

TensorProto parse_tensor(pbf_reader reader) {
  TensorProto tensor;
  tensor.message = {reader.data().data(), reader.data().size()};
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case varint(1): tensor.dims.push_back(reader.get_int64()); break;
      case bytes(1): append_packed_ints(reader, tensor.dims); break;
      case varint(2): tensor.type = static_cast<ElementType>(reader.get_int32()); break;
      case bytes(8): tensor.name = view(reader); break;
      case bytes(9): tensor.raw_data = view(reader); break;
      case bytes(13): tensor.external_data.push_back(parse_pair(message(reader))); break;
      case varint(14): tensor.external = reader.get_int32() == 1; break;
      default: reader.skip();
    }
  }
  return tensor;
}

Dimension parse_dimension(pbf_reader reader) {
  Dimension dimension;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case varint(1): dimension.value = reader.get_int64(); break;
      case bytes(2): dimension.symbol = view(reader); break;
      default: reader.skip();
    }
  }
  return dimension;
}

std::vector<Dimension> parse_shape(pbf_reader reader) {
  std::vector<Dimension> shape;
  while (reader.next()) {
    if (reader.tag_and_type() == bytes(1)) {
      shape.push_back(parse_dimension(message(reader)));
    } else {
      reader.skip();
    }
  }
  return shape;
}

void parse_type(pbf_reader reader, ValueInfo& info) {
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): {
        pbf_reader tensor = message(reader);
        while (tensor.next()) {
          switch (tensor.tag_and_type()) {
            case varint(1): info.type = static_cast<ElementType>(tensor.get_int32()); break;
            case bytes(2): info.shape = parse_shape(message(tensor)); break;
            default: tensor.skip();
          }
        }
        break;
      }
      case bytes(4): info.other_kind = "sequence"; reader.skip(); break;
      case bytes(5): info.other_kind = "map"; reader.skip(); break;
      case bytes(7): info.other_kind = "opaque"; reader.skip(); break;
      case bytes(8): info.other_kind = "sparse tensor"; reader.skip(); break;
      case bytes(9): info.other_kind = "optional"; reader.skip(); break;
      default: reader.skip();
    }
  }
}

ValueInfo parse_value_info(pbf_reader reader) {
  ValueInfo info;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): info.name = view(reader); break;
      case bytes(2): parse_type(message(reader), info); break;
      default: reader.skip();
    }
  }
  return info;
}

GraphProto parse_graph(pbf_reader reader, int depth);

// Writers of IR version 1 and some converters leave `type` out; the field that is present says it then.
AttributeProto parse_attribute(pbf_reader reader, int depth) {
  AttributeProto attribute;
  AttributeKind declared = AttributeKind::Undefined, present = AttributeKind::Undefined;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): attribute.name = view(reader); continue;
      case bytes(21): attribute.reference = view(reader); continue;
      case varint(20): declared = static_cast<AttributeKind>(reader.get_int32()); continue;
      case fixed32(2): attribute.f = reader.get_float(); present = AttributeKind::Float; continue;
      case varint(3): attribute.i = reader.get_int64(); present = AttributeKind::Int; continue;
      case bytes(4): attribute.s = view(reader); present = AttributeKind::String; continue;
      case bytes(5): attribute.tensor = std::make_shared<const TensorProto>(parse_tensor(message(reader))); present = AttributeKind::Tensor; continue;
      case bytes(6): attribute.graph = std::make_shared<const GraphProto>(parse_graph(message(reader), depth + 1)); present = AttributeKind::Graph; continue;
      case fixed32(7): attribute.floats.push_back(reader.get_float()); present = AttributeKind::Floats; continue;
      case bytes(7): for (const float value : reader.get_packed_float()) attribute.floats.push_back(value); present = AttributeKind::Floats; continue;
      case varint(8): attribute.ints.push_back(reader.get_int64()); present = AttributeKind::Ints; continue;
      case bytes(8): append_packed_ints(reader, attribute.ints); present = AttributeKind::Ints; continue;
      case bytes(9): attribute.strings.push_back(view(reader)); present = AttributeKind::Strings; continue;
      case bytes(22): present = AttributeKind::SparseTensor; break;
      default: break;
    }
    reader.skip();
  }
  attribute.kind = declared != AttributeKind::Undefined ? declared : present;
  return attribute;
}

NodeProto parse_node(pbf_reader reader, int depth) {
  NodeProto node;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): node.inputs.push_back(view(reader)); break;
      case bytes(2): node.outputs.push_back(view(reader)); break;
      case bytes(3): node.name = view(reader); break;
      case bytes(4): node.op = view(reader); break;
      case bytes(5): node.attributes.push_back(parse_attribute(message(reader), depth)); break;
      case bytes(7): node.domain = view(reader); break;
      case bytes(8): node.overload = view(reader); break;
      default: reader.skip();
    }
  }
  if (node.domain == "ai.onnx") node.domain = {};  // two spellings of the default domain
  return node;
}

Bytes sparse_name(pbf_reader reader) {
  while (reader.next()) {
    if (reader.tag_and_type() == bytes(1)) return parse_tensor(message(reader)).name;
    reader.skip();
  }
  return {};
}

GraphProto parse_graph(pbf_reader reader, int depth) {
  if (depth > kMaxNesting) throw TooDeep{};
  GraphProto graph;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): graph.nodes.push_back(parse_node(message(reader), depth)); break;
      case bytes(2): graph.name = view(reader); break;
      case bytes(5): graph.initializers.push_back(parse_tensor(message(reader))); break;
      case bytes(10): graph.doc = view(reader); break;
      case bytes(11): graph.inputs.push_back(parse_value_info(message(reader))); break;
      case bytes(12): graph.outputs.push_back(parse_value_info(message(reader))); break;
      case bytes(13): graph.values.push_back(parse_value_info(message(reader))); break;
      case bytes(15): graph.sparse_initializers.push_back(sparse_name(message(reader))); break;
      default: reader.skip();
    }
  }
  return graph;
}

OpsetId parse_opset(pbf_reader reader) {
  OpsetId opset;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): opset.domain = view(reader); break;
      case varint(2): opset.version = reader.get_int64(); break;
      default: reader.skip();
    }
  }
  if (opset.domain == "ai.onnx") opset.domain = {};
  return opset;
}

FunctionProto parse_function(pbf_reader reader) {
  FunctionProto function;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): function.name = view(reader); break;
      case bytes(4): function.inputs.push_back(view(reader)); break;
      case bytes(5): function.outputs.push_back(view(reader)); break;
      case bytes(7): function.nodes.push_back(parse_node(message(reader), 1)); break;
      case bytes(9): function.opsets.push_back(parse_opset(message(reader))); break;
      case bytes(10): function.domain = view(reader); break;
      case bytes(11): function.defaults.push_back(parse_attribute(message(reader), 1)); break;
      case bytes(13): function.overload = view(reader); break;
      default: reader.skip();
    }
  }
  return function;
}

void parse_model_fields(pbf_reader reader, ModelProto& model) {
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case varint(1): model.ir_version = reader.get_int64(); break;
      case bytes(2): model.producer_name = view(reader); break;
      case bytes(3): model.producer_version = view(reader); break;
      case bytes(4): model.domain = view(reader); break;
      case varint(5): model.model_version = reader.get_int64(); break;
      case bytes(6): model.doc = view(reader); break;
      case bytes(7): model.graph = parse_graph(message(reader), 0); model.has_graph = true; break;
      case bytes(8): model.opsets.push_back(parse_opset(message(reader))); break;
      case bytes(14): model.metadata.push_back(parse_pair(message(reader))); break;
      case bytes(25): model.functions.push_back(parse_function(message(reader))); break;
      default: reader.skip();
    }
  }
}

// clang-format on
// What people give by mistake: files that stand for the model, and pages of download sites.
[[noreturn]] void fail_foreign(const Location& here, std::string_view bytes) {
  const size_t begin = bytes.find_first_not_of(" \t\r\n");
  if (bytes.starts_with("version https://git-lfs")) {
    fail(Code::ImportBadFile, here, "not an ONNX file: this is a Git LFS pointer that stands for the model",
         "run 'git lfs pull' to fetch the model itself");
  }
  if (begin != std::string_view::npos && bytes[begin] == '<') {
    fail(Code::ImportBadFile, here, "not an ONNX file: this is an HTML or XML page, as a failed download leaves it",
         "download the model again");
  }
  fail(Code::ImportBadFile, here, "not an ONNX file: its bytes are not a protobuf message",
       "give the path of a binary .onnx file");
}

}  // namespace

ModelProto parse_model(const MappedFile& file) {
  const std::span<const std::byte> data = file.bytes();
  Location here;
  here.file = file.name();
  ModelProto model;
  // A file that broke off has said something sensible before; noise rarely has.
  const auto plausible = [&] { return model.ir_version > 0 && model.ir_version < 1000; };
  try {
    parse_model_fields(pbf_reader(reinterpret_cast<const char*>(data.data()), data.size()), model);
  } catch (const protozero::end_of_buffer_exception&) {
    if (plausible()) {
      fail(Code::ImportTruncated, here,
           fmt::format("the ONNX file ends in the middle of a field, got {} bytes", data.size()),
           "copy or download the file again");
    }
    fail_foreign(here, {reinterpret_cast<const char*>(data.data()), data.size()});
  } catch (const protozero::exception& error) {
    if (plausible()) {
      fail(Code::ImportBadFile, here, fmt::format("damaged ONNX file: {}", error.what()),
           "copy or download the file again");
    }
    fail_foreign(here, {reinterpret_cast<const char*>(data.data()), data.size()});
  } catch (const TooDeep&) {
    fail(Code::ImportBadFile, here, fmt::format("graphs are nested more than {} deep", kMaxNesting));
  }
  if (!model.has_graph) {
    fail(Code::ImportBadFile, here,
         data.empty() ? std::string("not an ONNX file: it is empty") : "not an ONNX file: it holds no graph",
         "give the path of a binary .onnx file");
  }
  return model;
}

}  // namespace openrknn::onnx
