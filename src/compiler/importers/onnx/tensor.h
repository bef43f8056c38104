// TensorProto -> Tensor: views of the mapped file where possible, checked always.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/importers/onnx/wire.h"
#include "core/base/error.h"
#include "core/base/tensor.h"

namespace openrknn::onnx {

/// How the IR stores an ONNX element type; nullopt for types it has no place for (strings, complex, float8, …).
/// The golden graph is float32: float16, bfloat16 and double become Float32.
std::optional<DType> ir_dtype(ElementType);
/// "float16", "float8e4m3fn", …: ONNX's name, for messages.
std::string_view name(ElementType);
/// Why tensors of this type are not supported and what to use instead, as the end of a sentence. Empty: they are.
std::string_view type_refusal(ElementType);

/// The files a model's tensors live in: the .onnx itself and, beside it, external data. Maps each once.
class TensorFiles {
 public:
  TensorFiles(std::shared_ptr<const MappedFile> model, const std::filesystem::path& model_path);

  /// The tensor with ir_dtype's element type. raw data that needs no conversion and is aligned for its type stays a
  /// view of the mapping; anything else is copied, never more than the bytes in the file justify. Throws Error
  /// (ImportBadFile, ImportUnsupportedType, ImportExternalData, InvalidShape) naming `tensor_name`.
  Tensor read(const TensorProto&, std::string_view tensor_name);

 private:
  struct Stored {
    std::span<const std::byte> bytes;
    std::shared_ptr<const MappedFile> file;
  };
  Stored external(const TensorProto&, const Location&, int64_t needed);

  std::shared_ptr<const MappedFile> model_;
  std::filesystem::path directory_;
  std::map<std::string, std::shared_ptr<const MappedFile>, std::less<>> files_;
};

}  // namespace openrknn::onnx
