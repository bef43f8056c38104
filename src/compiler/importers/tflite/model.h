// A .tflite file, verified and taken apart. Nothing it says is believed: indices are in range, declared sizes are
// those of the bytes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/importers/tflite/model_generated.h"
#include "core/base/file.h"
#include "core/base/tensor.h"
#include "core/graph/graph.h"

namespace openrknn::tflite {

/// An operand of an operator: an index into the tensors, or none (an optional one left out).
inline constexpr int32_t kNoTensor = -1;

struct SourceTensor {
  std::string name;
  DType dtype = DType::Float32;
  Shape shape;                  ///< the file has a 1 where an extent is not known
  bool has_open_shape = false;  ///< it has such an extent
  std::optional<QuantParams> quant;
  bool is_variable = false;
  bool is_text = false;           ///< strings, resources, complex numbers: nothing this graph can hold
  std::optional<Tensor> content;  ///< views into the file
};

struct SourceOperator {
  int32_t code = 0;
  std::string custom;  ///< of code CUSTOM
  std::vector<int32_t> inputs, outputs;
  const file::Operator* table = nullptr;
};

struct SourceModel {
  std::shared_ptr<const MappedFile> file;  ///< what the views look into
  std::string description;
  size_t subgraphs = 0;
  std::vector<SourceTensor> tensors;  ///< of the main subgraph, as everything below
  std::vector<int32_t> inputs, outputs;
  std::vector<SourceOperator> operators;
};

/// Throws Error (ImportBadFile) with all that is wrong.
SourceModel read_model(std::shared_ptr<const MappedFile>);

/// The numbers of a sparse tensor in their places. `bytes` are those of the file. Throws Error (ImportBadFile).
Tensor densify(const file::SparsityParameters&, DType, const Shape&, std::span<const std::byte> values,
               std::span<const std::byte> bytes);

/// The options of an operator as one of the format's tables; null if it has none. Throws Error (ImportBadFile) if the
/// bytes are no such table.
template <class Table>
const Table* options_of(const SourceModel& model, const SourceOperator& source) {
  const file::Options* options = source.table->builtin_options();
  if (options == nullptr) return nullptr;
  const auto* table = reinterpret_cast<const Table*>(options);
  const std::span<const std::byte> bytes = model.file->bytes();
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (!verifier.VerifyTable(table)) fail(Code::ImportBadFile, "the options are damaged");
  return table;
}

}  // namespace openrknn::tflite
