#include "core/executor/memory_order.h"

#include <algorithm>
#include <cstring>

namespace openrknn {
namespace {

constexpr int64_t kSquareSide = 32;         // side of the square that a transposing plane is walked in
constexpr int64_t kTileBytes = 128 * 1024;  // smallest piece worth another thread

// Appends an outer-to-inner loop, joining it with the last one where that runs on into it.
void append(MemoryOrder& loops, int64_t extent, int64_t stride) {
  if (extent == 1) return;
  if (!loops.empty() && loops.back().stride == stride * extent) {
    loops.back() = {loops.back().extent * extent, stride};
  } else {
    loops.push_back({extent, stride});
  }
}

bool has_no_elements(const Shape& shape) { return std::find(shape.begin(), shape.end(), 0) != shape.end(); }

/// How far one step along each logical dimension goes in the memory of `form`.
std::vector<int64_t> memory_strides(const Shape& logical, Form form) {
  const std::vector<int> order = physical_order(form.layout, static_cast<int64_t>(logical.size()));
  const Shape physical = strides_of(permute(logical, order));
  std::vector<int64_t> strides(logical.size());
  for (size_t i = 0; i < order.size(); ++i) strides[static_cast<size_t>(order[i])] = physical[i];
  return strides;
}

// A few columns (an image's channels): whole rows at once, so that the compiler can interleave them.
template <int kColumns, class T>
void copy_narrow_plane(const T* in, T* out, int64_t in_column, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int c = 0; c < kColumns; ++c) out[r * kColumns + c] = in[c * in_column + r];
  }
}

template <class T>
void copy_plane(const T* in, T* out, int64_t in_column, int64_t out_row, int64_t rows, int64_t columns) {
  // Rows are neighbours in the input, columns in the output.
  if (columns == 3 && out_row == 3) return copy_narrow_plane<3>(in, out, in_column, rows);
  if (columns == 4 && out_row == 4) return copy_narrow_plane<4>(in, out, in_column, rows);
  for (int64_t c0 = 0; c0 < columns; c0 += kSquareSide) {
    const int64_t c1 = std::min(columns, c0 + kSquareSide);
    for (int64_t r = 0; r < rows; ++r) {
      const T* source = in + r;
      T* target = out + r * out_row;
      for (int64_t c = c0; c < c1; ++c) target[c] = source[c * in_column];
    }
  }
}

template <class T>
void copy_strided_row(const T* in, T* out, int64_t stride, int64_t columns) {
  for (int64_t c = 0; c < columns; ++c) out[c] = in[c * stride];
}

template <class T>
void copy_tile_of(const FormCopy& copy, const T* in, T* out, int64_t tile) {
  const int64_t depth = static_cast<int64_t>(copy.loops.size());
  const Loop columns = depth > 0 ? copy.loops.back() : Loop{1, 1};
  const int64_t rows = copy.row_loop >= 0 ? copy.loops[static_cast<size_t>(copy.row_loop)].extent : 1;
  const int64_t row_in = copy.row_loop >= 0 ? copy.loops[static_cast<size_t>(copy.row_loop)].stride : 0;
  int64_t row_out = columns.extent;
  for (int64_t i = copy.row_loop + 1; copy.row_loop >= 0 && i + 1 < depth; ++i) {
    row_out *= copy.loops[static_cast<size_t>(i)].extent;
  }
  const int64_t units_per_plane = (rows + copy.rows_per_unit - 1) / copy.rows_per_unit;
  const int64_t end = std::min(copy.units, (tile + 1) * copy.units_per_tile);
  for (int64_t unit = tile * copy.units_per_tile; unit < end; ++unit) {
    const int64_t first_row = unit % units_per_plane * copy.rows_per_unit;
    const int64_t row_count = std::min(copy.rows_per_unit, rows - first_row);
    int64_t rest = unit / units_per_plane, in_at = first_row * row_in, out_at = first_row * row_out;
    int64_t out_stride = columns.extent;
    for (int64_t i = depth - 2; i >= 0; --i) {  // where the plane lies
      const Loop& loop = copy.loops[static_cast<size_t>(i)];
      if (i != copy.row_loop) {
        in_at += rest % loop.extent * loop.stride;
        out_at += rest % loop.extent * out_stride;
        rest /= loop.extent;
      }
      out_stride *= loop.extent;
    }
    if (columns.stride == 1) {
      for (int64_t r = 0; r < row_count; ++r) {
        std::memcpy(out + out_at + r * row_out, in + in_at + r * row_in,
                    static_cast<size_t>(columns.extent) * sizeof(T));
      }
    } else if (row_in == 1) {
      copy_plane(in + in_at, out + out_at, columns.stride, row_out, row_count, columns.extent);
    } else {
      for (int64_t r = 0; r < row_count; ++r) {
        copy_strided_row(in + in_at + r * row_in, out + out_at + r * row_out, columns.stride, columns.extent);
      }
    }
  }
}

