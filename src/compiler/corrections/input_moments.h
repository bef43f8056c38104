// First and second moments of a layer's inputs: what says how much an error of its weights matters.
//
// A sample's sums are rounded to multiples of a power of two so coarse that adding any number of them up is exact:
// the order of samples cannot show.
#pragma once

#include "compiler/corrections/product_layer.h"
#include "core/base/thread_pool.h"

namespace openrknn::corrections {

/// Of one group of a layer.
struct Moments {
  std::vector<double> sum;     ///< Σ x, [depth]
  std::vector<double> square;  ///< Σ x xᵀ, lower triangle: row i has i + 1 entries
  int64_t count = 0;
};

/// Adds up sums that are at most `bound` in magnitude altogether, without rounding between them.
class ExactGrid {
 public:
  explicit ExactGrid(double bound);
  double round(double v) const { return (v + rounder_) - rounder_; }
  /// sums += rounded numbers.
  void add(const float* numbers, int64_t count, double* sums) const;

 private:
  double rounder_;
};

class InputMoments {
 public:
  /// `largest`: magnitude of the inputs over all samples.
  InputMoments(ProductLayer, double largest, int64_t samples);
  /// Bytes that will be held.
  static int64_t bytes(const ProductLayer&);

  void add(std::span<const float> input, ThreadPool&);
  const ProductLayer& layer() const { return layer_; }
  const std::vector<Moments>& groups() const { return groups_; }

 private:
  void add_narrow(std::span<const float> input, ThreadPool&);
  void add_wide(std::span<const float> input, ThreadPool&);

  ProductLayer layer_;
  std::vector<int64_t> positions_;  // looked at in every sample
  ExactGrid sums_, squares_;
  std::vector<Moments> groups_;
};

}  // namespace openrknn::corrections
