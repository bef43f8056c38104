// What happens to the accumulator of Conv, ConvTranspose and MatMul on codes (docs/arithmetic.md). Reference and fast
// rows read the node's integers through this one place.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "core/kernels/curves.h"
#include "core/kernels/fixed_point.h"
#include "core/kernels/kernel.h"

namespace openrknn {

/// Real number to code: v / scale + zero point, rounded half to even, saturated. NaN becomes the code of 0.
inline int32_t real_to_code(double v, double scale, int32_t zero_point, int32_t low = -128, int32_t high = 127) {
  if (std::isnan(v)) v = 0;
  // Clamped first: adding 1.5 * 2^52 then rounds half to even, without the call that std::nearbyint is on x86-64.
  const double real = v / scale + zero_point;
  const double clamped = real <= low ? low : real >= high ? high : real;
  return static_cast<int32_t>((clamped + 0x1.8p52) - 0x1.8p52);
}

/// The last step of every integer law: {multiplier, shift}, zero point, clamp.
struct OutputScale {
  int32_t multiplier = 1 << 14, shift = 14, zero_point = 0;
  bool zero_point_before_shift = false;
  int32_t low = -128, high = 127;

  int32_t operator()(int64_t v) const {
    return scale_output(v, multiplier, shift, zero_point, zero_point_before_shift, low, high);
  }
};
/// Entry `index` of node.fixed->scale with the zero point of output 0 and the law of the call.
OutputScale output_scale(const Call&, size_t index);

struct OutputStage {
  enum class Kind : uint8_t { Linear, Leaky, Table, Ideal };
  Kind kind = Kind::Linear;
  std::vector<int32_t> channel;  ///< multiplier per output channel; empty = all 1 << channel_shift
  int channel_shift = 14;
  OutputScale scale;                               ///< Table: of the int16 pre-activation (zero point 0)
  int32_t slope = 0;                               ///< Leaky: of negative values, times 2^14
  std::vector<int16_t> table;                      ///< Table: 513 entries; its results are clamped to low..high
  bool is_wide = false;                            ///< Int16 codes: 48-bit accumulator, and the two members below
  OutputScale negative;                            ///< wide Leaky: of negative values
  std::vector<int32_t> wide_table;                 ///< wide Table: kWideTableSize entries
  int32_t zero_point = 0, low = -128, high = 127;  ///< of the output codes
  std::vector<double> ideal_factor;                ///< Ideal: sx·sw[c], one or one per channel
  double ideal_scale = 1;                          ///< Ideal: sy
  std::optional<Curve> ideal_curve;

  /// The channel stage alone: sat32(rne(acc · cm[c], 14)).
  int64_t scaled(int64_t acc, int64_t c) const {
    return scale_channel(acc, channel.empty() ? 1 << channel_shift : channel[static_cast<size_t>(c)], channel_shift);
  }
  /// Output code of accumulator `acc` (bias included) of output channel `c`.
  int32_t code(int64_t acc, int64_t c) const {
    if (kind == Kind::Ideal) return ideal_code(acc, c);
    if (is_wide) return wide_code(acc, c);
    int64_t v = scaled(acc, c);
    if (kind == Kind::Leaky && acc < 0) v = saturate32(round_shift(v * slope, 14));
    if (kind != Kind::Table) return scale(v);
    const int32_t p = static_cast<int32_t>(saturate16(round_shift(v * scale.multiplier, scale.shift)));
    return interpolate_table(table.data(), p, zero_point, low, high);
  }

 private:
  int32_t ideal_code(int64_t acc, int64_t c) const;
  int32_t wide_code(int64_t acc, int64_t c) const {
    const int32_t factor = channel.empty() ? 1 << channel_shift : channel[static_cast<size_t>(c)];
    const int64_t v = scale_channel_wide(acc, factor, channel_shift);
    if (kind == Kind::Leaky && v < 0) return negative(v);
    if (kind != Kind::Table) return scale(v);
    const int64_t p = saturate_wide_pre(round_shift(v * scale.multiplier, scale.shift));
    return interpolate_wide_table(wide_table.data(), p, zero_point, low, high);
  }
};

/// The Int32 table of a curve with Int16 results. Throws Error (Internal) if it is not one.
std::vector<int32_t> wide_table_of(const Call&, const Operand& table);

/// Reads node.fixed, the fused activation and the `table` operand (input 3 of convolutions and MatMul).
/// `weights` is the operand whose parameters may be per channel. Throws Error (Internal) on a node lower() left out.
OutputStage output_stage(const Call&, const Operand& data, const Operand& weights);

}  // namespace openrknn
