#include "compiler/importers/tensorflow/formats.h"

#include <fmt/format.h>

#include <string_view>

#include "compiler/importers/importer.h"
#include "compiler/importers/tensorflow/graph_def.h"
#include "core/base/error.h"

namespace openrknn::tensorflow {
namespace {

/// The loaded model has a name: functions do not keep the variables they read.
std::string command(std::string_view open, const std::string& path, std::string_view function) {
  return fmt::format(
      "freeze it: python -c \"import tensorflow as tf; from tensorflow.python.framework.convert_to_constants import "
      "convert_variables_to_constants_v2 as freeze; m = {}('{}'); f = {}; tf.io.write_graph(freeze(f).graph, '.', "
      "'frozen.pb', as_text=False)\"",
      open, path, function);
}

}  // namespace

bool looks_like_hdf5(std::string_view head) { return head.starts_with("\x89HDF\r\n"); }

std::string freezing_command(const std::string& saved_model) {
  return command("tf.saved_model.load", saved_model, "m.signatures['serving_default']");
}

void refuse_unfrozen(const std::filesystem::path& path) {
  const Location where{.file = path.string()};
  std::error_code error;
  if (std::filesystem::exists(path / "saved_model.pb", error))
    fail(Code::ImportBadFile, where,
         "this is a SavedModel, whose variables are in other files, expected a frozen graph",
         freezing_command(path.string()));
  const std::string head = head_of(path), extension = path.extension().string();
  if (looks_like_saved_model(head)) {
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    fail(Code::ImportBadFile, where,
         "this is a SavedModel, whose variables are in other files, expected a frozen graph",
         freezing_command(folder.string()));
  }
  if (looks_like_hdf5(head) || extension == ".keras") {
    fail(Code::ImportBadFile, where, "this is a model of Keras, expected a frozen graph",
         command("tf.keras.models.load_model", path.string(),
                 "tf.function(m).get_concrete_function([tf.TensorSpec(i.shape, i.dtype) for i in m.inputs])"));
  }
  if (extension == ".meta" && !looks_like_graph_def(head)) {
    std::filesystem::path checkpoint = path;
    fail(Code::ImportBadFile, where, "this is the graph of a checkpoint, expected a frozen graph",
         fmt::format("freeze it: python -m tensorflow.python.tools.freeze_graph --input_meta_graph {} "
                     "--input_checkpoint {} --input_binary --output_node_names OUTPUTS --output_graph frozen.pb",
                     path.string(), checkpoint.replace_extension().string()));
  }
}

}  // namespace openrknn::tensorflow
