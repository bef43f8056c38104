// The arithmetic of lower(): real factors to the integers a node stores.
#pragma once

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "core/graph/graph.h"
#include "core/kernels/curves.h"

namespace openrknn {

/// Shifts have five bits for Int8 results; Int16 ones take more, because their accumulators are longer.
inline int largest_shift(DType result) { return result == DType::Int16 ? 47 : 31; }
/// {M, S} with factor ≈ M / 2^S, M in [2^14, 2^15) and S in 0..largest_shift where the factor allows it: below that M
/// shrinks, from 2^15 on it saturates. Precondition: factor >= 0 and finite.
std::pair<int32_t, int> multiplier_of(double factor, DType result = DType::Int8);

/// Half-width of the pre-activation of a curved activation (16 bits for Int8 results, 24 for Int16): the smallest
/// 2^(k/4) outside of which the output code moves by no more than an eighth, so that all 65536 values lie where the
/// curve still changes something; widened until the corners of HardSwish and HardSigmoid fall on an entry of the table.
/// At most `reach`, where inputs of the curve end.
double pre_activation_limit(const Curve&, const QuantParams& output, DType result = DType::Int8,
                            double reach = std::numeric_limits<double>::infinity());
/// 513 entries: the curve in output codes times 128, relative to the zero point, at p = (i - 256) · 128.
std::vector<int16_t> activation_table(const Curve&, double limit, const QuantParams& output);
/// For Int16 results: 4097 entries, codes times 256 at p = (i - 2048) · 2^12.
std::vector<int32_t> wide_activation_table(const Curve&, double limit, const QuantParams& output);
/// 256 entries: the output code of every input code.
std::vector<int8_t> code_table(const Curve&, const QuantParams& input, const QuantParams& output);

struct CodeClamp {
  int32_t low = -128, high = 127;
};
/// Relu and Clip as a clamp of output codes; without either all codes of the type.
CodeClamp clamp_of(const std::optional<Curve>&, const QuantParams& output, DType result = DType::Int8);

}  // namespace openrknn
