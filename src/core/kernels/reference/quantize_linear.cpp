// QuantizeLinear and DequantizeLinear: plain operators between floats and integer codes, as ONNX has them.
// Rule: code = saturate(round half to even of x / scale + zero point), the division in float32; NaN counts as 0.
//       real = (code - zero point) * scale, the difference exact, rounded to float32, then one multiplication.
#include <cmath>
#include <limits>

#include "core/kernels/reference/packed4.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

/// The tensor as [outer, extent, inner]. One scale, or one an index of `extent`, or one for every `block` of them.
struct LinearState {
  Body<LinearState> body = nullptr;
  enum class Scales : uint8_t { One, Axis, Blocks } scales = Scales::One;
  int64_t extent = 1, inner = 1, block = 1, blocks = 1;
  DType code_type = DType::Int8;
  DType zero_point_type = DType::Int8;
  bool has_zero_point = false;
  float low = 0, high = 0;  // codes the output holds
  FloatVector scale;
  Tiles tiles;

  int64_t parameter(int64_t outer, int64_t at, int64_t column) const {
    if (scales == Scales::One) return 0;
    return scales == Scales::Axis ? at : (outer * blocks + at / block) * inner + column;
  }
};

using CodeTypes = Types<int8_t, uint8_t, int16_t, uint16_t, int32_t>;
bool is_code(DType dtype) { return one_of(CodeTypes{}, dtype) || is_packed4(dtype); }

int64_t load_code(DType dtype, const std::byte* codes, int64_t i) {
  if (is_packed4(dtype)) return load_packed4(codes, i, is_signed(dtype));
  int64_t code = 0;
  visit(CodeTypes{}, dtype, [&]<class T>(Tag<T>) { code = reinterpret_cast<const T*>(codes)[i]; });
  return code;
}
int64_t zero_point_at(const LinearState& s, std::span<const Buffer> buffers, int64_t index) {
  return s.has_zero_point ? load_code(s.zero_point_type, buffers[2].data, index) : 0;
}

/// Calls work(position, count, parameter index, whether it advances) for stretches of neighbours that share an index of
/// the axis.
template <class Work>
void for_stretches(const LinearState& s, int64_t tile, Work work) {
  const int64_t end = s.tiles.end(tile);
  for (int64_t i = s.tiles.begin(tile); i < end;) {
    const int64_t column = i % s.inner, at = i / s.inner % s.extent, outer = i / s.inner / s.extent;
    const int64_t count = std::min(s.inner - column, end - i);
    work(i, count, s.parameter(outer, at, column), s.scales == LinearState::Scales::Blocks);
    i += count;
  }
}

template <class From, class Code>
void run_quantize(const LinearState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const From* x = input<From>(buffers, 0);
  std::byte* y = buffers.back().data;
  const float* scale = s.scale.read(buffers, scratch);
  for_stretches(s, tile, [&](int64_t begin, int64_t count, int64_t parameter, bool advances) {
    float zero_point = static_cast<float>(zero_point_at(s, buffers, parameter)), divisor = scale[parameter];
    for (int64_t i = 0; i < count; ++i) {
      if (advances) {
        zero_point = static_cast<float>(zero_point_at(s, buffers, parameter + i));
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
    int64_t zero_point = zero_point_at(s, buffers, parameter);
    float factor = scale[parameter];
    for (int64_t i = 0; i < count; ++i) {
      if (advances) {
        zero_point = zero_point_at(s, buffers, parameter + i);
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

LinearState start(const Call& call, ScratchLayout& scratch) {
  const Shape &x = call.inputs[0].shape, &scale = call.inputs[1].shape;
  LinearState s;
  s.scale = FloatVector(call, 1, scratch);
  s.code_type = call.inputs[0].dtype;
  s.has_zero_point = present(call.inputs, 2);
  if (s.has_zero_point) s.zero_point_type = call.inputs[2].dtype;
  s.tiles = {element_count(x)};
  if (scale.empty()) {
    s.inner = std::max<int64_t>(1, s.tiles.total);
    return s;
  }
  const size_t axis = static_cast<size_t>(int_attribute(call.node.attributes, "axis", 0));
  const int64_t block = int_attribute(call.node.attributes, "block_size", 0);
  s.scales = block == 0 ? LinearState::Scales::Axis : LinearState::Scales::Blocks;
  s.block = std::max<int64_t>(1, block);
  s.extent = std::max<int64_t>(1, x[axis]);
  for (size_t d = axis + 1; d < x.size(); ++d) s.inner *= std::max<int64_t>(1, x[d]);
  s.blocks = (s.extent + s.block - 1) / s.block;
  return s;
}
Prepared finish(LinearState s, const ScratchLayout& scratch) { return make_tiled(std::move(s), scratch.bytes()); }

Prepared prepare_quantize(const Call& call, Weights&) {
  ScratchLayout scratch;
  LinearState s = start(call, scratch);
  const DType to = call.outputs[0].dtype;
  s.low = static_cast<float>(lowest_code(to));
  s.high = static_cast<float>(highest_code(to));
  visit(Types<float, Float16, int32_t>{}, call.inputs[0].dtype, [&]<class From>(Tag<From>) {
    if (is_packed4(to)) s.body = run_quantize<From, Packed4>;
    visit(CodeTypes{}, to, [&]<class Code>(Tag<Code>) { s.body = run_quantize<From, Code>; });
  });
  return finish(std::move(s), scratch);
}
Prepared prepare_dequantize(const Call& call, Weights&) {
  ScratchLayout scratch;
  LinearState s = start(call, scratch);
  visit(FloatTypes{}, call.outputs[0].dtype, [&]<class To>(Tag<To>) {
    if (is_packed4(s.code_type)) s.body = run_dequantize<Packed4, To>;
    visit(CodeTypes{}, s.code_type, [&]<class Code>(Tag<Code>) { s.body = run_dequantize<Code, To>; });
  });
  return finish(std::move(s), scratch);
}

constexpr Kernel kRows[] = {
    {"QuantizeLinear", "quantize_linear_reference", 0, accepts_quantize, prepare_quantize, run_body<LinearState>},
    {"DequantizeLinear", "dequantize_linear_reference", 0, accepts_dequantize, prepare_dequantize,
     run_body<LinearState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_quantize_linear_kernels() { return reference::kRows; }

}  // namespace openrknn
