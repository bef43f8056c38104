// Which values of a float graph have to be scaled together, and where a factor can be taken in or given away.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn::corrections {

/// Values that only a common factor leaves the function as it is: what Relu, Add, Concat, Reshape and the like tie
/// together. Regions meet at constants: weights, factors, parameters of normalisations.
class ScaleRegions {
 public:
  explicit ScaleRegions(const Graph&);

  int count() const { return static_cast<int>(reason_.size()); }
  /// -1 for values that are not computed real numbers.
  int of(ValueId id) const { return region_[static_cast<size_t>(id)]; }
  /// Why the region cannot be scaled; empty if it can.
  const std::string& pinned(int region) const { return reason_[static_cast<size_t>(region)]; }

  /// A constant that float16 has to hold and that is multiplied by 2^(exponent[in] - exponent[out]) when the values of
  /// each region are divided by 2^exponent.
  struct Factor {
    NodeId node = NodeId::None;
    size_t input = 0;
    int in = 0, out = 0;
  };
  const std::vector<Factor>& factors() const { return factors_; }

  /// Divides the values of region r by 2^exponent[r].
  void apply(Graph&, const std::vector<int>& exponent) const;

 private:
  std::vector<int> region_;          // by value
  std::vector<std::string> reason_;  // by region
  std::vector<Factor> factors_;
};

}  // namespace openrknn::corrections
