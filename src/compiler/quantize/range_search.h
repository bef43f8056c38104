// Range algorithms beyond minimum to maximum: which part of the range seen is worth codes (docs/quantization.md,
// "Ranges").
#pragma once

#include "compiler/quantize/moments.h"

namespace openrknn {

/// lowest <= 0 <= highest.
struct Bounds {
  double lowest = 0, highest = 0;
  bool operator==(const Bounds&) const = default;
};

/// The parameters `spec` makes of a range.
QuantParams params_of_bounds(const Bounds&, const RangeSpec&);
/// Both bounds shrink together where the zero point is fixed.
inline bool is_centred(const RangeSpec& spec) { return spec.symmetric || spec.power_of_two; }

/// Each returns a part of `widest`.
Bounds least_error_bounds(const Moments&, const Bounds& widest, const RangeSpec&);
Bounds least_divergence_bounds(const Moments&, const Bounds& widest, const RangeSpec&);
Bounds percentile_bounds(const Moments&, const Bounds& widest, const RangeSpec&);
Bounds best_bounds(const Moments&, const Bounds& widest, const RangeSpec&);

}  // namespace openrknn
