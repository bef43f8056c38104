// Search to a target: which layers have to leave the build's type so that the outputs are good enough, and which few of
// them suffice (docs/hybrid.md). One calibration serves every trial: a trial quantizes anew and runs a few samples.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/compile.h"

namespace openrknn {

/// Outputs of each sample as float32 (integers as they are), in the graph's order -> how good they are; more is better.
using OutputMetric = std::function<double(const std::vector<std::vector<Tensor>>& outputs)>;

/// Runs golden or a built graph over samples: what OutputMetric takes, of each of them.
using TrialRunner = std::function<std::vector<std::vector<Tensor>>(const Graph&, const Arithmetic&, const Samples&)>;

enum class SearchBudget : uint8_t {
  Ops,   ///< as few layers as possible
  Macs,  ///< as few multiplications as possible
};

struct SearchOptions {
  /// What the metric shall reach; empty: as much as max_macs_share allows.
  std::optional<double> target = {};
  double max_macs_share = 1;  ///< of the network's multiplications; no more of them are lifted
  /// Empty: SQNR in dB against golden, over all samples, of the output where it is least.
  OutputMetric metric = {};
  SearchBudget budget = SearchBudget::Ops;
  DType lift = DType::Float16;  ///< or Int16
  int64_t samples = 4;          ///< the first of the calibration's, which trials are judged by
  TrialRunner runner = {};      ///< other machines, say; empty: this process
};

struct SearchPoint {
  std::vector<std::string> layers;  ///< output tensors of the lifted layers, in the order of computation
  double macs_share = 0;            ///< their part of the network's multiplications
  double metric = 0;
};
struct SearchResult {
  SearchPoint chosen;
  /// What else was tried: no point is worse than another of no more layers and no more multiplications. From nothing
  /// lifted to the best.
  std::vector<SearchPoint> curve;
  int64_t trials = 0;
  std::vector<PrecisionRule> rules;  ///< of the chosen point
};

/// Up to this many layers every subset may be tried: the result is the least there is.
inline constexpr size_t kExhaustiveLayers = 8;

/// `prepared` and `options` as finish() takes them; rules of the user stand. Throws Error (QuantizeUnsupported) naming
/// the best that can be reached.
SearchResult search_precision(const PreparedBuild& prepared, const CompileOptions& options, const SearchOptions&,
                              const Samples&, ThreadPool&, const Progress& = {});

struct SearchedModel {
  Compiled compiled;
  SearchResult search;
};
/// compile(), with the layers lifted that a search finds.
SearchedModel search_and_compile(std::span<const Graph> shape_sets, const CompileOptions&, const SearchOptions&,
                                 const Samples&, ThreadPool&, const Progress& = {});

}  // namespace openrknn
