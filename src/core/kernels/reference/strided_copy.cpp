#include "core/kernels/reference/strided_copy.h"

#include "core/kernels/reference/transpose_block.h"

namespace openrknn::reference {
namespace {

/// Side of the squares a transposition works in: both sides stay in the first-level cache.
constexpr int64_t kSquare = 32;

struct CopyState {
  Body<CopyState> body = nullptr;
  Broadcast rows;  // the view as operand 0
  int64_t base = 0;
  // Transposition: the input runs along dimension `run` of the output, the output along its last.
  Broadcast others;  // the remaining dimensions: operand 0 the input, operand 1 the output
  int64_t run_extent = 0, run_out_stride = 0, column_extent = 0, column_in_stride = 0, run_blocks = 0;
  Tiles tiles;
};

template <class T>
void copy_rows(const CopyState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T* x = input<T>(buffers, 0) + s.base;
  T* y = output<T>(buffers);
  const int64_t stride = s.rows.strides[0].back();
  for_rows(s.rows, s.tiles.begin(tile), s.tiles.end(tile),
           [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
             const T* from = x + at[0];
             T* to = y + position;
             if (stride == 1) {
               std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
             } else if (stride == 0) {
               std::fill_n(to, count, *from);
             } else if (stride == 2) {  // every other one: SpaceToDepth by 2, Slice by steps of 2
               constexpr int64_t kLanes = TransposeBlock<T>::kLanes;
               int64_t i = 0;
               for (; i + kLanes < count; i += kLanes) TransposeBlock<T>::every_other(from + 2 * i, to + i);
               for (; i < count; ++i) to[i] = from[2 * i];
             } else {
               for (int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
             }
           });
}

/// Runs of `kBytes`, each copied at once: rows too short for a call. The view is in bytes, a run one element.
template <int64_t kBytes>
void copy_runs(const CopyState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const std::byte* x = buffers[0].data + s.base;
  std::byte* y = buffers.back().data;
  const int64_t stride = s.rows.strides[0].back();
  for_rows(s.rows, s.tiles.begin(tile), s.tiles.end(tile),
           [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
             const std::byte* from = x + at[0];
             std::byte* to = y + position * kBytes;
             for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * kBytes, from + i * stride, kBytes);
           });
}
struct RunRow {
  int64_t bytes;
  Body<CopyState> body;
};
constexpr RunRow kRuns[] = {{2, copy_runs<2>},   {3, copy_runs<3>},   {4, copy_runs<4>},   {6, copy_runs<6>},
                            {8, copy_runs<8>},   {12, copy_runs<12>}, {16, copy_runs<16>}, {24, copy_runs<24>},
                            {32, copy_runs<32>}, {64, copy_runs<64>}};
const RunRow* find_run(int64_t bytes) {
  const auto* row = std::find_if(std::begin(kRuns), std::end(kRuns), [&](const RunRow& r) { return r.bytes == bytes; });
  return row == std::end(kRuns) ? nullptr : row;
}

/// Rows [begin, end) times `count` columns, in blocks of registers where there are enough of both.
template <class T>
void copy_square(const CopyState& s, const T* from, T* to, int64_t begin, int64_t end, int64_t count) {
  constexpr int64_t kLanes = TransposeBlock<T>::kLanes;
  const int64_t whole = count / kLanes * kLanes;
  int64_t r = begin;
  for (; r + kLanes <= end && whole > 0; r += kLanes) {
    for (int64_t column = 0; column < whole; column += kLanes) {
      TransposeBlock<T>::run(from + r + column * s.column_in_stride, s.column_in_stride,
                             to + r * s.run_out_stride + column, s.run_out_stride);
    }
    for (int64_t i = r; i < r + kLanes; ++i) {
      for (int64_t c = whole; c < count; ++c) to[i * s.run_out_stride + c] = from[i + c * s.column_in_stride];
    }
  }
  if (count == 2 && s.run_out_stride == 2) {  // two lines become pairs: DepthToSpace by 2
    for (; r + kLanes <= end; r += kLanes)
      TransposeBlock<T>::pairs(from + r, from + r + s.column_in_stride, to + 2 * r);
  }
  for (; r < end; ++r) {
    const T* source = from + r;
    T* target = to + r * s.run_out_stride;
    for (int64_t i = 0; i < count; ++i) target[i] = source[i * s.column_in_stride];
  }
}

template <class T>
void copy_squares(const CopyState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T* x = input<T>(buffers, 0) + s.base;
  T* y = output<T>(buffers);
  for (int64_t unit = s.tiles.begin(tile); unit < s.tiles.end(tile); ++unit) {
    const int64_t other = unit / s.run_blocks, begin = unit % s.run_blocks * kSquare;
    const int64_t end = std::min(s.run_extent, begin + kSquare);
    for_rows(s.others, other, other + 1, [&](int64_t, int64_t, const std::array<int64_t, kMaxOperands>& at) {
      const T* from = x + at[0];
      T* to = y + at[1];
      for (int64_t column = 0; column < s.column_extent; column += kSquare) {
        copy_square(s, from + column * s.column_in_stride, to + column, begin, end,
                    std::min(kSquare, s.column_extent - column));
      }
    });
  }
}

/// Drops extents of 1 and merges neighbours that are one longer run.
StridedView simplify(const StridedView& view) {
  StridedView simple;
  simple.base = view.base;
  for (size_t d = 0; d < view.extents.size(); ++d) {
    if (view.extents[d] == 1) continue;
    if (!simple.extents.empty() && simple.strides.back() == view.strides[d] * view.extents[d]) {
      simple.extents.back() *= view.extents[d];
      simple.strides.back() = view.strides[d];
    } else {
      simple.extents.push_back(view.extents[d]);
      simple.strides.push_back(view.strides[d]);
    }
  }
  if (simple.extents.empty()) {
    simple.extents = {1};
    simple.strides = {1};
  }
  return simple;
}

}  // namespace

Prepared prepare_strided_copy(StridedView view, int64_t bytes) {
  view = simplify(view);
  CopyState s;
  if (const RunRow* run = find_run(view.extents.back() * bytes);
      run != nullptr && view.extents.size() > 1 && view.strides.back() == 1) {
    view.extents.pop_back();
    view.strides.pop_back();
    for (int64_t& stride : view.strides) stride *= bytes;
    s.body = run->body;
    s.base = view.base * bytes;
    s.rows.extents = view.extents;
    s.rows.strides[0] = view.strides;
    s.rows.total = element_count(view.extents);
    s.tiles = {s.rows.total, std::max<int64_t>(1, kTileElements * bytes / run->bytes)};
    const int64_t tiles = s.tiles.count();
    return make_prepared(std::move(s), tiles);
  }
  s.base = view.base;
  s.rows.extents = view.extents;
  s.rows.strides[0] = view.strides;
  s.rows.total = element_count(view.extents);
  s.tiles = {s.rows.total};
  const size_t last = view.extents.size() - 1;
  const size_t run = static_cast<size_t>(std::find(view.strides.begin(), view.strides.end(), 1) - view.strides.begin());
  // Pairs are better taken apart: every other element, twice.
  const bool pairs = run < last && view.extents[run] == 2 && view.strides[last] == 2;
  const bool squares = run < last && view.strides[last] > 1 && !pairs && s.rows.total > 0;
  if (squares) {
    const Shape out_strides = strides_of(view.extents);
    s.others.extents = {1};
    s.others.strides[0] = s.others.strides[1] = {0};
    for (size_t d = 0; d < last; ++d) {
      if (d == run) continue;
      s.others.extents.push_back(view.extents[d]);
      s.others.strides[0].push_back(view.strides[d]);
      s.others.strides[1].push_back(out_strides[d]);
    }
    s.run_extent = view.extents[run];
    s.run_out_stride = out_strides[run];
    s.run_blocks = (s.run_extent + kSquare - 1) / kSquare;
    s.column_extent = view.extents[last];
    s.column_in_stride = view.strides[last];
    s.tiles = tile_rows(element_count(s.others.extents) * s.run_blocks, kSquare * s.column_extent);
  }
  visit_size(bytes, [&]<class T>(Tag<T>) { s.body = squares ? copy_squares<T> : copy_rows<T>; });
  return make_tiled(std::move(s));
}

void run_strided_copy(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  run_body<CopyState>(prepared, buffers, tile, scratch);
}

}  // namespace openrknn::reference
