// The matrix product's register tile, one template for every element type and CPU kind.
//
// A block of rows times a panel of two vectors of columns lives in registers while k runs over all of its range once.
// Each k step loads two weight vectors and one broadcast activation a row. So every output has one accumulator and sees
// k ascending: the float result is the reference's, bit for bit.
#pragma once

#include "core/kernels/fast/activation_loops.h"
#include "core/kernels/fast/integer_loops.h"
#include "core/kernels/fast/requantize_loops.h"

namespace openrknn::fast {

template <class Isa_>
struct FloatProduct {
  using Isa = Isa_;
  using Sum = Floats<Isa>;
  using Input = float;
  static constexpr int kRows = Isa::kFloatRows, kGroup = 1;
  OPENRKNN_INLINE static Sum broadcast(const Input* from) { return Sum(*from); }
  OPENRKNN_INLINE static Sum multiply_add(Sum sum, Sum weights, Sum input) { return fma(input, weights, sum); }
};

template <class Isa_>
struct CodeProduct {
  using Isa = Isa_;
  using Sum = Ints<Isa>;
  using Input = typename Isa::Code;
  static constexpr int kRows = Isa::kIntRows, kGroup = Isa::kGroup;
  static_assert(kGroup * sizeof(Input) == 4, "a group of activations is broadcast as one int32");
  OPENRKNN_INLINE static Sum broadcast(const Input* from) {
    int32_t group;
    __builtin_memcpy(&group, from, sizeof(group));
    return Sum(group);
  }
  OPENRKNN_INLINE static Sum multiply_add(Sum sum, Sum weights, Sum input) {
    return Sum(Isa::dot(sum.raw, weights.raw, input.raw));
  }
};

/// Part of the range of k: some stretches whole, or a part of one stretch.
struct Chunk {
  int64_t run = 0, runs = 0;   ///< stretches
  int64_t first = 0, end = 0;  ///< activations within each
};

/// `rows` and `vectors` sized register tile: adds the chunk to sums[row][vector].
template <class Product, int kRows, int kVectors>
OPENRKNN_INLINE void multiply_block(const void* const* inputs, int64_t stride, const Chunk& chunk,
                                    const std::byte* weights, typename Product::Sum (&sums)[kRows][kVectors]) {
  using Sum = typename Product::Sum;
  using Input = typename Product::Input;
  constexpr int kBytes = Product::Isa::kBytes;
  const int64_t first = chunk.first, end = chunk.end;
  inputs += chunk.run * stride;
  for (int64_t run = 0; run < chunk.runs; ++run, inputs += stride) {
    const Input* from[kRows];
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) from[row] = static_cast<const Input*>(inputs[row]);
    for (int64_t k = first; k < end; k += Product::kGroup) {
      Sum w[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) w[v] = load<Sum>(weights + v * kBytes);
      weights += kVectors * kBytes;
#pragma GCC unroll 16
      for (int row = 0; row < kRows; ++row) {
        const Sum input = Product::broadcast(from[row] + k);
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sums[row][v] = Product::multiply_add(sums[row][v], w[v], input);
      }
    }
  }
}

/// What one block of rows needs to know about the panel of columns it is computing.
struct Panel {
  const std::byte* weights;        ///< of the chunk
  int64_t first = 0, columns = 0;  ///< within the tile
  Chunk chunk = {};
  bool starts = true, ends = true;  ///< the chunk is the first, the last of the range of k
};

/// Bias, then the cheap activations in registers; the curved ones and Float16 go over the stored row once more.
template <class Isa, int kRows, int kVectors>
OPENRKNN_INLINE void finish_block(const GemmTile& tile, const Panel& panel, int64_t first_row,
                                  Floats<Isa> (&sums)[kRows][kVectors]) {
  using V = Floats<Isa>;
  if (tile.bias) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const V bias = load<V>(tile.bias + panel.first + v * V::kLanes);
#pragma GCC unroll 16
      for (int row = 0; row < kRows; ++row) sums[row][v] = sums[row][v] + bias;
    }
  }
  const Function function = tile.activation.function;
  if (function == Function::Relu) {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[row][v] = select(sums[row][v] < V(0.0f), V(0.0f), sums[row][v]);
    }
  } else if (function == Function::Clip) {
    const V low(tile.activation.low), high(tile.activation.high);
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[row][v] = clip(sums[row][v], low, high);
    }
  }
  const bool in_registers = function == Function::Identity || function == Function::Relu || function == Function::Clip;
  if (in_registers && !tile.half) {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
      float* out = static_cast<float*>(tile.outputs[first_row + row]) + panel.first;
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        const int64_t left = panel.columns - v * V::kLanes;
        if (left >= V::kLanes)
          store(out + v * V::kLanes, sums[row][v]);
        else if (left > 0)
          store_first(out + v * V::kLanes, sums[row][v], left);
      }
    }
    return;
  }
  float rows[kRows][kVectors * V::kLanes];
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) store(&rows[row][v * V::kLanes], sums[row][v]);
  }
  if (!in_registers) apply_activation<Isa>(tile.activation, rows[0], rows[0], kRows * kVectors * V::kLanes);
  for (int row = 0; row < kRows; ++row) {
    if (tile.half) {
      float_to_half<Isa>(rows[row], static_cast<uint16_t*>(tile.outputs[first_row + row]) + panel.first, panel.columns);
    } else {
      float* out = static_cast<float*>(tile.outputs[first_row + row]) + panel.first;
      map_floats<Isa>(rows[row], out, panel.columns, [](V x) { return x; });
    }
  }
}

