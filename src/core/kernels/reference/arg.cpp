// ArgMax and ArgMin: the first (or, with select_last_index, the last) position of the extreme along `axis`, as int64.
// Exact in every dtype; comparing codes is comparing the numbers they stand for. NaN never wins unless it stands first.
#include "core/kernels/reference/axis_split.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

constexpr int64_t kArgColumns = 256;

/// The tensor as [outer, extent, inner]; kArgColumns neighbouring columns are searched together.
struct ArgState {
  Body<ArgState> body = nullptr;
  int64_t extent = 1, inner = 1, column_blocks = 1;
  bool last_index = false;
  Tiles tiles;  // of outer * column_blocks
};

struct Larger {
  template <class T>
  static bool beats(T a, T b) {
    return a > b;
  }
};
struct Smaller {
  template <class T>
  static bool beats(T a, T b) {
    return a < b;
  }
};

template <class T, class Order>
void run_arg_columns(const ArgState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  Wide<T> best[kArgColumns];
  for (int64_t unit = s.tiles.begin(tile); unit < s.tiles.end(tile); ++unit) {
    const int64_t outer = unit / s.column_blocks, column = unit % s.column_blocks * kArgColumns;
    const int64_t count = std::min(kArgColumns, s.inner - column);
    const T* x = input<T>(buffers, 0) + outer * s.extent * s.inner + column;
    int64_t* y = output<int64_t>(buffers) + outer * s.inner + column;
    for (int64_t c = 0; c < count; ++c) {
      best[c] = static_cast<Wide<T>>(x[c]);
      y[c] = 0;
    }
    for (int64_t i = 1; i < s.extent; ++i) {
      const T* row = x + i * s.inner;
      for (int64_t c = 0; c < count; ++c) {
        const Wide<T> value = static_cast<Wide<T>>(row[c]);
        const bool wins = Order::beats(value, best[c]) | (s.last_index & (value == best[c]));
        best[c] = wins ? value : best[c];
        y[c] = wins ? i : y[c];
      }
    }
  }
}

bool accepts_arg(const Call& call) {
  return one_of(NumberTypes{}, call.inputs[0].dtype) && call.outputs[0].dtype == DType::Int64;
}

template <class Order>
Prepared prepare_arg(const Call& call, Weights&) {
  const AxisSplit split = split_at(call.inputs[0].shape, int_attribute(call.node.attributes, "axis", 0));
  ArgState s;
  s.last_index = int_attribute(call.node.attributes, "select_last_index", 0) != 0;
  s.extent = split.extent;
  s.inner = split.inner;
  s.column_blocks = (s.inner + kArgColumns - 1) / kArgColumns;
  visit(NumberTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_arg_columns<T, Order>; });
  s.tiles = tile_rows(split.outer * s.column_blocks, s.extent * std::min(kArgColumns, s.inner));
  return make_tiled(std::move(s));
}

constexpr Kernel kArgKernels[] = {
    {"ArgMax", "arg_max_reference", 0, accepts_arg, prepare_arg<Larger>, run_body<ArgState>},
    {"ArgMin", "arg_min_reference", 0, accepts_arg, prepare_arg<Smaller>, run_body<ArgState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_arg_kernels() { return reference::kArgKernels; }

}  // namespace openrknn
