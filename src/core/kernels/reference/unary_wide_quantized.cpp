// Functions of one Int16 operand (docs/arithmetic.md): curves through the interpolated table, LeakyRelu and PRelu by
// one multiplier a side, clamps of codes, Neg, Abs.
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace {

using namespace reference;

struct WideState {
  CodeParams x, y;
  OutputScale scale;                  // of values from 0 on; Table: to the pre-activation
  std::vector<OutputScale> negative;  // of values below 0: one, or one per channel
  std::vector<int32_t> table;
  std::vector<double> slopes;  // ideal PRelu
  std::optional<Curve> curve;  // ideal
  int64_t channels = 1, inner = 1;
  int16_t (*code)(const WideState&, int32_t x, size_t channel) = nullptr;
  Tiles tiles;
  Body<WideState> body = nullptr;
};

int16_t table_code(const WideState& s, int32_t x, size_t) {
  const int64_t v = x - s.x.zero_point;
  const int64_t p = saturate_wide_pre(round_shift(v * s.scale.multiplier, s.scale.shift));
  return static_cast<int16_t>(interpolate_wide_table(s.table.data(), p, s.y.zero_point, s.scale.low, s.scale.high));
}
int16_t two_sided_code(const WideState& s, int32_t x, size_t channel) {
  const int64_t v = x - s.x.zero_point;
  return static_cast<int16_t>(v < 0 ? s.negative[channel](v) : s.scale(v));
}
int16_t clamp_code(const WideState& s, int32_t x, size_t) {
  return static_cast<int16_t>(std::clamp(x, s.scale.low, s.scale.high));
}
int16_t ideal_curve_code(const WideState& s, int32_t x, size_t) {
  return static_cast<int16_t>(s.y.code(apply(*s.curve, s.x.real(x))));
}
int16_t ideal_prelu_code(const WideState& s, int32_t x, size_t channel) {
  const double v = s.x.real(x);
  return static_cast<int16_t>(s.y.code(v >= 0 ? v : v * s.slopes[channel]));
}
template <bool kNegate>
int16_t sign_code(const WideState& s, int32_t x, size_t) {
  const int64_t v = x - s.x.zero_point;
  return static_cast<int16_t>(s.scale(kNegate ? -v : std::abs(v)));
}
template <bool kNegate>
int16_t ideal_sign_code(const WideState& s, int32_t x, size_t) {
  const double v = s.x.real(x);
  return static_cast<int16_t>(s.y.code(kNegate ? -v : std::abs(v)));
}

void run_wide_map(const WideState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const auto* x = input<int16_t>(buffers, 0);
  auto* y = output<int16_t>(buffers);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    y[i] = s.code(s, x[i], s.channels == 1 ? 0 : static_cast<size_t>(i / s.inner % s.channels));
  }
}

WideState start_wide(const Call& call) {
  WideState state;
  state.x = CodeParams(call.inputs[0]);
  state.y = CodeParams(call.outputs[0]);
  state.tiles.total = element_count(call.outputs[0].shape);
  state.body = run_wide_map;
  return state;
}
Prepared finish(WideState state) { return make_tiled(std::move(state), 0, 0); }

bool both_wide(const Call& call) {
  return call.inputs[0].dtype == DType::Int16 && is_coded_as(call.inputs[0], call.outputs[0]);
}
bool accepts_wide(const Call& call) { return both_wide(call) && is_lowered(call); }

bool accepts_wide_table(const Call& call) {
  return accepts_wide(call) && (call.ideal || (present(call.inputs, 1) && call.inputs[1].dtype == DType::Int32));
}
Prepared prepare_ideal_curve(const Call& call) {
  WideState state = start_wide(call);
  state.curve = own_curve(call.node);
  state.code = ideal_curve_code;
  return finish(std::move(state));
}
Prepared prepare_wide_table(const Call& call, Weights&) {
  if (call.ideal) return prepare_ideal_curve(call);
  WideState state = start_wide(call);
  state.scale = output_scale(call, 0);
  state.table = wide_table_of(call, call.inputs[1]);
  state.code = table_code;
  return finish(std::move(state));
}

bool accepts_wide_leaky(const Call& call) { return both_wide(call) && is_lowered(call, 2); }
Prepared prepare_wide_leaky(const Call& call, Weights&) {
  if (call.ideal) return prepare_ideal_curve(call);
  WideState state = start_wide(call);
  state.scale = output_scale(call, 0);
  state.negative = {output_scale(call, 1)};
  state.code = two_sided_code;
  return finish(std::move(state));
}

bool accepts_wide_prelu(const Call& call) {
  return both_wide(call) && call.inputs[1].constant != nullptr && is_float(call.inputs[1]) &&
         is_lowered(call, 1 + static_cast<size_t>(call.inputs[1].constant->size()));
}
Prepared prepare_wide_prelu(const Call& call, Weights&) {
  WideState state = start_wide(call);
  state.slopes = to_doubles(*call.inputs[1].constant);
  state.channels = static_cast<int64_t>(state.slopes.size());
  state.inner = channel_stride(call.inputs[0]);
  state.code = call.ideal ? ideal_prelu_code : two_sided_code;
  if (!call.ideal) {
    state.scale = output_scale(call, 0);
    for (size_t c = 0; c < state.slopes.size(); ++c) state.negative.push_back(output_scale(call, c + 1));
  }
  return finish(std::move(state));
}

bool accepts_wide_clamp(const Call& call) {
  return both_wide(call) && (call.ideal || (call.node.fixed && same_quant(call.inputs[0], call.outputs[0])));
}
Prepared prepare_wide_clamp(const Call& call, Weights&) {
  if (call.ideal) return prepare_ideal_curve(call);
  WideState state = start_wide(call);
  state.scale.low = call.node.fixed->low;
  state.scale.high = call.node.fixed->high;
  state.code = clamp_code;
  return finish(std::move(state));
}

Prepared prepare_wide_sign(const Call& call, Weights&) {
  const bool negate = call.node.op == "Neg";
  WideState state = start_wide(call);
  if (call.ideal) {
    state.code = negate ? ideal_sign_code<true> : ideal_sign_code<false>;
  } else {
    state.scale = output_scale(call, 0);
    state.code = negate ? sign_code<true> : sign_code<false>;
  }
  return finish(std::move(state));
}

constexpr Kernel wide_row(std::string_view op, std::string_view name, bool (*takes)(const Call&),
                          Prepared (*prepare)(const Call&, Weights&)) {
  return {.op = op, .name = name, .accepts = takes, .prepare = prepare, .run = run_body<WideState>};
}
constexpr Kernel kWideWithoutCurve[] = {
    wide_row("LeakyRelu", "leaky_relu_i16_reference", accepts_wide_leaky, prepare_wide_leaky),
    wide_row("PRelu", "prelu_i16_reference", accepts_wide_prelu, prepare_wide_prelu),
    wide_row("Relu", "relu_i16_reference", accepts_wide_clamp, prepare_wide_clamp),
    wide_row("Clip", "clip_i16_reference", accepts_wide_clamp, prepare_wide_clamp),
    wide_row("Neg", "neg_i16_reference", accepts_wide, prepare_wide_sign),
    wide_row("Abs", "abs_i16_reference", accepts_wide, prepare_wide_sign),
};
constexpr auto kUnaryWideQuantizedKernels =
    with_curve_rows(wide_row("", "table_i16_reference", accepts_wide_table, prepare_wide_table), kWideWithoutCurve);

}  // namespace

std::span<const Kernel> unary_wide_quantized_kernels() { return kUnaryWideQuantizedKernels; }

}  // namespace openrknn
