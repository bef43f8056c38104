#include "core/kernels/fast/product.h"

#include <algorithm>
#include <cstring>

namespace openrknn::fast {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t align(int64_t bytes) { return divide_up(bytes, 64) * 64; }
int64_t extent(const std::vector<int64_t>& offsets) {
  const auto [low, high] = std::minmax_element(offsets.begin(), offsets.end());
  return offsets.empty() ? 0 : *high - *low;
}
int64_t lowest(const std::vector<int64_t>& offsets) {
  return offsets.empty() ? 0 : *std::min_element(offsets.begin(), offsets.end());
}
/// Positions of one axis that `count` neighbouring outputs read, from the first tap of the first to the last of the
/// last.
int64_t reach(const ProductAxis& axis, int64_t count) { return (count - 1) * axis.step + extent(axis.offsets) + 1; }

/// Some microseconds: large enough to hide handing out, small enough to spread over the cores of a board. More than one
/// tile are a multiple of four, so that few threads end together.
constexpr int64_t kTileProducts = 1 << 19, kTileMultiple = 4;
constexpr int64_t kTileWeights = 1 << 18;  // bytes: few rows are as slow as their weights arrive
constexpr int64_t kMostTiles = 64;
constexpr int64_t kMostProductRows = 384;  // of one tile: its inputs stay in the second-level cache

void tile_part(const Product& p, ProductPart& part) {
  const int64_t pixels = part.height.out * part.width.out;
  const int64_t products = p.images * pixels * p.out_channels * p.depth(part) * p.gemm->group;
  const int64_t weight_bytes = p.groups * p.panels() * p.panel_bytes(part);
  int64_t wanted = std::clamp<int64_t>(std::max(products / kTileProducts, weight_bytes / kTileWeights), 1, kMostTiles);
  if (wanted > 1) wanted = divide_up(wanted, kTileMultiple) * kTileMultiple;
  const int64_t least_rows = 8 * p.gemm->rows;
  const int64_t rows = std::clamp(divide_up(p.images * pixels * p.groups, wanted), least_rows, kMostProductRows);
  if (part.width.out >= rows) {
    part.column_tiles = divide_up(part.width.out, rows);
    part.line_tiles = part.height.out;
  } else {
    part.column_tiles = 1;
    part.line_tiles = divide_up(part.height.out, std::max<int64_t>(1, rows / part.width.out));
  }
  part.tile_columns = divide_up(part.width.out, part.column_tiles);
  part.column_tiles = divide_up(part.width.out, part.tile_columns);
  part.tile_lines = divide_up(part.height.out, part.line_tiles);
  part.line_tiles = divide_up(part.height.out, part.tile_lines);
  const int64_t have = p.images * part.line_tiles * part.column_tiles * p.groups;
  // Columns are divided where that about doubles the tiles: a few more are not worth reading the inputs again.
  const int64_t missing = (wanted + have / 2) / std::max<int64_t>(1, have);
  part.tile_panels = divide_up(p.panels(), std::clamp<int64_t>(missing, 1, p.panels()));
  part.panel_tiles = divide_up(p.panels(), part.tile_panels);
}

int64_t padded_rows(const Product& p, const ProductPart& part) {
  return part.tile_lines * part.tile_columns + p.gemm->rows;
}

// ---- One tile ----

struct Area {
  int64_t image = 0, line = 0, lines = 0, column = 0, columns = 0, group = 0, panel = 0;
  int64_t rows() const { return lines * columns; }
};

Area area_of(const Product& p, const ProductPart& part, int64_t tile) {
  Area area;
  area.panel = tile % part.panel_tiles * part.tile_panels;
  tile /= part.panel_tiles;
  area.group = tile % p.groups;
  tile /= p.groups;
  area.column = tile % part.column_tiles * part.tile_columns;
  area.columns = std::min(part.tile_columns, part.width.out - area.column);
  tile /= part.column_tiles;
  area.line = tile % part.line_tiles * part.tile_lines;
  area.lines = std::min(part.tile_lines, part.height.out - area.line);
  area.image = tile / part.line_tiles;
  return area;
}

/// The input in memory as the loops read it: pixel (y, x) of the image is at data + (y * width + x) * pixel_bytes.
struct View {
  const std::byte* data = nullptr;
  int64_t width = 0, pixel_bytes = 0;
  int64_t line = 0, column = 0;  ///< of the image, that `data` points to
};

void convert(const Product& p, const std::byte* from, int64_t count, std::byte* to) {
  const int64_t bytes = bit_width(p.input) / 8;
  if (p.input == DType::Float16) {
    p.loops->half_to_float(reinterpret_cast<const uint16_t*>(from), reinterpret_cast<float*>(to), count);
  } else if (p.gemm->convert_codes != nullptr) {
    p.gemm->convert_codes(reinterpret_cast<const int8_t*>(from), to, count);
  } else {
    std::memcpy(to, from, static_cast<size_t>(count * bytes));
  }
}
void fill_padding(const Product& p, std::byte* to, int64_t pixels) {
  const size_t bytes = static_cast<size_t>(p.group_channels() * p.gemm->activation_bytes);
  for (int64_t i = 0; i < pixels; ++i) std::memcpy(to + static_cast<size_t>(i) * bytes, p.padding_pixel.data(), bytes);
}

/// Copies what the tile reads, converted and with its padding, so that every stretch lies whole in memory.
View stage(const Product& p, const ProductPart& part, const Area& area, const std::byte* x, std::byte* to) {
  const int64_t channels = p.group_channels(), in_bytes = bit_width(p.input) / 8;
  const int64_t first_line = area.line * part.height.step + lowest(part.height.offsets);
  const int64_t first_column = area.column * part.width.step + lowest(part.width.offsets);
  const int64_t lines = reach(part.height, area.lines), columns = reach(part.width, area.columns);
  const int64_t pixel_bytes = channels * p.gemm->activation_bytes;
  const View view{to, columns, pixel_bytes, first_line, first_column};
  const int64_t left = std::clamp<int64_t>(-first_column, 0, columns);
  const int64_t right = std::clamp<int64_t>(first_column + columns - part.width.in, 0, columns - left);
  const int64_t inside = columns - left - right;
  for (int64_t i = 0; i < lines; ++i, to += columns * pixel_bytes) {
    const int64_t y = first_line + i;
    if (y < 0 || y >= part.height.in) {
      fill_padding(p, to, columns);
      continue;
    }
    fill_padding(p, to, left);
    fill_padding(p, to + (left + inside) * pixel_bytes, right);
    const std::byte* from =
        x + ((y * part.width.in + first_column + left) * p.in_channels + area.group * channels) * in_bytes;
    if (p.groups == 1) {
      convert(p, from, inside * channels, to + left * pixel_bytes);
    } else {
      for (int64_t j = 0; j < inside; ++j) {
        convert(p, from + j * p.in_channels * in_bytes, channels, to + (left + j) * pixel_bytes);
      }
    }
  }
  return view;
}

/// Where the stretch of one tap begins for each row of one line. Columns before `begin` and from `end` on lie in the
/// padding.
struct TapLine {
  const std::byte* data = nullptr;  ///< `first` bytes from here begins the stretch of column 0
  int64_t first = 0, step = 0;      ///< bytes
  int64_t begin = 0, end = 0, columns = 0;
};
void point_at_line(const TapLine& tap, const void* padding, int64_t in_block, int64_t block_rows, int64_t block_stride,
                   const void** at) {
  int64_t column = 0;
  const auto until = [&](int64_t end, const void* first, int64_t step) {
    while (column < end) {
      const int64_t count = std::min(block_rows - in_block, end - column);  // as many as the block still takes
      const std::byte* data = static_cast<const std::byte*>(first) + column * step;
      for (int64_t i = 0; i < count; ++i) at[in_block + i] = data + i * step;
      column += count;
      in_block += count;
      if (in_block < block_rows) continue;
      in_block = 0;
      at += block_stride;
    }
  };
  until(tap.begin, padding, 0);
  until(tap.end, tap.data + tap.first, tap.step);
  until(tap.columns, padding, 0);
}

/// Where each row's stretches begin, block by block.
void point_at_inputs(const Product& p, const ProductPart& part, const Area& area, const View& view, int64_t block_rows,
                     const void** inputs) {
  const int64_t runs = p.runs(part), x_step = part.width.step;
  const size_t columns_of_taps = p.merged ? 1 : part.width.offsets.size();
  TapLine tap{.data = view.data, .step = x_step * view.pixel_bytes, .columns = area.columns};
  for (int64_t line = 0; line < area.lines; ++line) {
    const int64_t row = line * area.columns;
    const void** at = inputs + row / block_rows * runs * block_rows;
    for (const int64_t dy : part.height.offsets) {
      const int64_t y = (area.line + line) * part.height.step + dy;
      const bool line_inside = p.staged || (y >= 0 && y < part.height.in);
      for (size_t i = 0; i < columns_of_taps; ++i, at += block_rows) {
        const int64_t x = area.column * x_step + part.width.offsets[i];
        tap.first = ((y - view.line) * view.width + x - view.column) * view.pixel_bytes;
        tap.begin = tap.end = line_inside ? area.columns : 0;
        if (p.staged || !line_inside) {
          tap.begin = 0;
        } else {
          tap.begin = std::min(area.columns, x < 0 ? divide_up(-x, x_step) : 0);
          tap.end = x < part.width.in ? std::min(area.columns, (part.width.in - 1 - x) / x_step + 1) : 0;
          tap.end = std::max(tap.begin, tap.end);
        }
        point_at_line(tap, p.padding_pixel.data(), row % block_rows, block_rows, runs * block_rows, at);
      }
    }
  }
}

}  // namespace

