// GlobalAveragePool, ReduceMean and ReduceSum of codes over neighbouring dimensions: exact sums, one rounding.
#include <algorithm>
#include <numeric>

#include "core/kernels/fast/code_scale.h"
#include "core/kernels/fast/cpus.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

constexpr int64_t kSumsTogether = 256;  // sums taken together
constexpr int64_t kRun = 64;            // columns a contiguous run_reduce is folded to

/// The tensor as [outer, extent, inner], of which `extent` goes.
struct ReduceState {
  const InnerLoops* loops = nullptr;
  int64_t outer = 1, extent = 1, inner = 1;
  int32_t zero_point = 0;
  OutputScale scale;
  reference::Tiles tiles;  // of outer * blocks of inner
  int64_t blocks() const { return (inner + kSumsTogether - 1) / kSumsTogether; }
};

/// False where kept dimensions lie between reduced ones. Extents of 1 are nowhere.
bool split(const Call& call, ReduceState& s) {
  const Shape& x = call.inputs[0].shape;
  const int64_t rank = static_cast<int64_t>(x.size());
  std::vector<int64_t> axes = ints_attribute(call.node.attributes, "axes");
  if (call.node.op == "GlobalAveragePool") {
    axes.resize(static_cast<size_t>(rank - 2));
    std::iota(axes.begin(), axes.end(), 1);
  }
  bool begun = false;
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t extent = x[static_cast<size_t>(d)];
    if (extent == 1) continue;
    if (std::find(axes.begin(), axes.end(), d) == axes.end()) {
      (begun ? s.inner : s.outer) *= extent;
    } else {
      if (s.inner > 1) return false;
      s.extent *= extent;
      begun = true;
    }
  }
  return true;
}

bool accepts_reduce(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  if (call.ideal || !reference::is_codes(x) || !reference::is_codes(y) || !reference::is_lowered(call)) return false;
  if (call.node.op == "GlobalAveragePool" && !reference::window_fits(x, y)) return false;
  ReduceState s;
  return split(call, s) && s.extent <= kMostSummedCodes;
}
template <const InnerLoops& kLoops>
Prepared prepare_reduce(const Call& call, Weights&) {
  ReduceState s;
  s.loops = &kLoops;
  split(call, s);
  s.zero_point = call.inputs[0].quant->zero_point[0];
  s.scale = output_scale(call, 0);
  s.tiles = reference::tile_rows(s.outer * s.blocks(), s.extent * std::min(s.inner, kSumsTogether));
  const int64_t tiles = s.tiles.count();
  return reference::make_prepared(s, tiles);
}

/// A contiguous run_reduce is added up like a matrix of kRun columns, then across.
int32_t sum_run(const InnerLoops& loops, const int8_t* x, int64_t count) {
  int32_t sums[kRun] = {};
  loops.sum_codes(x, count / kRun, kRun, kRun, sums);
  int32_t sum = std::accumulate(sums, sums + kRun, 0);
  for (int64_t i = count / kRun * kRun; i < count; ++i) sum += x[i];
  return sum;
}
void run_reduce(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const ReduceState& s = *static_cast<const ReduceState*>(prepared.state.get());
  const int64_t zero_points = s.extent * s.zero_point;
  for (int64_t unit = s.tiles.begin(tile); unit < s.tiles.end(tile); ++unit) {
    const int64_t outer = unit / s.blocks(), column = unit % s.blocks() * kSumsTogether;
    const int64_t columns = std::min(kSumsTogether, s.inner - column);
    const int8_t* x = reference::input<int8_t>(buffers, 0) + outer * s.extent * s.inner + column;
    int8_t* y = reference::output<int8_t>(buffers) + outer * s.inner + column;
    int32_t sums[kSumsTogether];
    std::fill_n(sums, columns, 0);
    if (s.inner == 1)
      sums[0] = sum_run(*s.loops, x, s.extent);
    else
      s.loops->sum_codes(x, s.extent, s.inner, columns, sums);
    for (int64_t c = 0; c < columns; ++c) y[c] = static_cast<int8_t>(s.scale(sums[c] - zero_points));
  }
}

#define ROWS(cpu, name, needs)                                                                                \
  {                                                                                                           \
      "GlobalAveragePool", "global_average_pool_i8_" name, needs,                                             \
      accepts_reduce,      prepare_reduce<cpu::kLoops>,    run_reduce},                                       \
      {"ReduceMean", "reduce_mean_i8_" name, needs, accepts_reduce, prepare_reduce<cpu::kLoops>, run_reduce}, \
      {"ReduceSum", "reduce_sum_i8_" name, needs, accepts_reduce, prepare_reduce<cpu::kLoops>, run_reduce},
constexpr Kernel kReduceKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_reduce_kernels() { return fast::kReduceKernels; }
}  // namespace openrknn
