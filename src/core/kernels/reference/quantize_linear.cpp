// QuantizeLinear and DequantizeLinear: plain operators between floats and integer codes, as ONNX has them.
// Rule: code = saturate(round half to even of x / scale + zero point), the division in float32; NaN counts as 0.
//       real = (code - zero point) * scale, the difference exact, rounded to float32, then one multiplication.
#include "core/kernels/reference/quantize_linear.h"

#include <cmath>

#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct LinearState : Linear {
  Body<LinearState> body = nullptr;
};

bool is_code(DType dtype) { return one_of(LinearCodes{}, dtype) || is_packed4(dtype); }

template <class From, class Code>
void run_quantize(const LinearState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const From* x = input<From>(buffers, 0);
  std::byte* y = buffers.back().data;
  const float* scale = s.scale.read(buffers, scratch);
  for_stretches(s, tile, [&](int64_t begin, int64_t count, int64_t parameter, bool advances) {
    float zero_point = static_cast<float>(s.zero_point(buffers, parameter)), divisor = scale[parameter];
    for (int64_t i = 0; i < count; ++i) {
      if (advances) {
        zero_point = static_cast<float>(s.zero_point(buffers, parameter + i));
        divisor = scale[parameter + i];
      }
      float steps = static_cast<float>(x[begin + i]) / divisor;
      if (steps != steps) steps = 0.0f;
      // Clamped before the zero point is added: the sum is then a small integer, hence exact.
      const float least = s.low - zero_point, most = s.high - zero_point;
      steps = std::nearbyint(steps < least ? least : steps > most ? most : steps);
      const auto code = static_cast<int64_t>(steps + zero_point);
      if constexpr (std::is_same_v<Code, Packed4>)
        store_packed4(y, begin + i, code);
      else
        reinterpret_cast<Code*>(y)[begin + i] = static_cast<Code>(code);
    }
  });
}

template <class Code, class To>
void run_dequantize(const LinearState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  To* y = output<To>(buffers);
  const float* scale = s.scale.read(buffers, scratch);
  for_stretches(s, tile, [&](int64_t begin, int64_t count, int64_t parameter, bool advances) {
    int64_t zero_point = s.zero_point(buffers, parameter);
    float factor = scale[parameter];
    for (int64_t i = 0; i < count; ++i) {
      if (advances) {
        zero_point = s.zero_point(buffers, parameter + i);
        factor = scale[parameter + i];
      }
      int64_t code = 0;
      if constexpr (std::is_same_v<Code, Packed4>)
        code = load_packed4(buffers[0].data, begin + i, is_signed(s.code_type));
      else
        code = input<Code>(buffers, 0)[begin + i];
      y[begin + i] = static_cast<To>(static_cast<float>(code - zero_point) * factor);
    }
  });
}

bool accepts_parameters(const Call& call) {
  return is_float(call.inputs[1]) && !call.inputs[0].quant && !call.outputs[0].quant &&
         (!present(call.inputs, 2) || is_code(call.inputs[2].dtype));
}
bool accepts_quantize(const Call& call) {
  return accepts_parameters(call) && (is_float(call.inputs[0]) || call.inputs[0].dtype == DType::Int32) &&
         is_code(call.outputs[0].dtype) && bit_width(call.outputs[0].dtype) <= 16;
}
bool accepts_dequantize(const Call& call) {
  return accepts_parameters(call) && is_code(call.inputs[0].dtype) && is_float(call.outputs[0]);
}

Prepared finish(LinearState s, const ScratchLayout& scratch) { return make_tiled(std::move(s), scratch.bytes()); }

Prepared prepare_quantize(const Call& call, Weights&) {
  ScratchLayout scratch;
  LinearState s{linear_of(call, call.outputs[0], scratch)};
  const DType to = s.code_type;
  visit(Types<float, Float16, int32_t>{}, call.inputs[0].dtype, [&]<class From>(Tag<From>) {
    if (is_packed4(to)) s.body = run_quantize<From, Packed4>;
    visit(LinearCodes{}, to, [&]<class Code>(Tag<Code>) { s.body = run_quantize<From, Code>; });
  });
  return finish(std::move(s), scratch);
}
Prepared prepare_dequantize(const Call& call, Weights&) {
  ScratchLayout scratch;
  LinearState s{linear_of(call, call.inputs[0], scratch)};
  visit(FloatTypes{}, call.outputs[0].dtype, [&]<class To>(Tag<To>) {
    if (is_packed4(s.code_type)) s.body = run_dequantize<Packed4, To>;
    visit(LinearCodes{}, s.code_type, [&]<class Code>(Tag<Code>) { s.body = run_dequantize<Code, To>; });
  });
  return finish(std::move(s), scratch);
}

constexpr Kernel kQuantizeLinearKernels[] = {
    {"QuantizeLinear", "quantize_linear_reference", 0, accepts_quantize, prepare_quantize, run_body<LinearState>},
    {"DequantizeLinear", "dequantize_linear_reference", 0, accepts_dequantize, prepare_dequantize,
     run_body<LinearState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_quantize_linear_kernels() { return reference::kQuantizeLinearKernels; }

}  // namespace openrknn
