// MatMul and Conv on integers that stand for themselves (MatMulInteger, ConvInteger, QLinearMatMul). The numbers of a
// row, and those of the second operand, mostly lie within 256: codes less a zero point. They are codes and a shift
// again here, for the products of bytes. What an output pixel multiplies is gathered to one row first.
#include <algorithm>
#include <cstring>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::present;
using reference::Window;

constexpr int64_t kMostIntegerRows = 96;  // of a tile: its codes stay in the second-level cache
constexpr int64_t kMostColumns = 256;     // of a tile: whole panels of every CPU, worth narrowing the rows for

struct IntegerLayer {
  const Gemm* gemm = nullptr;
  Window window;  // convolutions
  bool is_matmul = false;
  int64_t images = 1, rows = 1, depth = 1, columns = 1, groups = 1;  // columns: of one group
  std::vector<int64_t> a_offsets, b_offsets;                         // MatMul: elements, per image
  Weights::Packed packed;                                            // by group; null: b is computed
  int32_t b_shift = 0;
  int64_t row_block = 1, row_blocks = 1, column_blocks = 1;
  int64_t codes_at = 0, row_at = 0, narrow_at = 0, rows_at = 0, outputs_at = 0, shifts_at = 0, sums_at = 0;
  int64_t partial_at = 0, matrix_at = 0, panels_at = 0, column_at = 0;

  int64_t panel_columns() const { return 2 * gemm->lanes; }
  int64_t panel_bytes() const { return (depth + gemm->group - 1) / gemm->group * panel_columns() * 4; }
  static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
  int64_t padded(int64_t count) const { return divide_up(count, panel_columns()) * panel_columns(); }
  int64_t panels_bytes(int64_t count) const { return divide_up(count, panel_columns()) * panel_bytes(); }
  /// Panels of a constant group, then the sums of its columns.
  int64_t group_bytes() const { return panels_bytes(columns) + padded(columns) * 4; }
  /// Elements between the codes of rows: whole groups.
  int64_t row_stride() const { return divide_up(depth, gemm->group) * gemm->group; }
};

/// What must be taken off numbers from `low` to `high` to make codes of them; nullopt: they are too far apart.
std::optional<int32_t> shift_of(int64_t low, int64_t high) {
  if (high - low > 255) return std::nullopt;
  return static_cast<int32_t>(low >= INT8_MIN && high <= INT8_MAX ? 0 : std::min<int64_t>(low + 128, INT32_MAX - 127));
}
std::optional<int32_t> shift_of(std::span<const int32_t> values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return shift_of(*low, *high);
}
std::span<const int32_t> integers_of(const Tensor& tensor) {
  return {reinterpret_cast<const int32_t*>(tensor.bytes().data()), tensor.bytes().size() / sizeof(int32_t)};
}

bool fits_integers(const Call& call) {
  const Operand &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  const bool plain = (a.dtype == DType::Int32 || a.dtype == DType::UInt32) && !a.quant && !y.quant;
  if (!plain || !reference::same_dtype(a, y) || !reference::same_dtype(a, b) || element_count(a.shape) == 0 ||
      element_count(y.shape) == 0 || has_attribute(call.node.attributes, "activation")) {
    return false;
  }
  if (present(call.inputs, 2) && !reference::same_dtype(call.inputs[2], y)) return false;
  return b.constant == nullptr || shift_of(integers_of(*b.constant));
}
bool accepts_integer_matmul(const Call& call) {
  return !call.inputs[0].shape.empty() && !call.inputs[1].shape.empty() && fits_integers(call);
}
bool accepts_integer_conv(const Call& call) {
  const Operand& w = call.inputs[1];
  return reference::window_fits(call.inputs[0], call.outputs[0]) && w.constant != nullptr &&
         w.shape[0] / int_attribute(call.node.attributes, "group", 1) >= kLeastPanelColumns && fits_integers(call);
}

// ---- The second operand ----