void plan_tiles(Product& p) {
  const ProductPart& first = p.parts.front();
  const bool converts = p.input == DType::Float16 || p.gemm->convert_codes != nullptr;
  // Contiguous taps: neighbouring kernel columns read neighbouring pixels.
  bool contiguous = p.parts.size() == 1 && first.width.offsets.size() > 1;
  for (size_t i = 1; i < first.width.offsets.size(); ++i) {
    contiguous = contiguous && first.width.offsets[i] == first.width.offsets[i - 1] + 1;
  }
  // Short stretches (3 channels of an image) cost a pointer each and fill groups badly.
  const bool is_short = p.group_channels() * p.gemm->activation_bytes < 32 || p.group_channels() % p.gemm->group != 0;
  p.staged = converts || (contiguous && is_short);
  p.merged = p.staged && contiguous && p.groups == 1;

  const int64_t pixel_bytes = p.group_channels() * p.gemm->activation_bytes;
  p.padding_pixel.resize(static_cast<size_t>(pixel_bytes + 64));
  for (int64_t i = 0; i < pixel_bytes / p.gemm->activation_bytes; ++i) {
    if (p.gemm->activation_bytes == 1)
      reinterpret_cast<int8_t*>(p.padding_pixel.data())[i] = static_cast<int8_t>(p.padding);
    if (p.gemm->activation_bytes == 2)
      reinterpret_cast<int16_t*>(p.padding_pixel.data())[i] = static_cast<int16_t>(p.padding);
  }

  int64_t pointers = 0, rows = 0, staging = 0, panels = 0, offsets = 0;
  p.tiles = 0;
  for (ProductPart& part : p.parts) {
    tile_part(p, part);
    part.first_tile = p.tiles;
    p.tiles += p.images * part.line_tiles * part.column_tiles * p.groups * part.panel_tiles;
    pointers = std::max(pointers, padded_rows(p, part) * p.runs(part));
    rows = std::max(rows, padded_rows(p, part));
    if (!p.b_offsets.empty()) {
      panels = std::max(panels, part.tile_panels * p.panel_bytes(part));
      offsets = std::max(offsets, part.tile_panels * p.panel_columns() * static_cast<int64_t>(sizeof(int32_t)));
    }
    if (p.staged) {
      staging = std::max(staging,
                         reach(part.height, part.tile_lines) * reach(part.width, part.tile_columns) * pixel_bytes + 64);
    }
  }
  p.inputs_at = align(staging);
  p.outputs_at = p.inputs_at + align(pointers * static_cast<int64_t>(sizeof(void*)));
  p.sums_at = p.outputs_at + align(rows * static_cast<int64_t>(sizeof(void*)));
  p.partial_at = p.sums_at + align(rows * static_cast<int64_t>(sizeof(int32_t)));
  p.panels_at = p.partial_at + align(rows * p.panel_columns() * static_cast<int64_t>(sizeof(int32_t)));
  p.offsets_at = p.panels_at + align(panels);
  p.scratch = p.offsets_at + align(offsets);
}

