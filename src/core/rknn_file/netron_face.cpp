#include "core/rknn_file/netron_face.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/version.h"
#include "core/graph/custom.h"
#include "core/rknn_file/netron_face_generated.h"

namespace openrknn {
namespace {

namespace fb = flatbuffers;

/// How viewers call element types: number in the FlatBuffer, word in the JSON (netron throws on "bool").
struct FaceType {
  DType dtype;
  int8_t number;
  std::string_view word;
};
constexpr std::array kTypes = {
    FaceType{DType::Float32, 1, "float32"},    FaceType{DType::UInt8, 2, "uint8"},
    FaceType{DType::Int8, 3, "int8"},          FaceType{DType::UInt16, 4, "uint16"},
    FaceType{DType::Int16, 5, "int16"},        FaceType{DType::Int32, 6, "int32"},
    FaceType{DType::Int64, 7, "int64"},        FaceType{DType::Bool, 9, ""},
    FaceType{DType::Float16, 10, "float16"},   FaceType{DType::Float64, 11, "float64"},
    FaceType{DType::UInt32, 12, "uint32"},     FaceType{DType::UInt64, 13, "uint64"},
    FaceType{DType::BFloat16, 16, "bfloat16"},
};
constexpr FaceType kUnknownType{DType::Float32, 0, ""};  // 4-bit types have no number

const FaceType& face_type(DType dtype) {
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const FaceType& t) { return t.dtype == dtype; });
  return row == kTypes.end() ? kUnknownType : *row;
}

constexpr int8_t kConstant = 4;

int32_t clamp32(int64_t value) { return static_cast<int32_t>(std::clamp<int64_t>(value, -1, INT32_MAX)); }

int32_t dense_bytes(const Value& value) {
  return is_static(value.shape) ? clamp32(byte_size(value.dtype, element_count(value.shape))) : -1;
}

/// Text as a JSON string. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const int extra = byte < 0x80                   ? 0
                      : byte >= 0xc2 && byte < 0xe0 ? 1
                      : byte >= 0xe0 && byte < 0xf0 ? 2
                      : byte >= 0xf0 && byte < 0xf5 ? 3
                                                    : -1;
    bool valid = extra >= 0 && i + static_cast<size_t>(extra) < text.size();
    for (int k = 1; valid && k <= extra; ++k) valid = (text[i + static_cast<size_t>(k)] & 0xc0) == 0x80;
    if (!valid) {
      out += "\\ufffd";
      ++i;
      continue;
    }
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[i];
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<int>(byte));
    } else {
      out += text.substr(i, static_cast<size_t>(extra) + 1);
    }
    i += static_cast<size_t>(extra) + 1;
  }
  return out + '"';
}

std::string joined(const std::vector<std::string>& items) { return fmt::format("[{}]", fmt::join(items, ",")); }

std::string json_tensor(size_t id, const std::string& name, const Value& value) {
  return fmt::format(R"({{"tensor_id":{},"url":{},"size":[{}],"dtype":{{"vx_type":"{}","qnt_type":"{}"}}}})", id,
                     json_string(name), fmt::join(value.shape, ","), face_type(value.dtype).word,
                     value.quant ? "asymmetric_affine" : "");
}

std::string make_json(const Model& model, const Graph& graph) {
  std::vector<std::string> tensors, connections, edges;
  const auto side = [&](const std::vector<ValueId>& values, const std::vector<Port>& ports, const char* left) {
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t id = tensors.size();
      tensors.push_back(json_tensor(id, i < ports.size() ? ports[i].name : "", graph[values[i]]));
      connections.push_back(fmt::format(
          R"({{"left":"{}","node_id":0,"left_tensor_id":{},"right_tensor":{{"type":"norm_tensor","tensor_id":{}}}}})",
          left, i, id));
      edges.push_back(fmt::format(R"({{"left":"{}","left_tensor_id":{},"right":"norm_tensor","right_tensor_id":{}}})",
                                  left, i, id));
    }
  };
  side(graph.inputs, model.inputs, "input");
  side(graph.outputs, model.outputs, "output");
  const std::string framework = json_string(model.source_framework);
  return fmt::format(
      R"({{"name":"openrknn","version":{},"target_platform":[{}],"network_platform":{},"ori_network_platform":{},)"
      R"("norm_tensor":{},"const_tensor":[],"virtual_tensor":[],)"
      R"("nodes":[{{"op":"RKNN_OP_NNBG","name":"nnbg","nn":{{"nbg":{{"type":"RKNN"}}}}}}],"connection":{},"graph":{}}})",
      json_string(version()), json_string(model.target), framework, framework, joined(tensors), joined(connections),
      joined(edges));
}

class BodyWriter {
 public:
  explicit BodyWriter(const Graph& graph) : graph_(graph) {}

