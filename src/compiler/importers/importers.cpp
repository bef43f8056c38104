// The table of frameworks.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "compiler/importers/importer.h"
#include "core/base/text.h"

namespace openrknn {
namespace {

const Importer kImporters[] = {
    // Before ONNX: a SavedModel begins as a file of ONNX's first version would, which is older than what is read here.
    {"TensorFlow", {".pb", ".h5", ".keras", ".meta"}, looks_like_tensorflow, import_tensorflow, tensorflow_operators},
    {"ONNX", {".onnx"}, looks_like_onnx, import_onnx, onnx_operators},
    {"DarkNet", {".cfg", ".weights"}, looks_like_darknet, import_darknet, darknet_operators},
    {"Caffe", {".prototxt", ".caffemodel"}, looks_like_caffe, import_caffe, caffe_operators},
    {"TFLite", {".tflite"}, looks_like_tflite, import_tflite, tflite_operators},
    {"TorchScript",
     {".pt", ".torchscript", ".pth", ".pt2", ".jit"},
     looks_like_torchscript,
     import_torchscript,
     torchscript_operators,
     outline_torchscript},
};

}  // namespace

std::string head_of(const std::filesystem::path& path) {
  std::string head(kHeadBytes, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(file.gcount()));
  return head;
}

std::span<const Importer> importers() { return kImporters; }

const Importer* find_importer(const std::filesystem::path& given) {
  std::error_code error;
  const std::filesystem::path inside = given / "saved_model.pb";  // a SavedModel is a folder
  const std::filesystem::path path = std::filesystem::exists(inside, error) ? inside : given;
  const std::string head = head_of(path), extension = lower_case(path.extension().string());
  for (const Importer& importer : kImporters) {
    if (importer.recognises(head)) return &importer;
  }
  for (const Importer& importer : kImporters) {
    if (std::ranges::find(importer.extensions, extension) != importer.extensions.end()) return &importer;
  }
  return nullptr;
}

const Importer& importer_for(const std::filesystem::path& path) {
  std::error_code error;
  Location where;
  where.file = path.string();
  if (!std::filesystem::exists(path, error)) fail(Code::FileNotFound, where, "no such file", "check the path");
  if (const Importer* importer = find_importer(path)) return *importer;
  const std::string extension = lower_case(path.extension().string());
  if (extension == ".rknn") {
    fail(Code::ImportBadFile, where, "a .rknn file is converted already",
         "run it (openrknn run, openrknn.load, load_rknn), or convert the model it was made from");
  }
  fail(Code::ImportBadFile, where, "this is no model file that can be read",
       "give an ONNX (.onnx), DarkNet (.cfg), Caffe (.prototxt), TensorFlow (.pb), TFLite (.tflite) or TorchScript "
       "(.pt) file");
}

}  // namespace openrknn
