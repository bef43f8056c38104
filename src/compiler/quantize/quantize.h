// Quantization is four separate functions, so that search, `auto`, reports and distributed calibration share one
// calibration run: calibrate (what was seen), assign_precision (what to do), choose (with which ranges), quantize
// (doing it). lower() then computes every integer the hardware would be given.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/dataset/samples.h"
#include "compiler/quantize/given_parameters.h"
#include "compiler/quantize/histogram.h"
#include "compiler/quantize/sample_record.h"
#include "core/base/log.h"
#include "core/base/thread_pool.h"
#include "core/executor/plan.h"
#include "core/graph/graph.h"
#include "core/targets/targets.h"

namespace openrknn {

/// What a tensor held over the samples. Depends on the samples alone: not on their order, workers or CPU.
struct Statistics {
  int64_t samples = 0, elements = 0, not_finite = 0;
  float lowest = 0, highest = 0;                    ///< over finite elements; valid if elements > not_finite
  int64_t lowest_sample = -1, highest_sample = -1;  ///< which sample showed it (the smallest index), to explain a range
  int64_t not_finite_sample = -1;                   ///< the smallest index with a NaN or infinity
  Histogram histogram;                              ///< of the finite elements, where counted
  /// Float32 or float16 values. With a counter the histogram is taken too.
  void observe(int64_t sample, const Tensor& values, BucketCounter* = nullptr);
  void observe(int64_t sample, std::span<const float> values, BucketCounter* = nullptr);
  void merge(const Statistics&);   ///< commutative and associative
  void shift_samples(int64_t by);  ///< the samples were part of a longer list: their indices grow
  bool has_range() const { return elements > not_finite; }
  /// Every finite element was counted.
  bool has_histogram() const { return histogram.total() == elements - not_finite; }
  std::string bytes() const;  ///< serialised, little endian, versioned
  static Statistics from_bytes(std::string_view);
  bool operator==(const Statistics&) const = default;
};
using Calibration = std::map<std::string, Statistics>;  ///< by value name of the golden graph

/// What parts of the samples showed, as all of them show it. Commutative and associative.
void merge(Calibration& into, const Calibration& part);
void shift_samples(Calibration&, int64_t by);
/// Serialised, little endian, versioned: for other processes and files. Equal calibrations give equal bytes.
std::string to_bytes(const Calibration&);
/// Trusts nothing. Throws Error (InvalidArgument).
Calibration calibration_from_bytes(std::string_view);

/// What calibrate() collects. Extremes cost next to nothing; histograms half a nanosecond an element, and some 100 kB a
/// tensor.
enum class Detail : uint8_t { Extremes, Histograms };

/// Runs the golden graph over all samples, in parallel over samples, and watches every float value. Memory does not
/// grow with the number of samples. Throws Error (DatasetNotFinite, QuantizeNotFinite naming sample, tensor and first
/// node).
/// `custom` computes the graph's Custom nodes, from several threads at once. `record`: what each sample was like.
Calibration calibrate(const Graph& golden, const Samples&, ThreadPool&, const Progress& = {},
                      const CustomCode& custom = {}, Detail = Detail::Extremes, SampleRecord* record = nullptr);

/// docs/quantization.md, "Ranges".
enum class RangeAlgorithm : uint8_t { Normal, KlDivergence, Mmse, Percentile, Auto };
constexpr std::string_view name(RangeAlgorithm algorithm) {
  constexpr std::string_view kNames[] = {"normal", "kl_divergence", "mmse", "percentile", "auto"};
  return kNames[static_cast<size_t>(algorithm)];
}
/// What the algorithm reads.
constexpr Detail detail_for(RangeAlgorithm algorithm) {
  return algorithm == RangeAlgorithm::Normal ? Detail::Extremes : Detail::Histograms;
}
/// mmse and auto choose the ranges of weights by their error as well.
constexpr bool uses_weight_search(RangeAlgorithm algorithm) {
  return algorithm == RangeAlgorithm::Mmse || algorithm == RangeAlgorithm::Auto;
}
struct RangeSpec {
  RangeAlgorithm algorithm = RangeAlgorithm::Normal;
  DType dtype = DType::Int8;
  bool symmetric = false;
  bool power_of_two = false;                         ///< dynamic fixed point: the scale a power of two, zero point 0
  std::optional<std::pair<double, double>> natural;  ///< range the op cannot leave
  double percentile = 99.99;                         ///< part of the elements that Percentile keeps, in per cent
};
/// Pure. The range is extended to include 0; a constant-zero tensor gets scale 1 and the zero point of an empty range.
/// Throws Error (QuantizeNoStatistics) if the algorithm needs a histogram and there is none.
QuantParams choose(const Statistics&, const RangeSpec&);
QuantParams params_of_range(double lowest, double highest, DType, bool symmetric);
/// The smallest power of two as scale that gives both ends a code, zero point 0.
QuantParams power_of_two_params(double lowest, double highest, DType);
/// How the scheme codes activations: Int8 for W8A8, Int16 for W16A16I and (powers of two) W16A16I_DFP.
RangeSpec activation_spec(Scheme);
/// W8A16, W4A16: layers keep coded weights, everything is computed in float16; no samples are needed.
inline bool is_weight_only(Scheme scheme) { return scheme == Scheme::W8A16 || scheme == Scheme::W4A16; }

/// The dtype a node computes in, and which rule said so (shown to the user).
struct Precision {
  DType dtype = DType::Float16;
  std::string rule;
  bool asked = false;  ///< a PrecisionRule said so: neighbours adapt, it stays
};
using PrecisionMap = std::map<NodeId, Precision>;
/// What a layer shall compute in, as a user says it: Int8, Int16 or Float16 (docs/hybrid.md).
struct PrecisionRule {
  enum class Kind : uint8_t { Tensor, Glob, Regex, OpType };
  Kind kind = Kind::Tensor;
  std::string pattern;  ///< names of the source model: match_rules.h
  DType dtype = DType::Float16;
  std::string source = {};  ///< as it was written, for reports and errors
};
struct PrecisionRules {
  Scheme scheme = Scheme::W8A8;
  bool quantize = true;                   ///< false: everything Float16 that no rule asks otherwise
  std::vector<PrecisionRule> rules = {};  ///< later ones win
  int hybrid_level = 0;                   ///< of an int8 build: hybrid_level.h; rules win over it
  /// What the model says of its tensors, null if nothing. Where `quantize` is false, nodes for which that is enough
  /// compute on codes.
  const GivenParameters* given = nullptr;
};
/// Throws Error listing every rule that names nothing, or asks for what a layer cannot be (QuantizeUnknownLayer,
/// QuantizePrecisionRefused).
PrecisionMap assign_precision(const Graph& golden, const Target&, const PrecisionRules&);
/// Why no rule can make the node compute in `dtype`, as a sentence.
std::optional<std::string> precision_refusal(const Graph& golden, NodeId, DType dtype, const Target&,
                                             const PrecisionRules&);
inline bool is_code_type(DType dtype) { return dtype == DType::Int8 || dtype == DType::Int16; }

struct LayerCache;

/// Lowest and highest number by tensor of golden.
using AskedRanges = std::map<std::string, std::pair<double, double>>;

enum class QuantizedMethod : uint8_t { Channel, Layer };
struct QuantizeOptions {
  QuantizedMethod method = QuantizedMethod::Channel;
  RangeSpec activations;
  bool clip_weights = false;                ///< search for weights' ranges too, see uses_weight_search()
  bool symmetric_weights = false;           ///< native option; the manual's weights are asymmetric
  AskedRanges ranges;                       ///< instead of what calibration says
  int64_t group = 0;                        ///< W4A16: input channels that share a scale; 0: none, `method` says
  std::optional<DType> coded_weights = {};  ///< float16 layers keep their weights in this type (Int8, Int4)
  std::shared_ptr<LayerCache> cache = {};   ///< of builds of one graph (constants.h)
  // Which of them do: those with so many weights, whose codes lose no more than this part of their squares.
  int64_t fewest_coded = 0;
  std::optional<double> most_coding_error = {};
};
/// The options a scheme asks for, per channel.
QuantizeOptions options_of(Scheme);
/// Golden's ids stay valid: values change dtype and get QuantParams, Convert nodes are added at borders. With every
/// node Float16 this is the fp16 build. Throws Error (QuantizeNoStatistics, QuantizeHalfOverflow naming the constant,
/// …).
/// Tensors and weights that have given parameters keep them; `notes` tells where a given scale does not fit. `pool`:
/// ranges and weights are searched in parallel; nothing of the result depends on it.
Graph quantize(const Graph& golden, const PrecisionMap&, const Calibration&, const QuantizeOptions&,
               const GivenParameters& given = {}, std::vector<std::string>* notes = nullptr,
               ThreadPool* pool = nullptr);

/// What a graph was quantized with: enough to do it again with one thing changed.
struct QuantizeRecipe {
  PrecisionMap precision;
  Calibration calibration;  ///< empty: no samples were needed
  QuantizeOptions options;
  GivenParameters given = {};
};

/// Fills Node::fixed, integer biases and lookup tables. Last stage.
void lower(Graph&, const Target&);

}  // namespace openrknn