  std::string write(const Model& model) {
    collect();
    std::vector<fb::Offset<face::Tensor>> tensors;
    for (size_t i = 0; i < shown_.size(); ++i) tensors.push_back(tensor(graph_[shown_[i]], static_cast<int32_t>(i)));
    std::vector<fb::Offset<face::Node>> nodes;
    for (const ValueId id : graph_.inputs) nodes.push_back(node("InputOperator", graph_[id].name, {}, {id}));
    for (const NodeId id : graph_.order()) {
      nodes.push_back(node(std::string(shown_op(graph_[id])), graph_[id].name, graph_[id].inputs, graph_[id].outputs));
    }
    for (const ValueId id : graph_.outputs) nodes.push_back(node("OutputOperator", graph_[id].name, {id}, {}));
    const auto tensors_offset = out_.CreateVector(tensors);
    const auto nodes_offset = out_.CreateVector(nodes);
    const auto inputs = indices(graph_.inputs);
    const auto outputs = indices(graph_.outputs);
    const std::vector<fb::Offset<face::Graph>> graphs = {
        face::CreateGraph(out_, tensors_offset, nodes_offset, inputs, outputs)};
    const auto format = out_.CreateString("RKNPU v2");
    const auto graphs_offset = out_.CreateVector(graphs);
    const auto generator = out_.CreateString("{'attrs': {}, 'quant_tab': {}}");
    // A runtime of another maker reads here that the file is not for it.
    const auto compiler = out_.CreateString(fmt::format("openrknn-{0} (compiler version: openrknn-{0})", version()));
    const auto runtime = out_.CreateString(model.target);
    const auto source = out_.CreateString(model.source_framework);
    face::ModelBuilder builder(out_);
    builder.add_format(format);
    builder.add_graphs(graphs_offset);
    builder.add_generator(generator);
    builder.add_compiler(compiler);
    builder.add_runtime(runtime);
    builder.add_source(source);
    out_.Finish(builder.Finish(), face::ModelIdentifier());
    return {reinterpret_cast<const char*>(out_.GetBufferPointer()), out_.GetSize()};
  }

 private:
  /// Numbers the values nodes speak of, in order of first mention.
  void collect() {
    index_.assign(static_cast<size_t>(graph_.value_count()), -1);
    const auto show = [&](const std::vector<ValueId>& ids) {
      for (const ValueId id : ids) {
        if (id == ValueId::None || index_[static_cast<size_t>(id)] >= 0) continue;
        index_[static_cast<size_t>(id)] = static_cast<int32_t>(shown_.size());
        shown_.push_back(id);
      }
    };
    show(graph_.inputs);
    for (const NodeId id : graph_.order()) {
      show(graph_[id].inputs);
      show(graph_[id].outputs);
    }
    show(graph_.outputs);
  }

  fb::Offset<fb::Vector<int32_t>> indices(const std::vector<ValueId>& ids) {
    std::vector<int32_t> result;
    for (const ValueId id : ids) {
      if (id != ValueId::None) result.push_back(index_[static_cast<size_t>(id)]);
    }
    return out_.CreateVector(result);
  }

  fb::Offset<face::Tensor> tensor(const Value& value, int32_t index) {
    std::vector<int32_t> dims;
    for (const int64_t extent : value.shape) dims.push_back(clamp32(extent));
    const auto shape = out_.CreateVector(dims);
    const auto name = out_.CreateString(value.name);
    face::TensorBuilder builder(out_);
    builder.add_data_type(face_type(value.dtype).number);
    builder.add_kind(value.constant ? kConstant : 0);
    builder.add_shape(shape);
    builder.add_name(name);
    builder.add_size(dense_bytes(value));
    builder.add_index(index);
    return builder.Finish();
  }

  fb::Offset<face::Node> node(const std::string& op, const std::string& name, const std::vector<ValueId>& inputs,
                              const std::vector<ValueId>& outputs) {
    const auto type = out_.CreateString(op);
    const auto full_name = out_.CreateString(op + ":" + name);
    const auto in = indices(inputs);
    const auto out = indices(outputs);
    face::NodeBuilder builder(out_);
    builder.add_type(type);
    builder.add_name(full_name);
    builder.add_inputs(in);
    builder.add_outputs(out);
    return builder.Finish();
  }

  const Graph& graph_;
  fb::FlatBufferBuilder out_;
  std::vector<ValueId> shown_;
  std::vector<int32_t> index_;  // by value id
};

}  // namespace

Face make_face(const Model& model) {
  const Graph& graph = model.variants.front();
  return {BodyWriter(graph).write(model), make_json(model, graph)};
}

bool read_face(std::span<const std::byte> body, FileDescription& description) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(body.data());
  fb::Verifier verifier(bytes, body.size(), 64, 10'000'000);
  // Some vendor files come without the identifier.
  if (body.size() < 8 || !verifier.VerifyBuffer<face::Model>(nullptr)) return false;
  const face::Model& model = *face::GetModel(bytes);
  description.compiler = fb::GetString(model.compiler());
  description.runtime_target = fb::GetString(model.runtime());
  description.framework = fb::GetString(model.source());
  if (model.graphs() == nullptr || model.graphs()->size() == 0) return true;
  const face::Graph& graph = *model.graphs()->Get(0);
  const auto entries = [&](const fb::Vector<int32_t>* ids) {
    std::vector<FileDescription::Entry> result;
    if (ids == nullptr || graph.tensors() == nullptr) return result;
    for (const int32_t id : *ids) {
      if (id < 0 || static_cast<uint32_t>(id) >= graph.tensors()->size()) continue;
      const face::Tensor& tensor = *graph.tensors()->Get(static_cast<uint32_t>(id));
      FileDescription::Entry entry;
      entry.name = fb::GetString(tensor.name());
      const auto row =
          std::find_if(kTypes.begin(), kTypes.end(), [&](const FaceType& t) { return t.number == tensor.data_type(); });
      entry.dtype =
          row == kTypes.end() ? fmt::format("type {}", tensor.data_type()) : std::string(numpy_name(row->dtype));
      if (tensor.shape() != nullptr) entry.shape.assign(tensor.shape()->begin(), tensor.shape()->end());
      result.push_back(std::move(entry));
    }
    return result;
  };
  description.inputs = entries(graph.inputs());
  description.outputs = entries(graph.outputs());
  return true;
}

}  // namespace openrknn
