// Functions of one Int8 operand: tables of 256 codes, clamps of codes (Relu, Clip), Neg, Abs, PRelu.
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace {

using namespace reference;

/// Every law of one operand is a function of 256 codes (PRelu: and the channel), so the kernel is a look-up.
struct MapState {
  std::vector<int8_t> codes;  // 256 per slope: result for code -128, -127, …
  int64_t channels = 1;       // slopes; channel of element i is i / inner % channels
  int64_t inner = 1;
  Tiles tiles;
  Body<MapState> body = nullptr;
};

void run_quantized_unary_map(const MapState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const auto* x = input<int8_t>(buffers, 0);
  auto* y = output<int8_t>(buffers);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    const int64_t channel = s.channels == 1 ? 0 : i / s.inner % s.channels;
    y[i] = s.codes[static_cast<size_t>(channel * 256 + x[i] + 128)];
  }
}

template <class CodeOf>
MapState make_map(const Call& call, CodeOf code_of, int64_t channels = 1, int64_t inner = 1) {
  MapState state;
  state.channels = channels;
  state.inner = inner;
  for (int64_t c = 0; c < channels; ++c) {
    for (int32_t x = -128; x <= 127; ++x) state.codes.push_back(static_cast<int8_t>(code_of(x, c)));
  }
  state.tiles.total = element_count(call.outputs[0].shape);
  state.body = run_quantized_unary_map;
  return state;
}
Prepared finish(MapState state) { return make_tiled(std::move(state), 0, 0); }
template <class Real>
MapState make_ideal(const Call& call, Real real) {
  const CodeParams x(call.inputs[0]), y(call.outputs[0]);
  return make_map(call, [&](int32_t code, int64_t) { return y.code(real(x.real(code))); });
}

bool both_codes(const Call& call) { return is_codes(call.inputs[0]) && is_codes(call.outputs[0]); }

// ---- table ----

constexpr size_t kTableInput = 1;

bool accepts_table(const Call& call) {
  if (!both_codes(call)) return false;
  if (call.ideal) return true;
  return present(call.inputs, kTableInput) && call.inputs[kTableInput].dtype == DType::Int8 &&
         call.inputs[kTableInput].constant != nullptr && call.inputs[kTableInput].constant->size() == 256;
}
Prepared prepare_table(const Call& call, Weights&) {
  if (call.ideal) {
    const Curve curve = own_curve(call.node).value();
    return finish(make_ideal(call, [&](double v) { return apply(curve, v); }));
  }
  const std::span<const int8_t> table = call.inputs[kTableInput].constant->values<int8_t>();
  return finish(make_map(call, [&](int32_t x, int64_t) { return table[static_cast<size_t>(x) + 128]; }));
}

// ---- Relu, Clip: equal parameters on both sides, so a clamp of codes ----

bool accepts_clamp(const Call& call) {
  return both_codes(call) && (call.ideal || (call.node.fixed && same_quant(call.inputs[0], call.outputs[0])));
}
Prepared prepare_clamp(const Call& call, Weights& weights) {
  if (call.ideal) return prepare_table(call, weights);
  const FixedPoint& fixed = *call.node.fixed;
  return finish(make_map(call, [&](int32_t x, int64_t) { return std::clamp(x, fixed.low, fixed.high); }));
}

// ---- Neg, Abs ----

bool accepts_sign(const Call& call) { return both_codes(call) && is_lowered(call); }
Prepared prepare_sign(const Call& call, Weights&) {
  const bool negate = call.node.op == "Neg";
  if (call.ideal) return finish(make_ideal(call, [&](double v) { return negate ? -v : std::abs(v); }));
  const int32_t zero_point = call.inputs[0].quant->zero_point[0];
  const OutputScale scale = output_scale(call, 0);
  return finish(make_map(call, [&](int32_t code, int64_t) {
    const int32_t v = code - zero_point;
    return scale(negate ? -v : std::abs(v));
  }));
}

// ---- PRelu: one slope, or one per channel ----

bool accepts_prelu(const Call& call) {
  return both_codes(call) && call.inputs[1].constant != nullptr && is_float(call.inputs[1]) &&
         (call.ideal || (is_lowered(call) && !call.node.fixed->slope.empty()));
}
Prepared prepare_prelu(const Call& call, Weights&) {
  const Operand& x = call.inputs[0];
  const std::vector<double> real_slopes = to_doubles(*call.inputs[1].constant);
  const int64_t channels = static_cast<int64_t>(real_slopes.size());
  const int64_t inner = channel_stride(x);
  if (call.ideal) {
    const CodeParams from(x), to(call.outputs[0]);
    return finish(make_map(
        call,
        [&](int32_t code, int64_t c) {
          const double v = from.real(code);
          return to.code(v >= 0 ? v : v * real_slopes[static_cast<size_t>(c)]);
        },
        channels, inner));
  }
  const std::vector<int32_t>& slopes = call.node.fixed->slope;
  const int32_t zero_point = x.quant->zero_point[0];
  OutputScale scale = output_scale(call, 0);
  scale.shift += 14;  // both branches carry the slope's 14 bits, so that there is one rounding
  return finish(make_map(
      call,
      [&](int32_t code, int64_t c) {
        const int64_t v = code - zero_point;
        const int32_t slope = slopes[slopes.size() == 1 ? 0 : static_cast<size_t>(c)];
        return scale(v * (v >= 0 ? int64_t{1} << 14 : slope));
      },
      channels, inner));
}

using Accepts = bool (*)(const Call&);
using Prepare = Prepared (*)(const Call&, Weights&);
constexpr Kernel row(std::string_view op, std::string_view name, Accepts accepts, Prepare prepare) {
  return {.op = op, .name = name, .accepts = accepts, .prepare = prepare, .run = run_body<MapState>};
}
constexpr Kernel table(std::string_view op) { return row(op, "table_i8_reference", accepts_table, prepare_table); }
constexpr Kernel kWithoutCurve[] = {
    table("LeakyRelu"),
    table("ThresholdedRelu"),
    row("Relu", "relu_i8_reference", accepts_clamp, prepare_clamp),
    row("Clip", "clip_i8_reference", accepts_clamp, prepare_clamp),
    row("Neg", "neg_i8_reference", accepts_sign, prepare_sign),
    row("Abs", "abs_i8_reference", accepts_sign, prepare_sign),
    row("PRelu", "prelu_i8_reference", accepts_prelu, prepare_prelu),
};
constexpr auto kUnaryQuantizedKernels = with_curve_rows(table(""), kWithoutCurve);

}  // namespace

std::span<const Kernel> unary_quantized_kernels() { return kUnaryQuantizedKernels; }

}  // namespace openrknn
