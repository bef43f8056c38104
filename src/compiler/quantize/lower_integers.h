// The arithmetic of lower(): real factors to the integers a node stores.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/graph/graph.h"
#include "core/kernels/curves.h"

namespace openrknn {

/// {M, S} with factor ≈ M / 2^S, M in [2^14, 2^15) and S in 0..31 where the factor allows it: below 2^-17 M shrinks,
/// from 2^15 on it saturates. Precondition: factor >= 0 and finite.
std::pair<int32_t, int> multiplier_of(double factor);

/// Half-width of the int16 pre-activation of a curved activation: the smallest 2^(k/4) outside of which the output code
/// moves by no more than an eighth, so that all 65536 values lie where the curve still changes something; widened until
/// the corners of HardSwish and HardSigmoid fall on an entry of the table.
double pre_activation_limit(const Curve&, const QuantParams& output);
/// 513 entries: the curve in output codes times 128, relative to the zero point, at p = (i - 256) · 128.
std::vector<int16_t> activation_table(const Curve&, double limit, const QuantParams& output);
/// 256 entries: the output code of every input code.
std::vector<int8_t> code_table(const Curve&, const QuantParams& input, const QuantParams& output);

struct CodeClamp {
  int32_t low = -128, high = 127;
};
/// Relu and Clip as a clamp of output codes; without either the whole int8 range.
CodeClamp clamp_of(const std::optional<Curve>&, const QuantParams& output);

}  // namespace openrknn
