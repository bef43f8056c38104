// QuantizeLinear from floats and DequantizeLinear to floats, codes of 8 and 16 bits (and Int32 without zero points).
#include <algorithm>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/reference/quantize_linear.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::Linear;
using reference::present;

constexpr int64_t kStretch = 1024;  // elements whose zero points, or Float16 values, are converted at a time

struct LinearState : Linear {
  const InnerLoops* loops = nullptr;
  QuantizeLoop loop = nullptr;
  bool half = false;
  int64_t code_bytes = 1, halves_at = 0, zero_points_at = 0;
};

struct LoopRow {
  DType dtype;
  QuantizeLoop QuantizeLoops::*loop;
};
constexpr LoopRow kLoopRows[] = {{DType::Int8, &QuantizeLoops::int8},
                                 {DType::UInt8, &QuantizeLoops::uint8},
                                 {DType::Int16, &QuantizeLoops::int16},
                                 {DType::UInt16, &QuantizeLoops::uint16},
                                 {DType::Int32, &QuantizeLoops::int32}};
QuantizeLoop loop_of(const QuantizeLoops& loops, DType dtype) {
  for (const LoopRow& row : kLoopRows) {
    if (row.dtype == dtype) return loops.*row.loop;
  }
  return nullptr;
}

/// Codes and zero points whose differences are exact in floats.
using ShortCodes = reference::Types<int8_t, uint8_t, int16_t, uint16_t>;
bool fits_affine(const Call& call, const Operand& floats, const Operand& codes) {
  const bool has_zero_point = present(call.inputs, 2);
  return reference::is_float(floats) && reference::is_float(call.inputs[1]) && !codes.quant && !floats.quant &&
         (one_of(ShortCodes{}, codes.dtype) || (codes.dtype == DType::Int32 && !has_zero_point)) &&
         (!has_zero_point || one_of(ShortCodes{}, call.inputs[2].dtype));
}
bool accepts_quantize(const Call& call) {
  return call.outputs[0].dtype != DType::Int32 && fits_affine(call, call.inputs[0], call.outputs[0]);
}
bool accepts_dequantize(const Call& call) { return fits_affine(call, call.outputs[0], call.inputs[0]); }

Prepared prepare_quantize_linear(const Call& call, const InnerLoops& loops, const QuantizeLoops& table,
                                 const Operand& floats, const Operand& codes) {
  reference::ScratchLayout scratch;
  LinearState s{linear_of(call, codes, scratch)};
  s.loops = &loops;
  s.loop = loop_of(table, codes.dtype);
  s.half = floats.dtype == DType::Float16;
  s.code_bytes = reference::whole_bytes(codes.dtype);
  s.halves_at = scratch.add<float>(kStretch);
  s.zero_points_at = scratch.add<float>(kStretch);
  const int64_t tiles = s.tiles.count();
  return reference::make_prepared(std::move(s), tiles, scratch.bytes());
}
template <const InnerLoops& kLoops>
Prepared prepare_quantize(const Call& call, Weights&) {
  return prepare_quantize_linear(call, kLoops, kLoops.quantize, call.inputs[0], call.outputs[0]);
}
template <const InnerLoops& kLoops>
Prepared prepare_dequantize(const Call& call, Weights&) {
  return prepare_quantize_linear(call, kLoops, kLoops.dequantize, call.outputs[0], call.inputs[0]);
}

/// `floats` and `codes` are the operands' first elements.
template <bool kQuantizes>
void run_quantize_linear(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const auto& s = *static_cast<const LinearState*>(prepared.state.get());
  std::byte* floats = (kQuantizes ? buffers.front() : buffers.back()).data;
  std::byte* codes = (kQuantizes ? buffers.back() : buffers.front()).data;
  const float* scale = s.scale.read(buffers, scratch);
  float* values = reference::scratch_at<float>(scratch, s.halves_at);
  float* zero_points = reference::scratch_at<float>(scratch, s.zero_points_at);
  for_stretches(s, tile, [&](int64_t begin, int64_t whole, int64_t parameter, bool advances) {
    for (int64_t i = 0; i < whole; i += kStretch) {
      const int64_t count = std::min(kStretch, whole - i), at = begin + i, first = parameter + (advances ? i : 0);
      for (int64_t j = 0; j < (advances ? count : 1); ++j) {
        zero_points[j] = static_cast<float>(s.zero_point(buffers, first + j));
      }
      auto* halves = reinterpret_cast<uint16_t*>(floats) + at;
      if (kQuantizes && s.half) s.loops->half_to_float(halves, values, count);
      s.loop({.floats = s.half ? values : reinterpret_cast<float*>(floats) + at,
              .codes = codes + at * s.code_bytes,
              .count = count,
              .scale = scale + first,
              .zero_point = zero_points,
              .advances = advances,
              .low = s.low,
              .high = s.high});
      if (!kQuantizes && s.half) s.loops->float_to_half(values, halves, count);
    }
  });
}

#define ROWS(cpu, name, needs)                                                  \
  {"QuantizeLinear", "quantize_linear_" name,       needs,                      \
   accepts_quantize, prepare_quantize<cpu::kLoops>, run_quantize_linear<true>}, \
      {"DequantizeLinear", "dequantize_linear_" name,       needs,              \
       accepts_dequantize, prepare_dequantize<cpu::kLoops>, run_quantize_linear<false>},
constexpr Kernel kQuantizeLinearKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_quantize_linear_kernels() { return fast::kQuantizeLinearKernels; }
}  // namespace openrknn
