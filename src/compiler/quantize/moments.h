// What a range costs, computed from a histogram: sums over any interval, and the error of quantized codes.
#pragma once

#include <limits>

#include "compiler/quantize/quantize.h"

namespace openrknn {

/// Sums over numbers of one sign, as magnitudes. Numbers are taken to be spread evenly over their bucket, but for one
/// at the extreme that was seen, where the last bucket ends.
class OneSided {
 public:
  struct Sums {
    double count = 0, first = 0, second = 0;  ///< of 1, x and x^2
  };
  static constexpr double kUnbounded = std::numeric_limits<double>::infinity();

  OneSided(const Histogram&, bool negative, double largest);

  Sums up_to(double magnitude) const;
  const Sums& all() const { return all_; }
  /// Magnitude with `count` numbers below it.
  double where(double count) const;
  /// Σ (x − x')² where x' is the nearest of 0, scale, … steps·scale; infinite as soon as a part of it is `enough`.
  double quantization_error(double scale, int64_t steps, double enough = kUnbounded) const;
  /// The part of it that comes from numbers beyond the last step.
  double clipping_error(double scale, int64_t steps) const;
  bool empty() const { return all().count == 0; }

 private:
  struct Bucket {
    Sums below;        // what is smaller than any number of the bucket
    double begin = 0;  // the next one's is its end
  };

  double largest_ = 0;
  uint32_t first_bucket_ = 0;
  std::vector<Bucket> buckets_;  // the last is where the extreme lies, and none itself
  Sums all_;
};

/// A tensor's numbers: zeros, positive and negative ones.
struct Moments {
  OneSided negative, positive;
  double zeros = 0;

  explicit Moments(const Statistics&);
  double count() const { return zeros + negative.all().count + positive.all().count; }
  /// Σ (x − x')² over all elements; it may be infinite instead where it is `enough` or more.
  double quantization_error(const QuantParams&, DType codes, double enough = OneSided::kUnbounded) const;
  /// Σ (x − x')² over numbers beyond the outermost codes.
  double clipping_error(const QuantParams&, DType codes) const;
};

}  // namespace openrknn