void pack_panels(const IntegerLayer& s, const int8_t* matrix, int64_t columns, int32_t shift, std::byte* panels,
                 int32_t* column) {
  const int64_t width = s.panel_columns(), lanes = s.gemm->lanes;
  for (int64_t first = 0; first < columns; first += width, panels += s.panel_bytes(), column += width) {
    const int64_t vectors = columns - first > lanes ? 2 : 1;
    s.gemm->pack_codes(matrix + first, columns, s.depth, vectors, panels, column);
    const uint32_t shifts = static_cast<uint32_t>(s.depth) * static_cast<uint32_t>(shift);
    for (int64_t c = 0; c < vectors * lanes; ++c)
      column[c] = static_cast<int32_t>(static_cast<uint32_t>(column[c]) + shifts);
  }
}
/// `at(group, k, column)`: index into the constant.
template <class At>
void pack_constant(IntegerLayer& s, const Call& call, Weights& cache, At at) {
  const Tensor& b = *call.inputs[1].constant;
  const std::span<const int32_t> values = integers_of(b);
  s.b_shift = *shift_of(values);
  std::string key = "fast_integers " + call.node.op + ' ' + Weights::identity(b);
  for (const int64_t number :
       {s.groups, int64_t{s.gemm->lanes}, int64_t{s.gemm->group}, int64_t{s.gemm->interleaved}}) {
    key += ' ' + std::to_string(number);
  }
  s.packed = cache.get(key, [&] {
    std::vector<std::byte> bytes(static_cast<size_t>(s.groups * s.group_bytes() + 64));
    std::vector<int8_t> matrix(static_cast<size_t>(s.depth * s.columns + 64));
    for (int64_t g = 0; g < s.groups; ++g) {
      for (int64_t k = 0; k < s.depth; ++k) {
        for (int64_t c = 0; c < s.columns; ++c) {
          matrix[static_cast<size_t>(k * s.columns + c)] =
              static_cast<int8_t>(values[static_cast<size_t>(at(g, k, c))] - s.b_shift);
        }
      }
      std::byte* panels = bytes.data() + g * s.group_bytes();
      pack_panels(s, matrix.data(), s.columns, s.b_shift, panels,
                  reinterpret_cast<int32_t*>(panels + s.panels_bytes(s.columns)));
    }
    return bytes;
  });
}

// ---- One tile ----

struct Operand2 {
  const std::byte* panels = nullptr;
  const int32_t* column = nullptr;
  int32_t shift = 0;
};
/// Columns first … of a computed matrix, packed to scratch; nullopt: they are no codes.
std::optional<Operand2> pack_computed(const IntegerLayer& s, const int32_t* b, int64_t first, int64_t count,
                                      std::byte* scratch) {
  int32_t low = b[first], high = low;
  for (int64_t k = 0; k < s.depth; ++k) {
    int32_t row_low, row_high;
    s.gemm->range_of(b + k * s.columns + first, count, &row_low, &row_high);
    low = std::min(low, row_low);
    high = std::max(high, row_high);
  }
  const std::optional<int32_t> shift = shift_of(low, high);
  if (!shift) return std::nullopt;
  auto* matrix = reinterpret_cast<int8_t*>(scratch + s.matrix_at);
  for (int64_t k = 0; k < s.depth; ++k) {
    s.gemm->narrow_integers(b + k * s.columns + first, matrix + k * count, count, *shift);
  }
  auto* column = reinterpret_cast<int32_t*>(scratch + s.column_at);
  pack_panels(s, matrix, count, *shift, scratch + s.panels_at, column);
  return Operand2{scratch + s.panels_at, column, *shift};
}

struct IntegerTile {
  int64_t image = 0, group = 0, row = 0, rows = 0, column = 0, columns = 0;
};
IntegerTile tile_of(const IntegerLayer& s, int64_t tile) {
  IntegerTile t;
  t.column = tile % s.column_blocks * kMostColumns;
  t.columns = std::min(kMostColumns, s.columns - t.column);
  tile /= s.column_blocks;
  t.row = tile % s.row_blocks * s.row_block;
  t.rows = std::min(s.row_block, s.rows - t.row);
  tile /= s.row_blocks;
  t.group = tile % s.groups;
  t.image = tile / s.groups;
  return t;
}

/// The numbers one output multiplies, gathered where they do not lie together.
const int32_t* row_of(const IntegerLayer& s, const IntegerTile& t, const int32_t* a, int64_t row, int32_t* gathered) {
  if (s.is_matmul) return a + s.a_offsets[static_cast<size_t>(t.image)] + row * s.depth;
  const int64_t width = s.window.axes[2].out, channels = s.window.in_channels / s.groups;
  std::fill_n(gathered, s.depth, 0);
  for_taps(s.window, row / width, row % width, [&](int64_t tap, int64_t pixel) {
    std::copy_n(a + pixel * s.window.in_channels + t.group * channels, channels, gathered + tap * channels);
  });
  return gathered;
}
/// The tile's columns for numbers that are no codes, as the reference computes them.
void multiply_plainly(const IntegerLayer& s, const IntegerTile& t, const uint32_t* row, const uint32_t* b,
                      const uint32_t* bias, uint32_t* y) {
  const int64_t taps = s.window.taps(), channels = s.window.in_channels / s.groups;
  for (int64_t c = 0; c < t.columns; ++c) y[c] = bias ? bias[c] : 0;
  if (s.is_matmul) {
    b += s.b_offsets[static_cast<size_t>(t.image)] + t.column;
    for (int64_t k = 0; k < s.depth; ++k) {
      for (int64_t c = 0; c < t.columns; ++c) y[c] += row[k] * b[k * s.columns + c];
    }
    return;
  }
  for (int64_t c = 0; c < t.columns; ++c) {
    const uint32_t* w = b + (t.group * s.columns + t.column + c) * s.depth;
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t channel = 0; channel < channels; ++channel) {
        y[c] += row[tap * channels + channel] * w[channel * taps + tap];
      }
    }
  }
}

