// Convert: the only op that changes representation and nothing else. Concat of operands whose codes differ in meaning.
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace {

using namespace reference;

// ---- Convert ----

struct ConvertState {
  CodeParams x, y;
  std::optional<OutputScale> scale;  // codes to codes by the node's integers
  Tiles tiles;
  Body<ConvertState> body = nullptr;
};

/// One element: float to float rounds to the narrower type; codes to float: (code - zp) · scale in double, to float32,
/// then to the type; float to codes: real_to_code; codes to codes: the node's integers, or ideally one rounding.
template <class From, class To>
To convert(const ConvertState& s, From x) {
  constexpr bool from_codes = std::is_integral_v<From>, to_codes = std::is_integral_v<To>;
  if constexpr (!from_codes && !to_codes) {
    return static_cast<To>(static_cast<float>(x));
  } else if constexpr (from_codes && !to_codes) {
    return static_cast<To>(static_cast<float>(s.x.real(x)));
  } else {
    constexpr int32_t low = std::numeric_limits<To>::lowest(), high = std::numeric_limits<To>::max();
    if constexpr (from_codes) {
      if (s.scale) return static_cast<To>((*s.scale)(x - s.x.zero_point));
      return static_cast<To>(real_to_code(s.x.real(x), s.y.scale, s.y.zero_point, low, high));
    } else {
      const double real = static_cast<double>(static_cast<float>(x));
      return static_cast<To>(real_to_code(real, s.y.scale, s.y.zero_point, low, high));
    }
  }
}

template <class From, class To>
void run_convert(const ConvertState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const auto* x = input<From>(buffers, 0);
  auto* y = output<To>(buffers);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) y[i] = convert<From, To>(s, x[i]);
}

using ConvertTypes = Types<float, Float16, int8_t, uint8_t, int16_t>;

/// Floats, or integer codes with one scale.
bool is_convertible(const Operand& operand) {
  if (!one_of(ConvertTypes{}, operand.dtype)) return false;
  return is_floating(operand.dtype) || (operand.quant != nullptr && operand.quant->scale.size() == 1);
}
bool accepts_convert(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  if (!is_convertible(x) || !is_convertible(y)) return false;
  const bool codes_to_codes = x.quant != nullptr && y.quant != nullptr;
  return !codes_to_codes || (is_coded(x) && is_coded(y) && is_lowered(call));
}
Prepared prepare_convert(const Call& call, Weights&) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  ConvertState state;
  if (x.quant) state.x = CodeParams(x);
  if (y.quant) state.y = CodeParams(y);
  if (x.quant && y.quant && !call.ideal) state.scale = output_scale(call, 0);
  state.tiles.total = element_count(y.shape);
  visit(ConvertTypes{}, x.dtype, [&]<class From>(Tag<From>) {
    visit(ConvertTypes{}, y.dtype, [&]<class To>(Tag<To>) { state.body = run_convert<From, To>; });
  });
  return make_tiled(std::move(state));
}

// ---- Concat with unequal parameters ----

struct ConcatState {
  struct Part {
    CodeParams params;
    OutputScale scale;
    int64_t run = 0;  // contiguous elements per outer index
  };
  std::vector<Part> parts;
  CodeParams y;
  bool is_ideal = false;
  int64_t outer = 1;
  Body<ConcatState> body = nullptr;
};

template <class Code>
void run_concat(const ConcatState& s, std::span<const Buffer> buffers, int64_t, std::byte*) {
  auto* y = output<Code>(buffers);
  for (int64_t outer = 0; outer < s.outer; ++outer) {
    for (size_t part = 0; part < s.parts.size(); ++part) {
      const auto& [params, scale, run] = s.parts[part];
      const auto* x = input<Code>(buffers, part) + outer * run;
      for (int64_t i = 0; i < run; ++i) {
        *y++ = static_cast<Code>(s.is_ideal ? s.y.code(params.real(x[i])) : scale(x[i] - params.zero_point));
      }
    }
  }
}

bool accepts_concat(const Call& call) {
  if (!are_coded_as(call.outputs[0], call.inputs)) return false;
  const bool moves = std::all_of(call.inputs.begin(), call.inputs.end(),
                                 [&](const Operand& x) { return same_quant(x, call.outputs[0]); });
  return !moves && is_lowered(call, call.inputs.size());
}
Prepared prepare_concat(const Call& call, Weights&) {
  ConcatState state;
  const size_t axis = static_cast<size_t>(int_attribute(call.node.attributes, "axis", 0));
  const Shape& out = call.outputs[0].shape;
  for (size_t d = 0; d < axis; ++d) state.outer *= out[d];
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    ConcatState::Part part{CodeParams(call.inputs[i]), {}, element_count(call.inputs[i].shape)};
    part.run = state.outer == 0 ? 0 : part.run / state.outer;
    if (!call.ideal) part.scale = output_scale(call, i);
    state.parts.push_back(part);
  }
  state.y = CodeParams(call.outputs[0]);
  state.is_ideal = call.ideal;
  visit(CodeTypes{}, call.outputs[0].dtype, [&]<class Code>(Tag<Code>) { state.body = run_concat<Code>; });
  return make_prepared(std::move(state), 1);
}

constexpr Kernel kConvertQuantizedKernels[] = {
    {.op = "Convert",
     .name = "convert_reference",
     .accepts = accepts_convert,
     .prepare = prepare_convert,
     .run = run_body<ConvertState>},
    {.op = "Concat",
     .name = "concat_codes_requantize_reference",
     .accepts = accepts_concat,
     .prepare = prepare_concat,
     .run = run_body<ConcatState>},
};

}  // namespace

std::span<const Kernel> convert_quantized_kernels() { return kConvertQuantizedKernels; }

}  // namespace openrknn
