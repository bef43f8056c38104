#include "compiler/importers/tflite/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "compiler/importers/tflite/variables.h"

namespace openrknn::tflite {
namespace {

/// TensorType of the format, by number. Those without a DType hold no numbers of this graph.
constexpr std::optional<DType> kTypes[] = {
    DType::Float32, DType::Float16, DType::Int32, DType::UInt8, DType::Int64, std::nullopt,  // text
    DType::Bool,    DType::Int16,   std::nullopt,                                            // complex64
    DType::Int8,    DType::Float64, std::nullopt,                                            // complex128
    DType::UInt64,  std::nullopt,   std::nullopt,                                            // resource, variant
    DType::UInt32,  DType::UInt16,  DType::Int4,
};

class Reader {
 public:
  Reader(SourceModel& model, const file::Model& root) : model_(model), root_(root) {}

  void read(size_t subgraph) {
    if (root_.version() != 3) add(fmt::format("the schema has version {}, expected 3", root_.version()));
    if (root_.subgraphs() == nullptr || root_.subgraphs()->size() <= subgraph) return add("the file holds no graph");
    model_.subgraphs = root_.subgraphs()->size();
    if (root_.description() != nullptr) model_.description = root_.description()->str();
    const file::SubGraph& graph = *root_.subgraphs()->Get(static_cast<flatbuffers::uoffset_t>(subgraph));
    if (graph.tensors() != nullptr) {
      for (flatbuffers::uoffset_t i = 0; i < graph.tensors()->size(); ++i)
        model_.tensors.push_back(read_tensor(*graph.tensors()->Get(i), i));
    }
    model_.inputs = indices(graph.inputs(), "an input of the graph", false);
    model_.outputs = indices(graph.outputs(), "an output of the graph", false);
    if (graph.operators() == nullptr) return;
    for (flatbuffers::uoffset_t i = 0; i < graph.operators()->size(); ++i)
      read_operator(*graph.operators()->Get(i), fmt::format("operator {}", i));
  }

  Diagnostics problems;

 private:
  void add(std::string problem, std::string tensor = {}) {
    problems.add(Code::ImportBadFile, Location{.file = model_.file->name(), .tensor = std::move(tensor)},
                 std::move(problem));
  }

  std::vector<int32_t> indices(const flatbuffers::Vector<int32_t>* list, std::string_view whose, bool may_be_none) {
    std::vector<int32_t> result;
    if (list == nullptr) return result;
    for (const int32_t index : *list) {
      const bool is_none = index == kNoTensor && may_be_none;
      if (!is_none && (index < 0 || index >= static_cast<int64_t>(model_.tensors.size()))) {
        add(fmt::format("{} is tensor {}, and there are {}", whose, index, model_.tensors.size()));
        continue;
      }
      result.push_back(index);
    }
    return result;
  }

  void read_operator(const file::Operator& table, const std::string& where) {
    SourceOperator source{.table = &table};
    const auto* codes = root_.operator_codes();
    if (codes == nullptr || table.opcode_index() >= codes->size())
      return add(fmt::format("{} has the code at {}, and there are {}", where, table.opcode_index(),
                             codes == nullptr ? 0 : codes->size()));
    const file::OperatorCode& code = *codes->Get(table.opcode_index());
    // Codes above 126 did not fit the field of old; newer files fill both.
    source.code = std::max<int32_t>(code.deprecated_builtin_code(), code.builtin_code());
    if (code.custom_code() != nullptr) source.custom = code.custom_code()->str();
    source.inputs = indices(table.inputs(), where + ": an input", true);
    source.outputs = indices(table.outputs(), where + ": an output", false);
    const bool may_give_nothing = source.code == kCallOnce || source.code == kAssignVariable;
    if (source.outputs.empty() && !may_give_nothing) return add(fmt::format("{} has no outputs", where));
    model_.operators.push_back(std::move(source));
  }

  SourceTensor read_tensor(const file::Tensor& table, size_t index) {
    SourceTensor tensor;
    if (table.name() != nullptr) tensor.name = table.name()->str();
    if (tensor.name.empty()) tensor.name = fmt::format("tensor_{}", index);
    const auto type = static_cast<size_t>(table.type());
    tensor.is_text = type >= std::size(kTypes) || !kTypes[type];
    if (!tensor.is_text) tensor.dtype = *kTypes[type];
    tensor.is_variable = table.is_variable();
    if (table.shape() != nullptr) tensor.shape.assign(table.shape()->begin(), table.shape()->end());
    if (table.shape_signature() != nullptr)
      tensor.has_open_shape = std::ranges::find(*table.shape_signature(), -1) != table.shape_signature()->end();
    constexpr int64_t kMostExtent = int64_t{1} << 31;
    constexpr size_t kMostDimensions = 8;
    if (tensor.shape.size() > kMostDimensions) {
      add(fmt::format("{} dimensions, expected {} at most", tensor.shape.size(), kMostDimensions), tensor.name);
      tensor.shape.assign(1, 1);
      return tensor;
    }
    int64_t count = 1;
    for (const int64_t extent : tensor.shape) {
      if (extent < 0 || (extent > 0 && count > kMostExtent / extent)) {
        add(fmt::format("the shape {} is none of any tensor", to_string(tensor.shape)), tensor.name);
        tensor.shape.assign(1, 1);
        return tensor;
      }
      count *= extent;
    }
    if (table.quantization() != nullptr) read_quantization(*table.quantization(), tensor);
    read_content(table, tensor);
    return tensor;
  }

