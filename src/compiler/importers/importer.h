// Importers: model file -> Graph, by rows. They translate and check; they never optimise.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

/// An operator of the source model that the user's own code computes. (ONNX operators named cst… need no declaration.)
struct CustomDeclaration {
  using Type = std::pair<DType, Shape>;
  std::string type;  ///< op_type, in whatever domain; operators this importer translates stay what they are
  /// Types of the outputs; empty: what the file says of them (value_info).
  std::function<std::vector<Type>(const Attributes&, std::span<const Type> inputs)> infer;
  bool like_first_input = false;  ///< where nothing else is known: outputs have the type of the first input
};

/// What the caller may fix about a model while it is read. Names are the source model's.
struct ImportOptions {
  std::vector<std::string> inputs;   ///< crop: new graph inputs (any tensor); empty = the model's own
  std::vector<std::string> outputs;  ///< crop: new graph outputs (any tensor); empty = the model's own
  /// Aligned with `inputs` (or with the model's inputs); empty = as in the file. Three numbers for a 4-D input:
  /// batch 1.
  std::vector<Shape> input_shapes;
  std::map<std::string, int64_t> dimensions;          ///< symbolic dimensions by name: {"batch", 1}
  std::vector<std::optional<Tensor>> initial_values;  ///< aligned likewise: a value freezes that input to a constant
  std::map<std::string, Tensor> constants;            ///< by name: inputs frozen likewise
  std::vector<CustomDeclaration> custom_ops;
  /// The second file of frameworks that have two; empty: beside the model, under its name.
  std::filesystem::path weights;
  bool inputs_are_nchw =
      false;  ///< inputs of four dimensions are no NHWC images where the framework has those (TFLite)
};

/// An operator of a framework, as docs/operators.md lists it.
struct SourceOperator {
  std::string_view op;
  int since = 0, until = 0;       ///< versions (ONNX: opsets) whose forms are read
  std::string_view refused = {};  ///< why it is not read at all; empty: it is
};

/// What a file tells that says no shapes of its inputs, before they are given.
struct ModelOutline {
  std::vector<std::string> arguments;        ///< "x: Tensor"
  std::map<std::string, int64_t> operators;  ///< how often the model's code names each
  int64_t weights = 0;                       ///< numbers
};

/// One framework. Rows of importers(); no importer includes another.
struct Importer {
  std::string_view framework;                ///< "ONNX"
  std::vector<std::string_view> extensions;  ///< lower case
  /// By the file's first bytes (kHeadBytes, or all there are), whatever it is called.
  bool (*recognises)(std::string_view head);
  /// Throws Error with every problem found (unsupported nodes with type, location and count).
  Graph (*import)(const std::filesystem::path&, const ImportOptions&);
  /// Sorted by name; one row for each range of versions.
  std::vector<SourceOperator> (*operators)();
  /// Null where files say the shapes of their inputs; nothing for a file that does.
  std::optional<ModelOutline> (*outline)(const std::filesystem::path&) = nullptr;
};
std::span<const Importer> importers();
inline constexpr size_t kHeadBytes = 4096;
std::string head_of(const std::filesystem::path&);
/// By content, else by extension; null if no importer knows it.
const Importer* find_importer(const std::filesystem::path&);
/// The same. Throws Error (ImportBadFile).
const Importer& importer_for(const std::filesystem::path&);

/// The ONNX importer: opset 6 to 28, external data, files over 2 GiB; reads from the mapped file.
Graph import_onnx(const std::filesystem::path&, const ImportOptions&);
bool looks_like_onnx(std::string_view head);
std::vector<SourceOperator> onnx_operators();

/// The DarkNet importer: a .cfg and its .weights; either may be named.
Graph import_darknet(const std::filesystem::path&, const ImportOptions&);
bool looks_like_darknet(std::string_view head);
std::vector<SourceOperator> darknet_operators();

/// The Caffe importer: a .prototxt and its .caffemodel; either may be named.
Graph import_caffe(const std::filesystem::path&, const ImportOptions&);
bool looks_like_caffe(std::string_view head);
std::vector<SourceOperator> caffe_operators();

/// The TensorFlow importer: a frozen GraphDef.
Graph import_tensorflow(const std::filesystem::path&, const ImportOptions&);
bool looks_like_tensorflow(std::string_view head);
std::vector<SourceOperator> tensorflow_operators();

/// The TorchScript importer: archives of torch.jit.save. Shapes of the inputs have to be given.
Graph import_torchscript(const std::filesystem::path&, const ImportOptions&);
bool looks_like_torchscript(std::string_view head);
std::optional<ModelOutline> outline_torchscript(const std::filesystem::path&);
std::vector<SourceOperator> torchscript_operators();

/// The TFLite importer: schema 3.
Graph import_tflite(const std::filesystem::path&, const ImportOptions&);
bool looks_like_tflite(std::string_view head);
std::vector<SourceOperator> tflite_operators();

}  // namespace openrknn
