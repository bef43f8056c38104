// Convert from floats to Int8 codes (from codes: lookup.cpp).
#include <algorithm>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

constexpr int64_t kHalvesWidened = 1024;  // Float16 values widened at a time

struct ConvertState {
  const InnerLoops* loops = nullptr;
  bool half = false;
  double scale = 1, zero_point = 0;
  reference::Tiles tiles;
};

bool accepts_convert(const Call& call) {
  return reference::is_float(call.inputs[0]) && reference::is_codes(call.outputs[0]);
}
template <const InnerLoops& kLoops>
Prepared prepare_convert(const Call& call, Weights&) {
  ConvertState s;
  s.loops = &kLoops;
  s.half = call.inputs[0].dtype == DType::Float16;
  s.scale = call.outputs[0].quant->scale[0];
  s.zero_point = call.outputs[0].quant->zero_point[0];
  s.tiles.total = element_count(call.outputs[0].shape);
  const int64_t tiles = s.tiles.count(), scratch = s.half ? kHalvesWidened * static_cast<int64_t>(sizeof(float)) : 0;
  return reference::make_prepared(s, tiles, scratch);
}
void run_convert(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const ConvertState& s = *static_cast<const ConvertState*>(prepared.state.get());
  const int64_t begin = s.tiles.begin(tile), end = s.tiles.end(tile);
  int8_t* y = reference::output<int8_t>(buffers);
  if (!s.half) {
    const float* x = reference::input<float>(buffers, 0);
    return s.loops->encode_codes(x + begin, y + begin, end - begin, s.scale, s.zero_point);
  }
  const auto* x = reference::input<uint16_t>(buffers, 0);
  float* values = reinterpret_cast<float*>(scratch);
  for (int64_t i = begin; i < end; i += kHalvesWidened) {
    const int64_t count = std::min(kHalvesWidened, end - i);
    s.loops->half_to_float(x + i, values, count);
    s.loops->encode_codes(values, y + i, count, s.scale, s.zero_point);
  }
}

#define ROWS(cpu, name, needs) \
  {"Convert", "encode_i8_" name, needs, accepts_convert, prepare_convert<cpu::kLoops>, run_convert},
constexpr Kernel kConvertKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_convert_kernels() { return fast::kConvertKernels; }
}  // namespace openrknn