namespace {

const Product& product_of(const Prepared& prepared) { return *static_cast<const Product*>(prepared.state.get()); }

/// Products of one part only: that of several lies scattered over the output.
Stretches written_rows(const Prepared& prepared, int64_t tile) {
  const Product& p = product_of(prepared);
  const ProductPart& part = p.parts.front();
  const Area area = area_of(p, part, tile);
  const int64_t line = area.image * p.out_height + area.line, pixels = area.rows();
  const int64_t first_column = area.group * p.group_columns() + area.panel * p.panel_columns();
  const int64_t columns =
      std::min(part.tile_panels * p.panel_columns(), p.group_columns() - area.panel * p.panel_columns());
  Stretches all{.first = (line * p.out_width + area.column) * p.out_channels + first_column};
  const bool whole = columns == p.out_channels;
  all.length = whole ? pixels * columns : columns;
  all.step = p.out_channels;
  all.count = whole ? 1 : pixels;
  return all;
}

}  // namespace

Prepared prepare_product(Product product, uint32_t unread_inputs) {
  const int64_t tiles = product.tiles, scratch = product.scratch;
  const ProductPart& part = product.parts.front();
  const bool is_scattered = product.parts.size() > 1 || part.height.spread != 1 || part.width.spread != 1;
  Prepared prepared{std::make_shared<const Product>(std::move(product)), tiles, scratch, -1, unread_inputs};
  if (!is_scattered) prepared.written = written_rows;
  return prepared;
}

