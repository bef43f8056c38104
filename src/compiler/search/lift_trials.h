// A trial: the network with some layers lifted, quantized from the one calibration and judged by a few samples.
#pragma once

#include <map>
#include <set>

#include "compiler/search/search.h"

namespace openrknn {

/// A layer that can be lifted.
struct LiftableLayer {
  std::string tensor;
  int64_t products = 0;
};
/// Layers by their place in LiftTrials::layers().
using Lifted = std::set<size_t>;

/// What a TrialRunner does, on this machine: samples in parallel.
std::vector<std::vector<Tensor>> run_trial(const Graph&, const Arithmetic&, const Samples&, ThreadPool&,
                                           const CustomCode& = {});

class LiftTrials {
 public:
  LiftTrials(const PreparedBuild&, const CompileOptions&, const SearchOptions&, const Samples&, ThreadPool&,
             const Progress& = {});

  /// Layers with arithmetic of their own that compute in another type than the one to lift to, without a rule of the
  /// user's, in the order of computation. Moves follow their neighbours by themselves.
  const std::vector<LiftableLayer>& layers() const { return layers_; }
  /// Each set is tried once.
  double metric(const Lifted&);
  int64_t count() const { return static_cast<int64_t>(known_.size()); }
  double macs_share(const Lifted&) const;
  SearchPoint point(const Lifted&);
  std::vector<PrecisionRule> rules(const Lifted&) const;
  const std::map<Lifted, double>& known() const { return known_; }

 private:
  std::vector<std::vector<Tensor>> run(const Graph&) const;
  double sqnr(const std::vector<std::vector<Tensor>>& outputs) const;

  const PreparedBuild& prepared_;
  const CompileOptions& options_;
  const SearchOptions& search_;
  ThreadPool& pool_;
  std::vector<LiftableLayer> layers_;
  int64_t products_ = 0;  // of the whole network
  HeldSamples samples_;
  std::vector<std::vector<Tensor>> golden_;  // outputs
  std::optional<GoldenMeans> means_;         // where the build will have its biases corrected
  std::map<Lifted, double> known_;
};

}  // namespace openrknn