template <class Isa, int kRows, int kVectors>
OPENRKNN_INLINE void finish_block(const GemmTile& tile, const Panel& panel, int64_t first_row,
                                  Ints<Isa> (&sums)[kRows][kVectors]) {
  constexpr int kLanes = Isa::kBytes / 4;
  if (is_plain(tile.requantize) && panel.columns > kLanes / 2) {
    requantize_in_registers<Isa>(tile.requantize.floats, sums, tile.outputs + first_row, panel.first, panel.columns);
    return;
  }
  int32_t rows[kRows][kVectors * kLanes];
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) store(&rows[row][v * kLanes], sums[row][v]);
  }
  if (tile.integers) {
    return store_sums<Isa>(*tile.integers, rows[0], kVectors * kLanes, kRows, tile.sums + first_row, first_row,
                           panel.first, panel.columns, tile.outputs + first_row);
  }
  requantize_block<Isa>(tile.requantize, rows[0], kVectors * kLanes, kRows, panel.first, panel.columns,
                        tile.outputs + first_row);
}

/// Codes start with what the output stage would add to them.
template <class Isa, int kRows, int kVectors>
OPENRKNN_INLINE void start_block(const GemmTile&, const Panel&, int64_t, Floats<Isa> (&sums)[kRows][kVectors]) {
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sums[row][v] = Floats<Isa>(0.0f);
  }
}
template <class Isa, int kRows, int kVectors>
OPENRKNN_INLINE void start_block(const GemmTile& tile, const Panel& panel, int64_t first_row,
                                 Ints<Isa> (&sums)[kRows][kVectors]) {
  using V = Ints<Isa>;
  constexpr int kLanes = Isa::kBytes / 4;
  const Requantize& q = tile.requantize;
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const V offset = tile.integers ? V(0) : load<V>(q.offset + panel.first + v * kLanes);
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) sums[row][v] = offset;
    if (!q.sum_factor) continue;
    const V factor = load<V>(q.sum_factor + panel.first + v * kLanes);
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) sums[row][v] = sums[row][v] + factor * V(tile.sums[first_row + row]);
  }
}

/// Accumulators rest in tile.partial between chunks.
template <class Product, int kRows, int kVectors>
[[gnu::noinline]] void run_block(const GemmTile& tile, const Panel& panel, int64_t first_row) {
  using Sum = typename Product::Sum;
  constexpr int kBytes = Product::Isa::kBytes;
  std::byte* partial = tile.partial + first_row * kVectors * kBytes;
  Sum sums[kRows][kVectors];
  if (panel.starts) {
    start_block<typename Product::Isa>(tile, panel, first_row, sums);
  } else {
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[row][v] = load<Sum>(partial + (row * kVectors + v) * kBytes);
    }
  }
  const void* const* inputs = tile.inputs + first_row / tile.block_rows * tile.runs * tile.block_rows;
  multiply_block<Product>(inputs, tile.block_rows, panel.chunk, panel.weights, sums);
  if (panel.ends) {
    finish_block<typename Product::Isa>(tile, panel, first_row, sums);
    return;
  }
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) store(partial + (row * kVectors + v) * kBytes, sums[row][v]);
  }
}

/// Chooses the instance for 1 … kRows rows.
template <class Product, int kVectors, int kRows = Product::kRows>
void run_rows(const GemmTile& tile, const Panel& panel, int64_t first_row, int64_t rows) {
  if (rows == kRows) return run_block<Product, kRows, kVectors>(tile, panel, first_row);
  if constexpr (kRows > 1) run_rows<Product, kVectors, kRows - 1>(tile, panel, first_row, rows);
}

