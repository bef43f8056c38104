// mmse, percentile and auto.
#include "compiler/quantize/range_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace openrknn {
namespace {

/// A bucket's numbers are known to it only as evenly spread: an advantage below this may be none.
constexpr double kNoticeable = 0.99;

/// auto: the largest numbers say more than their part of the squared error tells, and the next picture may hold larger
/// ones. Only a gain of 6 dB outweighs that (docs/quantization.md has what was measured).
constexpr double kWorthClipping = 0.25;

/// 2^(-k / 8).
double share(int k) {
  constexpr std::array<double, 8> kEighths = {1,
                                              0.91700404320467123,
                                              0.84089641525371454,
                                              0.77110541270397041,
                                              0.70710678118654752,
                                              0.64841977732550483,
                                              0.59460355750136053,
                                              0.54525386633262883};
  return std::ldexp(kEighths[static_cast<size_t>(k % 8)], -(k / 8));
}
constexpr int kShareSteps = 20 * 8;  // down to a millionth

/// The range with the least squared error, found by steps of 2^(1/8) and then ever finer ones.
class LeastError {
 public:
  LeastError(const Moments& moments, const Bounds& widest, const RangeSpec& spec)
      : moments_(moments), widest_(widest), spec_(spec), best_(widest), least_(error(widest, OneSided::kUnbounded)) {}

  Bounds run() {
    const double whole = least_;
    if (whole == 0) return widest_;
    shrink_both();
    if (!is_centred(spec_)) {
      const bool shrunk = best_ != widest_;
      descend();
      if (shrunk) {  // the other way down: one side alone from the start
        const Bounds first = std::exchange(best_, widest_);
        const double least = std::exchange(least_, whole);
        descend();
        if (least <= least_) {
          best_ = first;
          least_ = least;
        }
      }
    }
    refine();
    return least_ < kNoticeable * whole ? best_ : widest_;
  }

 private:
  /// It may be infinite if it is at least `most`.
  double error(const Bounds& bounds, double most) const {
    const QuantParams params = params_of_bounds(bounds, spec_);
    return clipping(params) < most ? moments_.quantization_error(params, spec_.dtype, most) : OneSided::kUnbounded;
  }
  double clipping(const QuantParams& params) const { return moments_.clipping_error(params, spec_.dtype); }
  bool try_out(const Bounds& bounds) {
    const double found = error(bounds, least_);
    if (!(found < least_)) return false;
    least_ = found;
    best_ = bounds;
    return true;
  }
  /// Clips more the further it shrinks: past the best error there is nothing to find.
  bool clips_too_much(const Bounds& bounds) const { return !(clipping(params_of_bounds(bounds, spec_)) < least_); }

  void shrink_both() {
    for (int k = 1; k < kShareSteps; ++k) {
      const Bounds bounds{widest_.lowest * share(k), widest_.highest * share(k)};
      if (clips_too_much(bounds)) return;
      try_out(bounds);
    }
  }
  void descend() {
    constexpr int kRounds = 4;
    for (int round = 0; round < kRounds; ++round) {
      const Bounds before = best_;
      for (double Bounds::*side : {&Bounds::highest, &Bounds::lowest}) {
        Bounds bounds = best_;
        if (widest_.*side == 0) continue;
        for (int k = 0; k < kShareSteps; ++k) {
          bounds.*side = widest_.*side * share(k);
          if (!try_out(bounds) && clips_too_much(bounds)) break;
        }
      }
      if (best_ == before) return;
    }
  }
  void refine() {
    if (spec_.power_of_two) return;  // whole powers were tried
    for (const double step : {1.044273782427414, 1.0218971486541166, 1.0108892860517005, 1.0054299011128028}) {
      for (bool found = true; found;) {
        found = false;
        for (const double lower : {1.0, step, 1 / step}) {
          for (const double upper : {1.0, step, 1 / step}) {
            if (is_centred(spec_) ? lower != upper : lower == 1 && upper == 1) continue;
            const Bounds near{std::max(best_.lowest * lower, widest_.lowest),
                              std::min(best_.highest * upper, widest_.highest)};
            if (near != best_ && try_out(near)) found = true;
          }
        }
      }
    }
  }

  const Moments& moments_;
  const Bounds widest_;
  const RangeSpec& spec_;
  Bounds best_;
  double least_;
};

}  // namespace

QuantParams params_of_bounds(const Bounds& bounds, const RangeSpec& spec) {
  if (spec.power_of_two) return power_of_two_params(bounds.lowest, bounds.highest, spec.dtype);
  return params_of_range(bounds.lowest, bounds.highest, spec.dtype, spec.symmetric);
}

Bounds least_error_bounds(const Moments& moments, const Bounds& widest, const RangeSpec& spec) {
  return LeastError(moments, widest, spec).run();
}

Bounds percentile_bounds(const Moments& moments, const Bounds& widest, const RangeSpec& spec) {
  const double tail = moments.count() * (1 - spec.percentile / 100) / 2;
  const auto bound = [&](const OneSided& side) {
    const double count = side.all().count;
    return count > tail ? side.where(count - tail) : 0;
  };
  const Bounds bounds{std::max(widest.lowest, -bound(moments.negative)),
                      std::min(widest.highest, bound(moments.positive))};
  // Next to nothing but zeros: what is not zero is all there is to tell.
  return bounds == Bounds{} ? widest : bounds;
}

Bounds best_bounds(const Moments& moments, const Bounds& widest, const RangeSpec& spec) {
  const auto error = [&](const Bounds& bounds) {
    return moments.quantization_error(params_of_bounds(bounds, spec), spec.dtype);
  };
  Bounds best = least_error_bounds(moments, widest, spec);
  double least = error(best);
  if (!(least < kWorthClipping * error(widest))) return widest;
  for (const auto algorithm : {least_divergence_bounds, percentile_bounds}) {
    const Bounds bounds = algorithm(moments, widest, spec);
    const double found = error(bounds);
    if (found < least) {
      least = found;
      best = bounds;
    }
  }
  return best;
}

}  // namespace openrknn