void run_form_copy(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  copy_tile(*static_cast<const FormCopy*>(prepared.state.get()), buffers[0].data, buffers[1].data, tile);
}

}  // namespace

Shape unsqueezed(const Shape& logical, Form form) {
  Shape shape = logical;
  while (static_cast<int64_t>(shape.size()) < form.rank) shape.insert(shape.begin(), 1);
  return shape;
}

Shape physical_shape(const Shape& logical, Form form) { return physical_shape(unsqueezed(logical, form), form.layout); }

MemoryOrder memory_order(const Shape& logical, Form form) {
  if (has_no_elements(logical)) return {};
  const Shape shape = unsqueezed(logical, form);
  const Shape strides = strides_of(shape);
  MemoryOrder loops;
  for (const int d : physical_order(form.layout, form.rank)) {
    append(loops, shape[static_cast<size_t>(d)], strides[static_cast<size_t>(d)]);
  }
  return loops;
}

MemoryOrder transposed_order(const Shape& input, const std::vector<int64_t>& perm, Form output) {
  if (has_no_elements(input)) return {};
  const Shape strides = strides_of(input);
  MemoryOrder loops;
  for (const int d : physical_order(output.layout, output.rank)) {
    const size_t source = static_cast<size_t>(perm[static_cast<size_t>(d)]);
    append(loops, input[source], strides[source]);
  }
  return loops;
}

FormCopy form_copy(const Shape& logical, Form from, Form to, int64_t element_bytes) {
  FormCopy copy;
  copy.element_bytes = element_bytes;
  if (has_no_elements(logical)) {
    copy.units = 0;
    return copy;
  }
  // `from` may have a lower rank than `to`: the dimensions put in front have extent 1 and are left out.
  const Shape shape = unsqueezed(logical, to);
  std::vector<int64_t> strides = memory_strides(unsqueezed(logical, from), from);
  strides.insert(strides.begin(), shape.size() - strides.size(), 0);
  for (const int d : physical_order(to.layout, to.rank)) {
    append(copy.loops, shape[static_cast<size_t>(d)], strides[static_cast<size_t>(d)]);
  }
  if (copy.loops.size() == 1 && copy.loops[0].stride == 1) {  // a plain copy: cut it into rows of its own
    const int64_t row = std::max<int64_t>(1, kTileBytes / element_bytes), count = copy.loops[0].extent;
    if (count > row && count % row == 0) copy.loops = {{count / row, row}, {row, 1}};
  }
  const int64_t depth = static_cast<int64_t>(copy.loops.size());
  for (int64_t i = 0; i + 1 < depth; ++i) {
    if (copy.loops[static_cast<size_t>(i)].stride == 1) copy.row_loop = i;
  }
  if (copy.row_loop < 0 && depth >= 2) copy.row_loop = depth - 2;
  const int64_t columns = depth > 0 ? copy.loops.back().extent : 1;
  const int64_t rows = copy.row_loop >= 0 ? copy.loops[static_cast<size_t>(copy.row_loop)].extent : 1;
  int64_t planes = 1;
  for (int64_t i = 0; i + 1 < depth; ++i) {
    if (i != copy.row_loop) planes *= copy.loops[static_cast<size_t>(i)].extent;
  }
  copy.rows_per_unit = std::min(rows, columns < kSquareSide ? kSquareSide * kSquareSide / columns : kSquareSide);
  copy.units = planes * ((rows + copy.rows_per_unit - 1) / copy.rows_per_unit);
  copy.units_per_tile = std::max<int64_t>(1, kTileBytes / (copy.rows_per_unit * columns * element_bytes));
  return copy;
}

int64_t tile_count(const FormCopy& copy) { return (copy.units + copy.units_per_tile - 1) / copy.units_per_tile; }

void copy_tile(const FormCopy& copy, const std::byte* in, std::byte* out, int64_t tile) {
  const auto run = [&]<class T>(T) {
    copy_tile_of(copy, reinterpret_cast<const T*>(in), reinterpret_cast<T*>(out), tile);
  };
  if (copy.element_bytes == 1) return run(uint8_t{});
  if (copy.element_bytes == 2) return run(uint16_t{});
  if (copy.element_bytes == 4) return run(uint32_t{});
  run(uint64_t{});
}

const Kernel& form_copy_kernel() {
  static constexpr Kernel row{.op = "(layout)", .name = "form_copy", .run = run_form_copy};
  return row;
}

Prepared prepare_form_copy(FormCopy copy) {
  Prepared prepared;
  prepared.tiles = tile_count(copy);
  prepared.state = std::make_shared<const FormCopy>(std::move(copy));
  return prepared;
}

}  // namespace openrknn
