// Softmax along a dimension that is not contiguous: neighbouring columns are done together, one a lane. LogSoftmax
// along contiguous rows (Softmax: elementwise.cpp).
#include "core/kernels/fast/cpus.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::Tiles;

constexpr int64_t kColumnsTogether = 64;  // done together: memory is read in runs, Float16 converted in runs

/// The tensor as [outer, extent, inner].
struct ColumnsState {
  const InnerLoops* loops = nullptr;
  bool half = false;
  int64_t extent = 1, inner = 1, column_blocks = 1;
  Tiles tiles;  // of outer * column_blocks
};

int64_t axis_of(const Call& call) {
  return int_attribute(call.node.attributes, "axis", static_cast<int64_t>(call.inputs[0].shape.size()) - 1);
}
/// Values between neighbours along the axis.
int64_t inner_of(const Call& call) {
  const Shape& x = call.inputs[0].shape;
  int64_t inner = 1;
  for (size_t d = static_cast<size_t>(axis_of(call)) + 1; d < x.size(); ++d) inner *= x[d];
  return inner;
}

bool accepts_softmax_columns(const Call& call) {
  return reference::is_float(call.inputs[0]) && reference::same_dtype(call.inputs[0], call.outputs[0]) &&
         !call.inputs[0].shape.empty() && element_count(call.inputs[0].shape) > 0 && inner_of(call) > 1;
}

template <const InnerLoops& kLoops>
Prepared prepare_softmax_columns(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  ColumnsState s;
  s.loops = &kLoops;
  s.half = call.inputs[0].dtype == DType::Float16;
  s.extent = x[static_cast<size_t>(axis_of(call))];
  s.inner = inner_of(call);
  s.column_blocks = (s.inner + kColumnsTogether - 1) / kColumnsTogether;
  const int64_t outer = element_count(x) / (s.extent * s.inner);
  s.tiles = reference::tile_rows(outer * s.column_blocks, s.extent * kColumnsTogether);
  const int64_t tiles = s.tiles.count();
  const int64_t scratch = s.half ? s.extent * kColumnsTogether * static_cast<int64_t>(sizeof(float)) : 0;
  return {std::make_shared<const ColumnsState>(s), tiles, scratch, 0};
}

void run_softmax_columns(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const ColumnsState& s = *static_cast<const ColumnsState*>(prepared.state.get());
  float* values = reinterpret_cast<float*>(scratch);
  for (int64_t unit = s.tiles.begin(tile); unit < s.tiles.end(tile); ++unit) {
    const int64_t column = unit % s.column_blocks * kColumnsTogether,
                  count = std::min(kColumnsTogether, s.inner - column);
    const int64_t at = unit / s.column_blocks * s.extent * s.inner + column;
    if (!s.half) {
      s.loops->softmax_columns(reinterpret_cast<const float*>(buffers[0].data) + at,
                               reinterpret_cast<float*>(buffers.back().data) + at, s.extent, s.inner, count);
      continue;
    }
    const uint16_t* in = reinterpret_cast<const uint16_t*>(buffers[0].data) + at;
    uint16_t* out = reinterpret_cast<uint16_t*>(buffers.back().data) + at;
    for (int64_t i = 0; i < s.extent; ++i)
      s.loops->half_to_float(in + i * s.inner, values + i * kColumnsTogether, count);
    s.loops->softmax_columns(values, values, s.extent, kColumnsTogether, count);
    for (int64_t i = 0; i < s.extent; ++i)
      s.loops->float_to_half(values + i * kColumnsTogether, out + i * s.inner, count);
  }
}

// ---- LogSoftmax ----

struct LogRowsState {
  const InnerLoops* loops = nullptr;
  bool half = false;
  int64_t length = 1;
  Tiles tiles;
};

bool accepts_log(const Call& call) {
  return reference::is_float(call.inputs[0]) && reference::same_dtype(call.inputs[0], call.outputs[0]) &&
         !call.inputs[0].shape.empty() && element_count(call.inputs[0].shape) > 0 && inner_of(call) == 1;
}
template <const InnerLoops& kLoops>
Prepared prepare_log(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  LogRowsState s;
  s.loops = &kLoops;
  s.half = call.inputs[0].dtype == DType::Float16;
  s.length = x[static_cast<size_t>(axis_of(call))];
  s.tiles = reference::tile_rows(element_count(x) / s.length, s.length);
  const int64_t tiles = s.tiles.count(), scratch = 2 * s.length * static_cast<int64_t>(sizeof(float));
  return reference::make_prepared(s, tiles, scratch, 0);
}
void run_log(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const LogRowsState& s = *static_cast<const LogRowsState*>(prepared.state.get());
  float* terms = reinterpret_cast<float*>(scratch);
  float* values = terms + s.length;
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const int64_t at = row * s.length;
    if (!s.half) {
      s.loops->log_softmax(reinterpret_cast<const float*>(buffers[0].data) + at,
                           reinterpret_cast<float*>(buffers.back().data) + at, terms, s.length);
      continue;
    }
    s.loops->half_to_float(reinterpret_cast<const uint16_t*>(buffers[0].data) + at, values, s.length);
    s.loops->log_softmax(values, values, terms, s.length);
    s.loops->float_to_half(values, reinterpret_cast<uint16_t*>(buffers.back().data) + at, s.length);
  }
}

#define ROWS(cpu, name, needs)                                                                                        \
  {"Softmax",          "softmax_columns_" name, needs, accepts_softmax_columns, prepare_softmax_columns<cpu::kLoops>, \
   run_softmax_columns},                                                                                              \
      {"LogSoftmax", "log_softmax_" name, needs, accepts_log, prepare_log<cpu::kLoops>, run_log},
constexpr Kernel kSoftmaxKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_softmax_kernels() { return fast::kSoftmaxKernels; }
}  // namespace openrknn
