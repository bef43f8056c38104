// The pipeline from an imported Graph to a Model. compile.cpp is one page and the first file to read.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/analysis/calibration_set.h"
#include "compiler/corrections/corrections.h"
#include "compiler/corrections/float_corrections.h"
#include "compiler/dataset/samples.h"
#include "compiler/frame_inputs.h"
#include "compiler/op_targets.h"
#include "compiler/quantize/quantize.h"
#include "core/base/log.h"
#include "core/base/thread_pool.h"
#include "core/model/model.h"

namespace openrknn {

/// Gives what calibrate() gives for the golden graph, by whatever means.
using Calibrator = std::function<Calibration(const Graph& golden, const Samples&, Detail, const Progress&)>;

struct CompileOptions {
  std::string target = "rk3588";
  bool quantize = true;
  Scheme scheme = Scheme::W8A8;
  QuantizedMethod method = QuantizedMethod::Channel;
  int64_t group = 0;  ///< W4A16: input channels that share a scale, 32, 64, … 256; 0: none
  RangeAlgorithm algorithm = RangeAlgorithm::Normal;
  std::vector<PrecisionRule> precision;  ///< what single layers compute in; later rules win (docs/hybrid.md)
  int hybrid_level = 0;                  ///< how much of an int8 build is not int8 (quantize/hybrid_level.h)
  bool auto_hybrid = false;              ///< lift bad layers to another type (auto_hybrid.h)
  double auto_hybrid_cosine = 0.98;      ///< a layer with a smaller cosine is lifted
  std::optional<double> auto_hybrid_euclidean = {};  ///< and one with a larger distance
  bool symmetric_weights = false;
  bool quantize_weight = false;  ///< of a float16 build: large layers keep their weights in Int8 (shrinks the file)
  Corrections corrections;       ///< of the float graph
  bool bias_correction = false;  ///< corrections/bias_correction.cpp
  Rounding rounding = Rounding::Nearest;  ///< corrections/weight_rounding.cpp
  int optimization_level = 3;
  std::vector<std::string> left_out_passes;   ///< by name (passes/rule_names.h)
  bool flash_attention = false;               ///< attention as one layer (passes/fuse/attention.cpp)
  bool model_pruning = false;                 ///< channels that are always zero leave (passes/prune_channels.h)
  std::vector<OpTarget> op_targets;           ///< which layers are wanted on the CPU (op_targets.h)
  bool sparse_infer = false;                  ///< layers whose weights are 4:2 sparse are computed as such
  bool remove_reshape = false;                ///< at the model's ends (apply_interface_options)
  bool single_core = false;                   ///< the model runs on one core at a time
  std::vector<std::vector<float>> mean, std;  ///< per input; empty = none
  FrameFormats frames;                        ///< inputs that take frames (apply_interface_options)
  std::vector<bool> rgb_to_bgr;               ///< per input, or one for all; images of the dataset only
  /// Asked for by tensor of golden: they replace what calibration says of it and of all that share codes with it.
  AskedRanges ranges;
  /// Taken over instead of samples. The graphs are golden already: no pass runs (hybrid quantization, step 2).
  const Calibration* calibration = nullptr;
  bool keep_goldens = false;  ///< Compiled::goldens
  std::string custom_string;
  std::string source_framework = "ONNX";
  bool skip_unreadable = false;  ///< go on without samples that cannot be read (calibration_samples.h)
  CustomCode custom_code;        ///< what computes Custom nodes while a quantized build is calibrated
  Calibrator calibrator;         ///< other machines, say; empty: this process
  int64_t batch = 1;             ///< items of the built model; calibration stays with one
  bool remove_weight = false;    ///< write the file without its layers' weights (docs/rknn_file.md)
  bool compress_weight = false;  ///< pack the file's weights (docs/rknn_file.md)
  bool keep_golden = false;
  bool check = false;      ///< verify() after every pass
  std::string dump_after;  ///< stage or pass name; "all"
  std::function<void(std::string_view stage, const std::string& text)> dump;
};

struct StageTime {
  std::string stage;
  double seconds = 0;
};
/// What a precision rule named.
struct AppliedRule {
  std::string rule;
  std::vector<std::string> layers;
};
struct CompileReport {
  std::vector<StageTime> times;
  std::vector<std::string> pass_log, warnings;
  std::vector<std::string> results;         ///< what options achieved, for the user: pruned channels
  std::vector<SetFinding> calibration_set;  ///< what is to be said about it; the certain part is among the warnings
  std::vector<std::pair<std::string, std::string>> facts;  ///< what was asked for, for reports: ("scheme", "w8a8")
  std::vector<AppliedRule> precision_rules;
  int64_t nodes_imported = 0, nodes_compiled = 0, quantized_nodes = 0, float_nodes = 0, samples = 0;
  int64_t int16_nodes = 0;  ///< of the quantized ones
};
/// Everything up to the choice of precision: made once, finished as often as somebody tries another one.
struct PreparedBuild {
  std::vector<Graph> goldens;               ///< float graphs as they enter quantize, one a set of shapes, largest first
  Calibration calibration;                  ///< empty where nothing is calibrated
  std::vector<GivenParameters> given;       ///< of each golden: what a model that comes quantized says of its tensors
  bool brings_parameters = false;           ///< it does: its weights and ranges are not to be corrected
  std::vector<PrecisionRule> concat_rules;  ///< of split_concat: they come before the user's
  std::shared_ptr<LayerCache> cache;        ///< weights quantized so far
  std::vector<Port> inputs, outputs;
  CompileReport report;
};
struct Compiled {
  Model model;
  Graph golden;                ///< the float32 graph that entered quantize, of the largest shapes
  QuantizeRecipe recipe;       ///< what it was quantized with
  std::vector<Graph> goldens;  ///< with keep_goldens: one for each set of input shapes
  CompileReport report;
};

/// True if compile() reads samples. Weights alone are quantized from themselves, unless corrections look at data.
bool needs_samples(const CompileOptions&);

/// Options that give a model other inputs and outputs than its source has. Whoever imports a graph applies them once,
/// before anything else looks at it: frames for pictures (frame_inputs.h), no Reshape at the ends
/// (boundary_reshapes.h). Throws Error; what a user should know is added to `warnings`.
void apply_interface_options(Graph& imported, const CompileOptions&, std::vector<std::string>& warnings);
/// Ports of an imported graph: names, dtypes, mean and std checked against its inputs (Error ConfigBadMeanStd).
std::vector<Port> input_ports(const Graph& imported, const CompileOptions&);
std::vector<SampleSpec> sample_specs(const Graph& imported, const CompileOptions&);

/// The build is calibrated: it has layers whose inputs and results are codes.
bool reads_samples(const CompileOptions&);
/// It cannot be made without samples: it is calibrated, or corrected by data.
bool needs_samples(const CompileOptions&);
/// Samples are of use, if there are any: to the calibration, or to corrections.
bool looks_at_samples(const CompileOptions&);

/// Passes and calibration; checks the options. `samples` may be null when the build reads none. Throws Error.
PreparedBuild prepare(std::span<const Graph> shape_sets, const CompileOptions&, const Samples* samples, ThreadPool&,
                      const Progress& = {});
/// Precision, quantization and integers. The options may differ from those of prepare() in `precision` alone.
Compiled finish(const PreparedBuild&, const CompileOptions&, const Samples*, ThreadPool&, const Progress& = {});
/// What assign_precision() goes by for the golden graph of that set of shapes; `prepared` must outlive it.
PrecisionRules rules_of(const PreparedBuild& prepared, const CompileOptions&, size_t set = 0);
/// The largest golden graph, quantized and lowered, for those who try. With the means of golden, biases are corrected
/// as far as these allow.
Graph build_graph(const PreparedBuild&, const CompileOptions&, ThreadPool&, const GoldenMeans* = nullptr);

/// `samples` may be null when the build reads none. Throws Error.
Compiled compile(const Graph& imported, const CompileOptions&, const Samples* samples, ThreadPool&,
                 const Progress& = {});

/// For several sets of input shapes: the model imported once for each, largest first (import_shape_sets). Calibration
/// sees the largest; the others take its ranges over by name.
Compiled compile(std::span<const Graph> shape_sets, const CompileOptions&, const Samples* samples, ThreadPool&,
                 const Progress& = {});

/// clean, fold and fuse alone: the golden graph.
Graph optimize(const Graph& imported);

}  // namespace openrknn