  void read_quantization(const file::QuantizationParameters& table, SourceTensor& tensor) {
    if (table.scale() == nullptr || table.scale()->size() == 0 || is_floating(tensor.dtype)) return;
    QuantParams quant;
    const size_t count = table.scale()->size();
    for (const float scale : *table.scale()) quant.scale.push_back(scale);
    const auto* zero_points = table.zero_point();
    if (zero_points != nullptr && zero_points->size() != count && zero_points->size() != 0)
      return add(fmt::format("{} scales and {} zero points", count, zero_points->size()), tensor.name);
    for (size_t i = 0; i < count; ++i) {
      // FlatBuffers verifies that a vector begins at four bytes; damaged files do not have these at eight.
      int64_t zero_point = 0;
      if (zero_points != nullptr && zero_points->size() != 0)
        std::memcpy(&zero_point, zero_points->Data() + i * sizeof zero_point, sizeof zero_point);
      if (zero_point < std::numeric_limits<int16_t>::min() || zero_point > std::numeric_limits<uint16_t>::max())
        return add(fmt::format("the zero point {} is none of {}", zero_point, openrknn::name(tensor.dtype)),
                   tensor.name);
      quant.zero_point.push_back(static_cast<int32_t>(zero_point));
      if (!(quant.scale[i] > 0) || quant.scale[i] > std::numeric_limits<float>::max()) {
        // Converters write 0 for channels and inputs that hold nothing.
        if (quant.scale[i] != 0)
          return add(fmt::format("the scale {} is none of any codes", quant.scale[i]), tensor.name);
        quant.scale[i] = std::numeric_limits<float>::min();
      }
    }
    if (count > 1) {
      quant.axis = table.quantized_dimension();
      const auto rank = static_cast<int64_t>(tensor.shape.size());
      if (quant.axis < 0 || quant.axis >= rank || tensor.shape[static_cast<size_t>(quant.axis)] != int64_t(count))
        return add(fmt::format("{} scales along dimension {} of {}", count, quant.axis, to_string(tensor.shape)),
                   tensor.name);
    }
    tensor.quant = std::move(quant);
  }

  /// Bytes of a buffer; empty: none.
  std::span<const std::byte> bytes_of(uint32_t buffer, const std::string& tensor) {
    const auto* buffers = root_.buffers();
    if (buffers == nullptr || buffer >= buffers->size()) {
      if (buffer != 0) add(fmt::format("the content is in buffer {}, which is not there", buffer), tensor);
      return {};
    }
    const file::Buffer& table = *buffers->Get(buffer);
    if (table.data() != nullptr && table.data()->size() > 0)
      return std::as_bytes(std::span(table.data()->data(), table.data()->size()));
    const std::span<const std::byte> all = model_.file->bytes();
    if (table.offset() <= 1) return {};  // behind the FlatBuffer, in files beyond 2 GB
    if (table.offset() > all.size() || table.size() > all.size() - table.offset()) {
      add(fmt::format("the content ends at byte {}, and the file has {}", table.offset() + table.size(), all.size()),
          tensor);
      return {};
    }
    return all.subspan(table.offset(), table.size());
  }

  void read_content(const file::Tensor& table, SourceTensor& tensor) {
    if (tensor.is_text) return;
    const std::span<const std::byte> bytes = bytes_of(table.buffer(), tensor.name);
    if (bytes.empty()) return;
    try {
      if (table.sparsity() != nullptr) {
        tensor.content = densify(*table.sparsity(), tensor.dtype, tensor.shape, bytes, model_.file->bytes());
        return;
      }
      const auto needed = static_cast<size_t>((element_count(tensor.shape) * bit_width(tensor.dtype) + 7) / 8);
      if (bytes.size() != needed) {
        add(fmt::format("the content has {} bytes, {} {} need {}", bytes.size(), openrknn::name(tensor.dtype),
                        to_string(tensor.shape), needed),
            tensor.name);
        return;
      }
      const size_t alignment = std::max(1, bit_width(tensor.dtype) / 8);
      if (reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0) {
        tensor.content = Tensor::view(tensor.dtype, tensor.shape, bytes, model_.file);
      } else {
        Tensor copy(tensor.dtype, tensor.shape);
        std::memcpy(copy.mutable_bytes().data(), bytes.data(), bytes.size());
        tensor.content = std::move(copy);
      }
    } catch (const Error& error) {
      for (Diagnostic diagnostic : error.diagnostics) {
        diagnostic.where = Location{.file = model_.file->name(), .tensor = tensor.name};
        problems.add(std::move(diagnostic));
      }
    }
  }

  SourceModel& model_;
  const file::Model& root_;
};

}  // namespace

SourceModel read_model(std::shared_ptr<const MappedFile> mapped) {
  SourceModel model{.file = std::move(mapped)};
  const std::span<const std::byte> bytes = model.file->bytes();
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  // An operator is a table and has its options verified on their own; of 64 levels the format uses six.
  const auto most_tables = static_cast<flatbuffers::uoffset_t>(std::min<size_t>(bytes.size() / 4 + 1, 1U << 28));
  flatbuffers::Verifier verifier(data, bytes.size(), 64, most_tables);
  if (bytes.size() < 8 || !verifier.VerifyBuffer<file::Model>("TFL3")) {
    fail(Code::ImportBadFile, Location{.file = model.file->name()},
         "the file is damaged: it is no complete FlatBuffer of TFLite's schema", "fetch or convert it again");
  }
  const auto read_graph = [&](size_t subgraph) {
    SourceModel read{.file = model.file};
    Reader reader(read, *file::GetModel(data));
    reader.read(subgraph);
    reader.problems.throw_if_any();
    return read;
  };
  model = read_graph(0);
  resolve_variables(model, read_graph);
  return model;
}

}  // namespace openrknn::tflite
