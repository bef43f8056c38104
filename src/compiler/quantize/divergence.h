// How much of a distribution is lost by a range's codes; see divergence.cpp.
#pragma once

#include "compiler/quantize/range_search.h"

namespace openrknn {

/// Bins on each side of 0 that a range may have.
inline constexpr int64_t kMostBins = 4096;
/// Their width.
double divergence_bin(const Moments&, bool centred);

/// KL divergence of ranges on bins of one width, bin i from i·width to (i + 1)·width.
class Divergence {
 public:
  Divergence(const Moments&, double bin_width, int64_t levels);
  /// Of the range of bins first, …, last − 1; first <= 0 <= last. Infinite where numbers are lost without a trace.
  double of(int64_t first, int64_t last) const;

 private:
  int64_t levels_;
  double total_;                     // numbers other than 0
  std::vector<double> below_;        // numbers below each bin, from the lowest bin up
  std::vector<int64_t> filled_;      // bins below it that are not empty
  std::vector<double> information_;  // Σ p·log p over the bins below it
};

}  // namespace openrknn
