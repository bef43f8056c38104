// CumSum and CumProd along an axis, ReverseSequence.
// Float rule (docs/arithmetic.md): one float32 accumulator per column, in the order of the scan, from +0 or 1; what is
// stored is rounded, the accumulator is not. Integers wrap around.
#include <cstring>

#include "core/kernels/reference/axis_split.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

constexpr int64_t kSequenceColumns = 256;

/// The tensor as [outer, extent, inner]; kSequenceColumns neighbouring columns are scanned together.
struct RunningState {
  Body<RunningState> body = nullptr;
  int64_t extent = 1, inner = 1, column_blocks = 1;
  bool exclusive = false, reverse = false;
  Tiles tiles;  // of outer * column_blocks
};

struct Plus {
  template <class A>
  static A start() {
    return A{0};
  }
  template <class A>
  static A join(A a, A b) {
    return a + b;
  }
};
struct Times {
  template <class A>
  static A start() {
    return A{1};
  }
  template <class A>
  static A join(A a, A b) {
    return a * b;
  }
};

/// Integers are computed modulo 2^64, of which every smaller type keeps the low bits.
template <class T>
using Accumulator = std::conditional_t<std::is_same_v<Wide<T>, float>, float, uint64_t>;

template <class T, class Op>
void run_sequence_columns(const RunningState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  using A = Accumulator<T>;
  A total[kSequenceColumns];
  for (int64_t unit = s.tiles.begin(tile); unit < s.tiles.end(tile); ++unit) {
    const int64_t outer = unit / s.column_blocks, column = unit % s.column_blocks * kSequenceColumns;
    const int64_t count = std::min(kSequenceColumns, s.inner - column);
    const T* x = input<T>(buffers, 0) + outer * s.extent * s.inner + column;
    T* y = output<T>(buffers) + outer * s.extent * s.inner + column;
    std::fill_n(total, count, Op::template start<A>());
    for (int64_t i = 0; i < s.extent; ++i) {
      const int64_t row = (s.reverse ? s.extent - 1 - i : i) * s.inner;
      for (int64_t c = 0; c < count; ++c) {
        const A before = total[c];
        total[c] = Op::join(before, static_cast<A>(x[row + c]));
        y[row + c] = static_cast<T>(s.exclusive ? before : total[c]);
      }
    }
  }
}

bool accepts_running(const Call& call) {
  return one_of(NumberTypes{}, call.inputs[0].dtype) && same_dtype(call.inputs[0], call.outputs[0]) &&
         call.inputs[0].quant == nullptr && call.outputs[0].quant == nullptr;
}

template <class Op>
Prepared prepare_running(const Call& call, Weights&) {
  const AxisSplit split = split_at(call.inputs[0].shape, int_attribute(call.node.attributes, "axis", 0));
  RunningState s;
  s.exclusive = int_attribute(call.node.attributes, "exclusive", 0) != 0;
  s.reverse = int_attribute(call.node.attributes, "reverse", 0) != 0;
  s.extent = split.extent;
  s.inner = split.inner;
  s.column_blocks = (s.inner + kSequenceColumns - 1) / kSequenceColumns;
  visit(NumberTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_sequence_columns<T, Op>; });
  s.tiles = tile_rows(split.outer * s.column_blocks, s.extent * std::min(kSequenceColumns, s.inner));
  return make_tiled(std::move(s));
}

struct ReverseState {
  int64_t batches = 1, steps = 1, batch_stride = 0, step_stride = 0, run = 0;  // in bytes
  bool wide_lengths = true;
};

int64_t length_of(const ReverseState& s, const std::byte* lengths, int64_t batch) {
  const int64_t length = s.wide_lengths ? reinterpret_cast<const int64_t*>(lengths)[batch]
                                        : int64_t{reinterpret_cast<const int32_t*>(lengths)[batch]};
  return std::clamp<int64_t>(length, 0, s.steps);
}

void run_reverse(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const ReverseState& s = *static_cast<const ReverseState*>(prepared.state.get());
  const int64_t length = length_of(s, buffers[1].data, tile);
  for (int64_t step = 0; step < s.steps; ++step) {
    const int64_t from = step < length ? length - 1 - step : step;
    std::memcpy(buffers.back().data + tile * s.batch_stride + step * s.step_stride,
                buffers[0].data + tile * s.batch_stride + from * s.step_stride, static_cast<size_t>(s.run));
  }
}

bool accepts_reverse(const Call& call) {
  return same_dtype(call.inputs[0], call.outputs[0]) && same_quant(call.inputs[0], call.outputs[0]) &&
         whole_bytes(call.inputs[0].dtype) > 0;
}

Prepared prepare_reverse(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  ReverseState s;
  s.run = whole_bytes(call.inputs[0].dtype);
  for (size_t d = 2; d < x.size(); ++d) s.run *= x[d];
  const bool time_first = int_attribute(call.node.attributes, "time_axis", 0) == 0;
  s.steps = time_first ? x[0] : x[1];
  s.batches = time_first ? x[1] : x[0];
  s.step_stride = time_first ? x[1] * s.run : s.run;
  s.batch_stride = time_first ? s.run : x[1] * s.run;
  s.wide_lengths = call.inputs[1].dtype == DType::Int64;
  const int64_t tiles = s.batches;
  return make_prepared(s, tiles);
}

constexpr Kernel kSequenceKernels[] = {
    {"CumSum", "cum_sum_reference", 0, accepts_running, prepare_running<Plus>, run_body<RunningState>},
    {"CumProd", "cum_prod_reference", 0, accepts_running, prepare_running<Times>, run_body<RunningState>},
    {"ReverseSequence", "reverse_sequence_reference", 0, accepts_reverse, prepare_reverse, run_reverse},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_sequence_kernels() { return reference::kSequenceKernels; }

}  // namespace openrknn