void run_integer_layers(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const auto& s = *static_cast<const IntegerLayer*>(prepared.state.get());
  const IntegerTile t = tile_of(s, tile);
  const int32_t *a = reference::input<int32_t>(buffers, 0), *b = reference::input<int32_t>(buffers, 1);
  const int32_t* bias = buffers.size() > 3 ? reference::input<int32_t>(buffers, 2) : nullptr;
  const int64_t first = t.group * s.columns + t.column;  // of all columns
  if (bias) bias += first;

  std::optional<Operand2> second;
  if (s.packed) {
    const std::byte* panels = s.packed->data() + t.group * s.group_bytes();
    second = Operand2{panels + s.panels_bytes(t.column),
                      reinterpret_cast<const int32_t*>(panels + s.panels_bytes(s.columns)) + t.column, s.b_shift};
  } else {
    second = pack_computed(s, b + s.b_offsets[static_cast<size_t>(t.image)], t.column, t.columns, scratch);
  }

  const int64_t code_bytes = s.gemm->activation_bytes;
  auto* gathered = reinterpret_cast<int32_t*>(scratch + s.row_at);
  auto* narrow = reinterpret_cast<int8_t*>(scratch + s.narrow_at);
  auto** inputs = reinterpret_cast<const void**>(scratch + s.rows_at);
  auto** outputs = reinterpret_cast<void**>(scratch + s.outputs_at);
  auto* shifts = reinterpret_cast<int32_t*>(scratch + s.shifts_at);
  bool plain[kMostIntegerRows];
  bool any_codes = false;
  for (int64_t i = 0; i < t.rows; ++i) {
    const int64_t row = t.row + i;
    const int32_t* values = row_of(s, t, a, row, gathered);
    int32_t low, high;
    s.gemm->range_of(values, s.depth, &low, &high);
    const std::optional<int32_t> shift = shift_of(low, high);
    std::byte* codes = scratch + s.codes_at + i * s.row_stride() * code_bytes;
    inputs[i] = codes;
    outputs[i] = buffers.back().data + ((t.image * s.rows + row) * s.groups * s.columns + first) * 4;
    plain[i] = !second || !shift;
    shifts[i] = 0;
    if (plain[i]) continue;
    any_codes = true;
    const bool converts = s.gemm->convert_codes != nullptr;
    s.gemm->narrow_integers(values, converts ? narrow : reinterpret_cast<int8_t*>(codes), s.depth, *shift);
    if (converts) s.gemm->convert_codes(narrow, codes, s.depth);
    // Codes are stored with the offset as well, which their shift takes off.
    shifts[i] = static_cast<int32_t>(static_cast<uint32_t>(*shift) - static_cast<uint32_t>(s.gemm->code_offset));
  }
  if (any_codes) {
    const IntegerSums integers{shifts, second->column, bias, second->shift};
    GemmTile task;
    task.inputs = inputs;
    task.rows = t.rows;
    task.block_rows = IntegerLayer::divide_up(t.rows, IntegerLayer::divide_up(t.rows, s.gemm->rows));
    task.runs = 1;
    task.run_length = s.depth;
    task.weights = second->panels;
    task.columns = t.columns;
    task.outputs = outputs;
    task.partial = scratch + s.partial_at;
    task.sums = reinterpret_cast<int32_t*>(scratch + s.sums_at);
    task.integers = &integers;
    s.gemm->run(task);
  }
  for (int64_t i = 0; i < t.rows; ++i) {
    if (!plain[i]) continue;
    const int32_t* values = row_of(s, t, a, t.row + i, gathered);
    multiply_plainly(s, t, reinterpret_cast<const uint32_t*>(values), reinterpret_cast<const uint32_t*>(b),
                     reinterpret_cast<const uint32_t*>(bias), static_cast<uint32_t*>(outputs[i]));
  }
}

// ---- Preparation ----

