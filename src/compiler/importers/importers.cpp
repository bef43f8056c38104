// The table of frameworks.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

#include "compiler/importers/importer.h"

namespace openrknn {
namespace {

std::string lower_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

/// A ModelProto begins with field 1 (IR version, a small number) and goes on with one of its first fields.
bool looks_like_onnx(const std::filesystem::path& path) {
  std::array<char, 3> head{};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  const bool field_follows =
      head[2] != 0 && std::string_view("\x12\x1a\x22\x28\x32\x3a\x42").find(head[2]) != std::string_view::npos;
  return head[0] == 0x08 && head[1] > 0 && head[1] < 32 && field_follows;
}

bool is_onnx(const std::filesystem::path& path) { return lower_extension(path) == ".onnx" || looks_like_onnx(path); }

constexpr Importer kImporters[] = {
    {"ONNX", is_onnx, import_onnx, onnx_operators},
};

/// Formats that are known by name and not read yet.
struct Planned {
  std::string_view extension, framework;
};
constexpr Planned kPlanned[] = {
    {".tflite", "TensorFlow Lite"},
    {".pb", "TensorFlow"},
    {".caffemodel", "Caffe"},
    {".prototxt", "Caffe"},
    {".cfg", "DarkNet"},
    {".weights", "DarkNet"},
    {".pt", "TorchScript"},
    {".torchscript", "TorchScript"},
};

}  // namespace

std::span<const Importer> importers() { return kImporters; }

const Importer& importer_for(const std::filesystem::path& path) {
  std::error_code error;
  Location where;
  where.file = path.string();
  if (!std::filesystem::exists(path, error)) fail(Code::FileNotFound, where, "no such file", "check the path");
  const std::string extension = lower_extension(path);
  const auto planned = std::find_if(std::begin(kPlanned), std::end(kPlanned),
                                    [&](const Planned& row) { return row.extension == extension; });
  if (planned != std::end(kPlanned)) {
    fail(Code::NotBuilt, where, fmt::format("reading {} models is not built yet", planned->framework),
         "convert the model to ONNX");
  }
  for (const Importer& importer : kImporters) {
    if (importer.recognises(path)) return importer;
  }
  if (extension == ".rknn") {
    fail(Code::ImportBadFile, where, "a .rknn file is converted already",
         "run it (openrknn run, openrknn.load, load_rknn), or convert the model it was made from");
  }
  fail(Code::ImportBadFile, where, "this is no model file that can be read", "give an ONNX file (.onnx)");
}

}  // namespace openrknn