/// Sum of the activations under each row's window, for zero points of weights.
template <class Product>
void sum_windows(const GemmTile& tile) {
  using Isa = typename Product::Isa;
  using Input = typename Product::Input;
  using V = Ints<Isa>;
  constexpr int64_t kStep = Isa::kBytes / sizeof(Input);
  struct Masks {
    Input keep[2 * kStep];
  };
  Masks masks;  // all ones, then zeros: read from kStep - n on to keep n
  for (int64_t i = 0; i < 2 * kStep; ++i) masks.keep[i] = static_cast<Input>(i < kStep ? -1 : 0);
  const int64_t whole = tile.run_length / kStep * kStep;
  const V kept = load<V>(masks.keep + kStep - (tile.run_length - whole));
  for (int64_t first = 0; first < tile.rows; first += tile.block_rows) {
    const void* const* block = tile.inputs + first * tile.runs;
    const int64_t rows = tile.rows - first < tile.block_rows ? tile.rows - first : tile.block_rows;
    // Four together: none waits for another, and lanes are added across once. Rows beyond the last repeat it; their
    // sums are overwritten by the next block, or nobody's.
    for (int64_t row = 0; row < rows; row += 4) {
      int64_t at[4];
      V sums[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        at[i] = row + i < rows ? row + i : rows - 1;
        sums[i] = V(0);
      }
      const void* const* inputs = block;
      for (int64_t run = 0; run < tile.runs; ++run, inputs += tile.block_rows) {
        const Input* from[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) from[i] = static_cast<const Input*>(inputs[at[i]]);
        for (int64_t k = 0; k < whole; k += kStep) {
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) sums[i] = V(Isa::add_codes(sums[i].raw, load<V>(from[i] + k).raw));
        }
        if (whole == tile.run_length) continue;
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          sums[i] = V(Isa::add_codes(sums[i].raw, load<V>(from[i] + whole).raw & kept.raw));
        }
      }
      Isa::store_totals(tile.sums + first + row, sums[0].raw, sums[1].raw, sums[2].raw, sums[3].raw);
    }
  }
}

/// Panels outermost, then chunks of k, then blocks of rows: a chunk of weights is read once from afar and then stays in
/// the first-level cache while all rows of the tile pass by.
template <class Product>
void run_gemm(const GemmTile& tile) {
  constexpr int kBytes = Product::Isa::kBytes, kLanes = kBytes / 4, kGroup = Product::kGroup;
  constexpr int64_t kChunkGroups = 32768 / (2 * kBytes);
  if (tile.requantize.sum_factor || (tile.integers && tile.integers->window_factor != 0)) {
    if constexpr (sizeof(typename Product::Input) < 4) sum_windows<Product>(tile);
  }
  const int64_t run_groups = (tile.run_length + kGroup - 1) / kGroup;
  const int64_t depth = tile.runs * run_groups;
  const bool chunked = depth > 4 * kChunkGroups && tile.rows > tile.block_rows;
  // Whole stretches while they are short, parts of one when they are long.
  const int64_t chunk_runs = !chunked ? tile.runs : run_groups < kChunkGroups ? kChunkGroups / run_groups : 1;
  const int64_t chunk_length = !chunked || run_groups <= kChunkGroups ? tile.run_length : kChunkGroups * kGroup;
  Panel panel{.weights = tile.weights};
  for (panel.first = 0; panel.first < tile.columns; panel.first += 2 * kLanes) {
    panel.columns = tile.columns - panel.first < 2 * kLanes ? tile.columns - panel.first : 2 * kLanes;
    const bool wide = panel.columns > kLanes;
    const int64_t group_bytes = (wide ? 2 : 1) * kBytes;
    Chunk& chunk = panel.chunk;
    chunk.run = 0;
    do {
      chunk.runs = tile.runs - chunk.run < chunk_runs ? tile.runs - chunk.run : chunk_runs;
      chunk.first = 0;
      do {
        chunk.end = tile.run_length - chunk.first < chunk_length ? tile.run_length : chunk.first + chunk_length;
        panel.starts = chunk.run == 0 && chunk.first == 0;
        panel.ends = chunk.run + chunk.runs == tile.runs && chunk.end == tile.run_length;
        for (int64_t row = 0; row < tile.rows; row += tile.block_rows) {
          const int64_t rows = tile.rows - row < tile.block_rows ? tile.rows - row : tile.block_rows;
          if (wide)
            run_rows<Product, 2>(tile, panel, row, rows);
          else
            run_rows<Product, 1>(tile, panel, row, rows);
        }
        panel.weights += chunk.runs * ((chunk.end - chunk.first + kGroup - 1) / kGroup) * group_bytes;
        chunk.first = chunk.end;
      } while (chunk.first < tile.run_length);
      chunk.run += chunk.runs;
    } while (chunk.run < tile.runs);
  }
}

}  // namespace openrknn::fast
