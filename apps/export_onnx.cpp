#include "toolkit/export_onnx.h"

#include <fmt/format.h>

#include <filesystem>

#include "apps/verbs.h"
#include "compiler/compile.h"
#include "compiler/importers/importer.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn {

int export_onnx(const ExportOnnxArguments& arguments) {
  const std::filesystem::path source = arguments.model;
  const bool built = source.extension() == ".rknn";
  std::filesystem::path output = arguments.output;
  if (output.empty()) {
    output = source;
    output.replace_extension(built ? ".qdq.onnx" : ".float.onnx");
  }
  if (built) {
    export_onnx(read(MappedFile::open(source)), output);
  } else {
    export_onnx(optimize(importer_for(source).import(source, arguments.source)), output);
  }
  fmt::print("{}\n", output.string());
  return 0;
}

}  // namespace openrknn
