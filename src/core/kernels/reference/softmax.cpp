// Softmax, LogSoftmax, LpNormalization: each vector along `axis` is brought to a common measure.
// Float rule (docs/arithmetic.md), with x a vector along the axis:
//   Softmax:         e[i] = exp(x[i] - max x);  y[i] = e[i] / sum e
//   LogSoftmax:      y[i] = (x[i] - max x) - log(sum e)
//   LpNormalization: y[i] = x[i] / sum |x|  (p = 1)  or  x[i] / sqrt(sum x*x)  (p = 2);  0 where the divisor is 0
// Sums along the contiguous axis take 16 interleaved accumulators, along another axis one accumulator from +0,
// ascending. max skips NaN, which then spreads through the sum.
#include <cmath>
#include <limits>

#include "core/kernels/math.h"
#include "core/kernels/reference/axis_split.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/sums.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

/// The tensor as [outer, extent, inner]. With inner = 1 a vector is contiguous; else vectors of up to kSoftmaxColumns
/// neighbouring columns are done together, so that memory is still read in runs.
constexpr int64_t kSoftmaxColumns = 64;
struct AxisState {
  Body<AxisState> body = nullptr;
  int64_t extent = 1, inner = 1, column_blocks = 1, p = 2;
  Tiles tiles;  // of outer * column_blocks
};

struct Softmax {
  static constexpr bool kShift = true;
  static float term(float x) { return math::exp(x); }
  static float measure(const AxisState&, float sum) { return sum; }
  static float result(float, float term, float measure) { return term / measure; }
};
struct LogSoftmax {
  static constexpr bool kShift = true;
  static float term(float x) { return math::exp(x); }
  static float measure(const AxisState&, float sum) { return math::log(sum); }
  static float result(float x, float, float measure) { return x - measure; }
};
struct LpOne {
  static constexpr bool kShift = false;
  static float term(float x) { return std::fabs(x); }
  static float measure(const AxisState&, float sum) { return sum; }
  static float result(float x, float, float measure) { return measure == 0.0f ? 0.0f : x / measure; }
};
struct LpTwo {
  static constexpr bool kShift = false;
  static float term(float x) { return x * x; }
  static float measure(const AxisState&, float sum) { return std::sqrt(sum); }
  static float result(float x, float, float measure) { return measure == 0.0f ? 0.0f : x / measure; }
};

/// Scratch: x - max (or x) and the terms, one row each.
template <class T, class Op>
void run_softmax_contiguous(const AxisState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  float* x = reinterpret_cast<float*>(scratch);
  float* terms = x + s.extent;
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    load_floats(input<T>(buffers, 0) + row * s.extent, x, s.extent);
    if constexpr (Op::kShift) {
      float max = -std::numeric_limits<float>::infinity();
      for (int64_t i = 0; i < s.extent; ++i) max = x[i] > max ? x[i] : max;
      for (int64_t i = 0; i < s.extent; ++i) x[i] -= max;
    }
    for (int64_t i = 0; i < s.extent; ++i) terms[i] = Op::term(x[i]);
    const float measure = Op::measure(s, sum_contiguous(terms, s.extent));
    for (int64_t i = 0; i < s.extent; ++i) x[i] = Op::result(x[i], terms[i], measure);
    store_floats(x, output<T>(buffers) + row * s.extent, s.extent);
  }
}

/// Scratch: [extent][kSoftmaxColumns] of x - max (or x), the same of terms, and kSoftmaxColumns each of max and sum.
template <class T, class Op>
void run_softmax_columns(const AxisState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  float* x = reinterpret_cast<float*>(scratch);
  float* terms = x + s.extent * kSoftmaxColumns;
  float* max = terms + s.extent * kSoftmaxColumns;
  float* sums = max + kSoftmaxColumns;
  for (int64_t unit = s.tiles.begin(tile); unit < s.tiles.end(tile); ++unit) {
    const int64_t column = unit % s.column_blocks * kSoftmaxColumns,
                  count = std::min(kSoftmaxColumns, s.inner - column);
    const int64_t at = unit / s.column_blocks * s.extent * s.inner + column;
    std::fill_n(max, kSoftmaxColumns, -std::numeric_limits<float>::infinity());
    std::fill_n(sums, kSoftmaxColumns, 0.0f);
    for (int64_t i = 0; i < s.extent; ++i) {
      float* row = x + i * kSoftmaxColumns;
      load_floats(input<T>(buffers, 0) + at + i * s.inner, row, count);
      for (int64_t c = 0; c < count; ++c) max[c] = row[c] > max[c] ? row[c] : max[c];
    }
    for (int64_t i = 0; i < s.extent; ++i) {
      float *row = x + i * kSoftmaxColumns, *term = terms + i * kSoftmaxColumns;
      if constexpr (Op::kShift) {
        for (int64_t c = 0; c < count; ++c) row[c] -= max[c];
      }
      for (int64_t c = 0; c < count; ++c) term[c] = Op::term(row[c]);
      for (int64_t c = 0; c < count; ++c) sums[c] += term[c];
    }
    for (int64_t c = 0; c < count; ++c) sums[c] = Op::measure(s, sums[c]);
    for (int64_t i = 0; i < s.extent; ++i) {
      float *row = x + i * kSoftmaxColumns, *term = terms + i * kSoftmaxColumns;
      for (int64_t c = 0; c < count; ++c) row[c] = Op::result(row[c], term[c], sums[c]);
      store_floats(row, output<T>(buffers) + at + i * s.inner, count);
    }
  }
}

bool accepts_softmax(const Call& call) {
  const int64_t p = int_attribute(call.node.attributes, "p", 2);
  return is_float(call.inputs[0]) && same_dtype(call.inputs[0], call.outputs[0]) && (p == 1 || p == 2);
}

template <class Op>
Prepared prepare_softmax(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  const AxisSplit split = split_at(x, int_attribute(call.node.attributes, "axis", static_cast<int64_t>(x.size()) - 1));
  AxisState s;
  s.extent = split.extent;
  s.inner = split.inner;
  s.column_blocks = (s.inner + kSoftmaxColumns - 1) / kSoftmaxColumns;
  const bool contiguous = s.inner == 1;
  visit(FloatTypes{}, call.inputs[0].dtype,
        [&]<class T>(Tag<T>) { s.body = contiguous ? run_softmax_contiguous<T, Op> : run_softmax_columns<T, Op>; });
  s.tiles = contiguous ? tile_rows(split.outer, s.extent)
                       : tile_rows(split.outer * s.column_blocks, s.extent * kSoftmaxColumns);
  const int64_t floats = contiguous ? 2 * s.extent : (2 * s.extent + 2) * kSoftmaxColumns;
  return make_tiled(std::move(s), floats * static_cast<int64_t>(sizeof(float)));
}
Prepared prepare_lp(const Call& call, Weights& weights) {
  return int_attribute(call.node.attributes, "p", 2) == 1 ? prepare_softmax<LpOne>(call, weights)
                                                          : prepare_softmax<LpTwo>(call, weights);
}

constexpr Kernel kSoftmaxKernels[] = {
    {"Softmax", "softmax_reference", 0, accepts_softmax, prepare_softmax<Softmax>, run_body<AxisState>},
    {"LogSoftmax", "log_softmax_reference", 0, accepts_softmax, prepare_softmax<LogSoftmax>, run_body<AxisState>},
    {"LpNormalization", "lp_normalization_reference", 0, accepts_softmax, prepare_lp, run_body<AxisState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_softmax_kernels() { return reference::kSoftmaxKernels; }

}  // namespace openrknn
