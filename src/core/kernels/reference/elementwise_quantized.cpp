// Add, Sub, Mul, Max, Min, Where on codes, operands and result with parameters of their own.
#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace {

using namespace reference;

struct BinaryState {
  Broadcast plan;  // a, b; Where: condition, x, y
  CodeParams a, b, y;
  OutputScale scale_a, scale_b, scale_y;  // what each means: see the op's function
  std::optional<Curve> curve;             // ideal only
  bool is_ideal = false;
  int32_t (*combine)(const BinaryState&, int32_t a, int32_t b) = nullptr;
  Tiles tiles;
  Body<BinaryState> body = nullptr;
};

/// Both operands in a common fine unit, exact; one rounding out of it.
template <int kSign>
int32_t add(const BinaryState& s, int32_t a, int32_t b) {
  const int64_t left = round_shift(int64_t{a - s.a.zero_point} * s.scale_a.multiplier, s.scale_a.shift);
  const int64_t right = round_shift(int64_t{b - s.b.zero_point} * s.scale_b.multiplier, s.scale_b.shift);
  return s.scale_y(left + kSign * right);
}
int32_t multiply(const BinaryState& s, int32_t a, int32_t b) {
  return s.scale_y(int64_t{a - s.a.zero_point} * (b - s.b.zero_point));
}
/// Each operand in output codes first: Max, Min, Where only choose.
template <bool kMax>
int32_t extreme(const BinaryState& s, int32_t a, int32_t b) {
  const int32_t left = s.scale_a(a - s.a.zero_point), right = s.scale_b(b - s.b.zero_point);
  return kMax ? std::max(left, right) : std::min(left, right);
}
template <class Real>
int32_t ideal(const BinaryState& s, int32_t a, int32_t b, Real real) {
  const double v = real(s.a.real(a), s.b.real(b));
  return s.y.code(s.curve ? apply(*s.curve, v) : v);
}

struct BinaryOp {
  std::string_view name;
  int32_t (*fixed)(const BinaryState&, int32_t, int32_t);
  int32_t (*ideal)(const BinaryState&, int32_t, int32_t);
  size_t scales;  // entries of FixedPoint::scale: per operand and output, per operand, or output alone
};
constexpr BinaryOp kOps[] = {
    {"Add", add<1>,
     [](const BinaryState& s, int32_t a, int32_t b) {
       return ideal(s, a, b, [](double l, double r) { return l + r; });
     },
     3},
    {"Sub", add<-1>,
     [](const BinaryState& s, int32_t a, int32_t b) {
       return ideal(s, a, b, [](double l, double r) { return l - r; });
     },
     3},
    {"Mul", multiply,
     [](const BinaryState& s, int32_t a, int32_t b) {
       return ideal(s, a, b, [](double l, double r) { return l * r; });
     },
     1},
    {"Max", extreme<true>,
     [](const BinaryState& s, int32_t a, int32_t b) {
       return ideal(s, a, b, [](double l, double r) { return std::max(l, r); });
     },
     2},
    {"Min", extreme<false>,
     [](const BinaryState& s, int32_t a, int32_t b) {
       return ideal(s, a, b, [](double l, double r) { return std::min(l, r); });
     },
     2},
};

const BinaryOp& op_of(const Call& call) {
  for (const BinaryOp& op : kOps) {
    if (op.name == call.node.op) return op;
  }
  fail(Code::Internal, "no integer law for " + call.node.op);
}

void read_scales(BinaryState& state, const Call& call, size_t count) {
  if (count > 1) {
    state.scale_a = output_scale(call, 0);
    state.scale_b = output_scale(call, 1);
  }
  if (count != 2) state.scale_y = output_scale(call, count - 1);
}

template <class Code>
void run_binary(const BinaryState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  zip_tile<Code, Code>(s.plan, s.tiles, tile, buffers,
                       [&](Code a, Code b) { return static_cast<Code>(s.combine(s, a, b)); });
}

bool accepts_binary(const Call& call) {
  return are_coded_as(call.outputs[0], call.inputs) && is_lowered(call, op_of(call).scales);
}

Prepared prepare_binary(const Call& call, Weights&) {
  const BinaryOp& op = op_of(call);
  BinaryState state;
  state.plan = Broadcast(call.outputs[0].shape, {&call.inputs[0].shape, &call.inputs[1].shape});
  state.a = CodeParams(call.inputs[0]);
  state.b = CodeParams(call.inputs[1]);
  state.y = CodeParams(call.outputs[0]);
  state.combine = call.ideal ? op.ideal : op.fixed;
  state.curve = fused_curve(call.node);
  if (!call.ideal) read_scales(state, call, op.scales);
  state.tiles.total = state.plan.total;
  visit(CodeTypes{}, call.outputs[0].dtype, [&]<class Code>(Tag<Code>) { state.body = run_binary<Code>; });
  return make_tiled(std::move(state));
}

template <class Code>
void run_where(const BinaryState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const auto* condition = input<uint8_t>(buffers, 0);
  const auto* x = input<Code>(buffers, 1);
  const auto* z = input<Code>(buffers, 2);
  auto* y = output<Code>(buffers);
  for_rows(s.plan, s.tiles.begin(tile), s.tiles.end(tile), [&](int64_t at, int64_t count, const auto& offsets) {
    const auto stride = [&](size_t operand) { return s.plan.strides[operand].back(); };
    for (int64_t i = 0; i < count; ++i) {
      const bool first = condition[offsets[0] + i * stride(0)] != 0;
      const int32_t code = first ? x[offsets[1] + i * stride(1)] : z[offsets[2] + i * stride(2)];
      const CodeParams& from = first ? s.a : s.b;
      const OutputScale& scale = first ? s.scale_a : s.scale_b;
      y[at + i] = static_cast<Code>(s.is_ideal ? s.y.code(from.real(code)) : scale(code - from.zero_point));
    }
  });
}

bool accepts_where(const Call& call) {
  return call.inputs[0].dtype == DType::Bool && are_coded_as(call.outputs[0], call.inputs.subspan(1)) &&
         is_lowered(call, 2);
}

Prepared prepare_where(const Call& call, Weights&) {
  BinaryState state;
  state.plan = Broadcast(call.outputs[0].shape, {&call.inputs[0].shape, &call.inputs[1].shape, &call.inputs[2].shape});
  state.a = CodeParams(call.inputs[1]);
  state.b = CodeParams(call.inputs[2]);
  state.y = CodeParams(call.outputs[0]);
  state.is_ideal = call.ideal;
  if (!call.ideal) read_scales(state, call, 2);
  state.tiles.total = state.plan.total;
  visit(CodeTypes{}, call.outputs[0].dtype, [&]<class Code>(Tag<Code>) { state.body = run_where<Code>; });
  return make_tiled(std::move(state));
}

constexpr Kernel row(std::string_view op, std::string_view name) {
  return {.op = op, .name = name, .accepts = accepts_binary, .prepare = prepare_binary, .run = run_body<BinaryState>};
}
constexpr Kernel kElementwiseQuantizedKernels[] = {
    row("Add", "add_codes_reference"),
    row("Sub", "sub_codes_reference"),
    row("Mul", "mul_codes_reference"),
    row("Max", "max_codes_reference"),
    row("Min", "min_codes_reference"),
    {.op = "Where",
     .name = "where_codes_reference",
     .accepts = accepts_where,
     .prepare = prepare_where,
     .run = run_body<BinaryState>},
};

}  // namespace

std::span<const Kernel> elementwise_quantized_kernels() { return kElementwiseQuantizedKernels; }

}  // namespace openrknn
