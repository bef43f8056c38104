// The operations behind the RKNN class and the command line: one object, one model, a small state machine
//   new --config--> configured --load_onnx--> loaded --build--> built --init_runtime--> running
//   loaded --hybrid_quantization_step1--> loaded, and three files; new --hybrid_quantization_step2--> built
//   new --load_rknn--> deployed --init_runtime--> running
// Every method throws Error; the edges (rknn.api, command line) turn that into return values and exit codes.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/analysis/analyze.h"
#include "compiler/compile.h"
#include "compiler/importers/importer.h"
#include "compiler/search/search.h"
#include "core/base/log.h"
#include "core/base/tensor.h"
#include "toolkit/custom_operators.h"
#include "toolkit/evaluation.h"
#include "toolkit/options.h"

namespace openrknn {

/// Lines for the user, already without prefix: (level, method or "", text).
using MessageSink = std::function<void(LogLevel, std::string_view method, std::string_view text)>;

/// Not thread-safe: one thread at a time per object.
class Toolkit {
 public:
  explicit Toolkit(MessageSink = {}, Progress = {}, int threads = 0);
  ~Toolkit();
  Toolkit(const Toolkit&) = delete;
  Toolkit& operator=(const Toolkit&) = delete;

  void config(const ArgumentValues&);
  /// Before load_onnx. An operator without compute and infer is one of the runtime's own set: accepted, and nothing
  /// changes here. Throws Error (ConfigBadValue, ConfigWrongState).
  void reg_custom_op(CustomOperatorCode);
  void load_onnx(const std::filesystem::path&, const ArgumentValues&,
                 std::vector<std::optional<Tensor>> initial_values = {});
  /// A network (.cfg) and its weights.
  void load_darknet(const std::filesystem::path&, const std::filesystem::path& weights);
  /// A net (.prototxt) and its numbers; `inputs` is the order of its inputs, empty: the net's.
  void load_caffe(const std::filesystem::path&, const std::filesystem::path& blobs, std::vector<std::string> inputs);
  /// A frozen TensorFlow graph.
  void load_tensorflow(const std::filesystem::path&, const ArgumentValues&);
  /// A TorchScript model, for inputs of these shapes.
  void load_pytorch(const std::filesystem::path&, const ArgumentValues&);
  /// A TFLite model; `inputs_are_nchw`: its inputs of four dimensions have their channels second.
  void load_tflite(const std::filesystem::path&, bool inputs_are_nchw);
  /// Any framework there is an importer for, with options the native API and the command line have.
  void load_model(const std::filesystem::path&, const ImportOptions&);
  /// Reads the dataset file, if quantizing. Or samples already in memory: one vector of arrays per sample.
  void build(const ArgumentValues&);
  void build(bool quantize, const std::filesystem::path& dataset, std::vector<std::vector<Tensor>> samples);
  /// Builds, quantized, with the layers lifted that a search to a target finds.
  SearchResult search(const std::filesystem::path& dataset, const SearchOptions&);
  /// Calibrates and writes <name>.model, .data and .quantization.cfg into the working directory, all or none.
  void hybrid_quantization_step1(const ArgumentValues&);
  /// Builds what those files say; needs neither config nor a loaded model.
  void hybrid_quantization_step2(const ArgumentValues&);
  void export_rknn(const std::filesystem::path&);
  /// Writes a C++ project for the exported model (codegen.h). Images take config(quant_img_RGB2BGR).
  void codegen(const ArgumentValues&);
  /// `key_file`: of an encrypted model; empty: what the environment names.
  void load_rknn(const std::filesystem::path&, const std::filesystem::path& key_file = {});
  /// Writes an encrypted form of a .rknn file; no model needs to be loaded.
  void export_encrypted_rknn_model(const ArgumentValues&);
  void init_runtime(const ArgumentValues&);
  /// Arrays in the given layouts ("nhwc", "nchw" per input; empty = nhwc for 4-D). Outputs in the source model's rank
  /// and layout; float32 for quantized and fp16 outputs, integers as they are. NaN inputs are refused.
  std::vector<Tensor> inference(std::vector<Tensor> inputs, std::vector<std::string> data_format,
                                std::vector<bool> pass_through);
  /// The vendor's text of times: of layers with init_runtime(perf_debug=True), else in total. Without a device an
  /// estimate (docs/estimates.md), and the text says so.
  std::string eval_perf(bool fix_freq = true);
  /// Needs init_runtime(eval_mem=True). Without a device an estimate.
  MemoryReport eval_memory();
  /// The toolkit's text of versions: of the device, or of this installation.
  std::string get_sdk_version();
  /// Every layer of the simulator beside golden, for one sample: the paths in `inputs`, one per model input. Files go
  /// to output_dir unless it is None, report.html among them. For whoever prints: error_table().
  Analysis accuracy_analysis(const ArgumentValues&);
  void release();

  /// For the native API and the command line.
  CompileOptions& compile_options();
  const Graph& imported() const;
  const Compiled& compiled() const;
  bool is_built() const;

 private:
  void load_as(std::string_view method, std::string_view framework, const std::filesystem::path&, const ImportOptions&);
  void load_with(const Importer&, const std::filesystem::path&, const ImportOptions&);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace openrknn