void run_product(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const Product& p = product_of(prepared);
  size_t index = p.parts.size() - 1;
  while (p.parts[index].first_tile > tile) --index;
  const ProductPart& part = p.parts[index];
  const Area area = area_of(p, part, tile - part.first_tile);

  const int64_t in_bytes = bit_width(p.input) / 8, out_bytes = bit_width(p.output) / 8;
  const std::byte* x = buffers[0].data;
  if (p.a_offsets.empty())
    x += area.image * part.height.in * part.width.in * p.in_channels * in_bytes;
  else
    x += p.a_offsets[static_cast<size_t>(area.image)] * in_bytes;

  View view{x + area.group * p.group_channels() * in_bytes, part.width.in, p.in_channels * in_bytes};
  if (p.staged) view = stage(p, part, area, x, scratch);

  GemmTile task;
  task.rows = area.rows();
  const int64_t blocks = divide_up(task.rows, p.gemm->rows);
  task.block_rows = divide_up(task.rows, blocks);  // 49 rows are better as 10+10+10+10+9 than as 12+12+12+12+1
  task.runs = p.runs(part);
  task.run_length = p.run_length(part);
  const void** inputs = reinterpret_cast<const void**>(scratch + p.inputs_at);
  point_at_inputs(p, part, area, view, task.block_rows, inputs);
  task.inputs = inputs;

  const int64_t first_column = area.panel * p.panel_columns();
  task.columns = std::min(part.tile_panels * p.panel_columns(), p.group_columns() - first_column);
  void** outputs = reinterpret_cast<void**>(scratch + p.outputs_at);
  const ProductAxis &height = part.height, &width = part.width;
  int64_t row = 0;
  for (int64_t line = area.line; line < area.line + area.lines; ++line) {
    const int64_t y = (area.image * p.out_height + height.origin + line * height.spread) * p.out_width + width.origin;
    const int64_t first =
        (y + area.column * width.spread) * p.out_channels + area.group * p.group_columns() + first_column;
    std::byte* out = buffers.back().data + first * out_bytes;
    const int64_t step = width.spread * p.out_channels * out_bytes;
    for (int64_t column = 0; column < area.columns; ++column) outputs[row++] = out + column * step;
  }
  task.outputs = outputs;
  task.partial = scratch + p.partial_at;

  const int64_t parameter = area.group * p.padded_columns() + first_column;
  task.requantize = p.requantize;
  if (part.weights) {
    task.weights = part.weights->data() + (area.group * p.panels() + area.panel) * p.panel_bytes(part);
    task.requantize.offset = part.offset.empty() ? nullptr : part.offset.data() + parameter;
  } else {
    const std::byte* b = buffers[1].data + p.b_offsets[static_cast<size_t>(area.image)] * (bit_width(p.b) / 8);
    int32_t* offsets = reinterpret_cast<int32_t*>(scratch + p.offsets_at);
    pack_computed(p, part, b, area.panel, scratch + p.panels_at, offsets);
    task.weights = scratch + p.panels_at;
    task.requantize.offset = offsets;
  }
  task.bias = p.bias.empty() ? nullptr : p.bias.data() + parameter;
  task.activation = p.activation;
  task.half = p.output == DType::Float16;
  if (!p.channel.empty() || !p.float_channel.empty()) {
    task.requantize.sum_factor = p.sum_factor.empty() ? nullptr : p.sum_factor.data() + parameter;
    if (p.float_channel.empty())
      task.requantize.channel = p.channel.data() + parameter;
    else
      task.requantize.floats.channel = p.float_channel.data() + parameter;
    task.requantize.lookup = lookup_at_zero(p.lookup);
    task.requantize.curve.entries = p.curve.data();
    task.sums = reinterpret_cast<int32_t*>(scratch + p.sums_at);
  }
  p.gemm->run(task);
}

}  // namespace openrknn::fast
