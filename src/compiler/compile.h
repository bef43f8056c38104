// The pipeline from an imported Graph to a Model. compile.cpp is one page and the first file to read.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/dataset/samples.h"
#include "compiler/quantize/quantize.h"
#include "core/base/log.h"
#include "core/base/thread_pool.h"
#include "core/model/model.h"

namespace openrknn {

struct CompileOptions {
  std::string target = "rk3588";
  bool quantize = true;
  Scheme scheme = Scheme::W8A8;
  QuantizedMethod method = QuantizedMethod::Channel;
  int64_t group = 0;  ///< W4A16: input channels that share a scale, 32, 64, … 256; 0: none
  RangeAlgorithm algorithm = RangeAlgorithm::Normal;
  std::vector<PrecisionRule> precision;  ///< what single layers compute in; later rules win (docs/hybrid.md)
  bool symmetric_weights = false;
  bool equalize = false;  ///< cross-layer equalization before quantization (passes/correct/equalize.cpp)
  int optimization_level = 3;
  std::vector<std::vector<float>> mean, std;  ///< per input; empty = none
  std::vector<bool> rgb_to_bgr;               ///< per input, or one for all; images of the dataset only
  /// Asked for by tensor of golden: they replace what calibration says of it and of all that share codes with it.
  AskedRanges ranges;
  /// Taken over instead of samples. The graphs are golden already: no pass runs (hybrid quantization, step 2).
  const Calibration* calibration = nullptr;
  bool keep_calibration = false;  ///< Compiled::calibration and goldens
  std::string custom_string;
  std::string source_framework = "ONNX";
  CustomCode custom_code;      ///< what computes Custom nodes while a quantized build is calibrated
  int64_t batch = 1;           ///< items of the built model; calibration stays with one
  bool remove_weight = false;  ///< write the file without its layers' weights (docs/rknn_file.md)
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
  std::vector<AppliedRule> precision_rules;
  int64_t nodes_imported = 0, nodes_compiled = 0, quantized_nodes = 0, float_nodes = 0, samples = 0;
};
struct Compiled {
  Model model;
  Graph golden;                ///< the float32 graph that entered quantize, of the largest shapes
  Calibration calibration;     ///< with keep_calibration, as goldens
  std::vector<Graph> goldens;  ///< one for each set of input shapes
  CompileReport report;
};

/// Ports of an imported graph: names, dtypes, mean and std checked against its inputs (Error ConfigBadMeanStd).
std::vector<Port> input_ports(const Graph& imported, const CompileOptions&);
std::vector<Port> output_ports(const Graph& imported);
std::vector<SampleSpec> sample_specs(const Graph& imported, const CompileOptions&);

/// `samples` may be null when quantize is false. Throws Error.
Compiled compile(const Graph& imported, const CompileOptions&, const Samples* samples, ThreadPool&,
                 const Progress& = {});

/// For several sets of input shapes: the model imported once for each, largest first (import_shape_sets). Calibration
/// sees the largest; the others take its ranges over by name.
Compiled compile(std::span<const Graph> shape_sets, const CompileOptions&, const Samples* samples, ThreadPool&,
                 const Progress& = {});

/// clean, fold and fuse alone: the golden graph.
Graph optimize(const Graph& imported);

}  // namespace openrknn