Prepared finish(IntegerLayer s) {
  using IL = IntegerLayer;
  s.row_blocks = IL::divide_up(s.rows, kMostIntegerRows);
  s.row_block = IL::divide_up(s.rows, s.row_blocks);
  s.row_blocks = IL::divide_up(s.rows, s.row_block);
  s.column_blocks = IL::divide_up(s.columns, kMostColumns);
  const int64_t columns = std::min(s.columns, kMostColumns);
  reference::ScratchLayout scratch;
  s.codes_at = scratch.add<std::byte>(s.row_block * s.row_stride() * s.gemm->activation_bytes + 64);
  s.row_at = scratch.add<int32_t>(s.is_matmul ? 0 : s.depth);
  s.narrow_at = scratch.add<int8_t>(s.gemm->convert_codes == nullptr ? 0 : s.depth + 64);
  s.rows_at = scratch.add<void*>(s.row_block);
  s.outputs_at = scratch.add<void*>(s.row_block);
  s.shifts_at = scratch.add<int32_t>(s.row_block);
  s.sums_at = scratch.add<int32_t>(s.row_block);
  s.partial_at = scratch.add<int32_t>(s.row_block * s.panel_columns());
  if (!s.packed) {
    s.matrix_at = scratch.add<int8_t>(s.depth * columns + 64);
    s.panels_at = scratch.add<std::byte>(s.panels_bytes(columns));
    s.column_at = scratch.add<int32_t>(s.padded(columns));
  }
  const int64_t tiles = s.images * s.groups * s.row_blocks * s.column_blocks;
  return reference::make_prepared(std::move(s), tiles, scratch.bytes());
}

template <const InnerLoops& kLoops>
Prepared prepare_integer_matmul(const Call& call, Weights& cache) {
  Shape a = call.inputs[0].shape, b = call.inputs[1].shape;
  if (a.size() == 1) a.insert(a.begin(), 1);  // numpy: a vector is a row on the left, a column on the right
  if (b.size() == 1) b.push_back(1);
  IntegerLayer s;
  s.gemm = &kLoops.gemm_codes;
  s.is_matmul = true;
  s.rows = a[a.size() - 2];
  s.depth = a.back();
  s.columns = b.back();
  const Shape a_batch(a.begin(), a.end() - 2), b_batch(b.begin(), b.end() - 2);
  const Shape batch = *broadcast(a_batch, b_batch);
  const bool one_b = element_count(b_batch) == 1;
  if (one_b) {
    s.rows *= element_count(a_batch);
    s.a_offsets = s.b_offsets = {0};
  } else {
    s.images = element_count(batch);
    const auto a_strides = reference::broadcast_strides(a_batch, batch);
    const auto b_strides = reference::broadcast_strides(b_batch, batch);
    for (int64_t i = 0; i < s.images; ++i) {
      s.a_offsets.push_back(reference::broadcast_offset(i, batch, a_strides) * s.rows * s.depth);
      s.b_offsets.push_back(reference::broadcast_offset(i, batch, b_strides) * s.depth * s.columns);
    }
  }
  if (one_b && call.inputs[1].constant) {
    pack_constant(s, call, cache, [&](int64_t, int64_t k, int64_t c) { return k * s.columns + c; });
  }
  return finish(std::move(s));
}

template <const InnerLoops& kLoops>
Prepared prepare_integer_conv(const Call& call, Weights& cache) {
  const Shape& w = call.inputs[1].shape;
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  IntegerLayer s;
  s.gemm = &kLoops.gemm_codes;
  s.window = reference::make_window(call.node, call.inputs[0], call.outputs[0], kernel, false);
  s.groups = int_attribute(call.node.attributes, "group", 1);
  s.columns = s.window.out_channels / s.groups;
  s.rows = s.window.out_rows() * s.window.axes[2].out;
  const int64_t taps = s.window.taps(), channels = s.window.in_channels / s.groups;
  s.depth = taps * channels;
  pack_constant(s, call, cache, [&](int64_t g, int64_t k, int64_t c) {
    return ((g * s.columns + c) * channels + k % channels) * taps + k / channels;
  });
  return finish(std::move(s));
}

#define ROWS(cpu, name, needs)                                                                                    \
  {"MatMul",          "matmul_integer_" name, needs, accepts_integer_matmul, prepare_integer_matmul<cpu::kLoops>, \
   run_integer_layers},                                                                                           \
      {"Conv",                                                                                                    \
       "conv_integer_" name,                                                                                      \
       needs,                                                                                                     \
       accepts_integer_conv,                                                                                      \
       prepare_integer_conv<cpu::kLoops>,                                                                         \
       run_integer_layers},
constexpr Kernel kIntegerLayersKernels[] = {OPENRKNN_FAST_CODE_CPUS(ROWS) OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_integer_layers_kernels() { return fast::kIntegerLayersKernels; }
}  // namespace openrknn
