// Remedies that are really applied: the build is made again with one thing changed, and measured.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "compiler/analysis/diagnosis/subject.h"

namespace openrknn {

/// What is changed. Layers that compute in another type, another way to choose ranges, or other samples to choose them
/// from.
struct Remedy {
  std::string fix;  ///< for the user: option and value
  std::map<NodeId, DType> precision = {};
  std::optional<RangeAlgorithm> algorithm = {};
  std::optional<QuantizedMethod> method = {};
  bool recalibrates = false;  ///< with the samples analyzed
  bool changes() const { return !precision.empty() || algorithm || method || recalibrates; }
};

/// SQNR in dB over a few samples.
struct Outcome {
  std::map<std::string, double, std::less<>> single;  ///< by value of golden, in its own form
  double output = 0;                                  ///< of the worst output, whole run
  double single_of(const std::string& value) const;   ///< NaN where there is none
};

class RemedyTrials {
 public:
  /// `seen`: statistics of the samples analyzed, with histograms. `samples`: at most four are measured, the first ones
  /// and `worst`.
  RemedyTrials(const Subject&, const Calibration& seen, int64_t worst);
  const Outcome& before();
  /// Nothing where the change is impossible (a layer that has no integer form). Equal changes are measured once.
  const std::optional<Outcome>& with(const Remedy&);
  int64_t count() const { return static_cast<int64_t>(known_.size()); }
  int64_t samples() const;

 private:
  Graph changed(const Remedy&) const;
  Outcome measure(const Graph& built) const;

  const Subject& subject_;
  const Calibration& seen_;
  ChosenSamples samples_;
  std::optional<Outcome> before_;
  std::map<std::string, std::optional<Outcome>> known_;  // by what is changed
};

}  // namespace openrknn
