// Concat and Split: the same runs of bytes, copied in opposite directions.
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

/// A row of the joined tensor is one index of the dimensions before `axis`; it holds one run of every part.
struct JoinState {
  Body<JoinState> body = nullptr;
  std::vector<int64_t> run_end;  // bytes from the start of a row to the end of each part's run
  int64_t row = 0;               // bytes
  bool short_runs = false;       // tiles are whole rows
  Tiles tiles;                   // of the joined tensor's bytes
};

/// Rows [begin, end), part by part. A call of memcpy would cost more than a short run.
template <bool split>
void copy_short_runs(const JoinState& s, std::byte* joined, const Buffer* parts, int64_t begin, int64_t end) {
  int64_t run_begin = 0;
  for (size_t part = 0; part < s.run_end.size(); ++part) {
    const int64_t bytes = s.run_end[part] - run_begin, row = s.row;
    std::byte* whole = joined + begin * row + run_begin;
    std::byte* piece = parts[part].data + begin * bytes;
    const auto copy = [&]<int64_t kBytes>(std::integral_constant<int64_t, kBytes>) {
      for (int64_t i = begin; i < end; ++i, whole += row, piece += kBytes) {
        std::memcpy(split ? piece : whole, split ? whole : piece, kBytes);
      }
    };
    const auto copy_if = [&](auto size) { return bytes == size ? (copy(size), true) : false; };
    const bool copied = [&]<int64_t... kBytes>(std::integer_sequence<int64_t, kBytes...>) {
      return (copy_if(std::integral_constant<int64_t, kBytes>{}) || ...);
    }
    (std::integer_sequence<int64_t, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32>{});
    for (int64_t i = begin; i < end && !copied; ++i, whole += row, piece += bytes) {
      std::memcpy(split ? piece : whole, split ? whole : piece, static_cast<size_t>(bytes));
    }
    run_begin = s.run_end[part];
  }
}

template <bool split>
void run_join(const JoinState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  std::byte* joined = split ? buffers.front().data : buffers.back().data;
  const Buffer* parts = buffers.data() + (split ? 1 : 0);
  int64_t at = s.tiles.begin(tile);
  const int64_t end = s.tiles.end(tile);
  if (s.short_runs) return copy_short_runs<split>(s, joined, parts, at / s.row, end / s.row);
  while (at < end) {
    const int64_t row = at / s.row, row_begin = row * s.row;
    int64_t run_begin = 0;
    for (size_t part = 0; part < s.run_end.size() && at < end; ++part) {
      const int64_t run_end = s.run_end[part], position = at - row_begin;
      if (position < run_end) {
        const int64_t count = std::min(run_end - position, end - at);
        std::byte* piece = parts[part].data + row * (run_end - run_begin) + (position - run_begin);
        std::memcpy(split ? piece : joined + at, split ? joined + at : piece, static_cast<size_t>(count));
        at += count;
      }
      run_begin = run_end;
    }
  }
}

bool accepts_concat(const Operand& joined, std::span<const Operand> parts) {
  return whole_bytes(joined.dtype) != 0 && std::all_of(parts.begin(), parts.end(), [&](const Operand& part) {
           return same_dtype(part, joined) && same_quant(part, joined);
         });
}
bool accepts_concat(const Call& call) { return accepts_concat(call.outputs[0], call.inputs); }
bool accepts_split(const Call& call) { return accepts_concat(call.inputs[0], call.outputs); }

Prepared prepare_concat(const Call& call, const Operand& joined, std::span<const Operand> parts, Body<JoinState> body) {
  const size_t axis = static_cast<size_t>(int_attribute(call.node.attributes, "axis", 0));
  JoinState s;
  s.body = body;
  int64_t inner = whole_bytes(joined.dtype);
  for (size_t d = axis + 1; d < joined.shape.size(); ++d) inner *= joined.shape[d];
  for (const Operand& part : parts) {
    s.row += part.shape[axis] * inner;
    s.run_end.push_back(s.row);
  }
  s.tiles = {element_count(joined.shape) * whole_bytes(joined.dtype), 4 * kTileElements};
  constexpr int64_t kShortRun = 64;
  s.short_runs = s.row > 0 && s.row <= std::min(kShortRun * static_cast<int64_t>(parts.size()), s.tiles.block);
  if (s.short_runs) s.tiles.block = s.tiles.block / s.row * s.row;
  return make_tiled(std::move(s));
}
Prepared prepare_concat(const Call& call, Weights&) {
  return prepare_concat(call, call.outputs[0], call.inputs, run_join<false>);
}
Prepared prepare_split(const Call& call, Weights&) {
  return prepare_concat(call, call.inputs[0], call.outputs, run_join<true>);
}

constexpr Kernel kConcatKernels[] = {
    {"Concat", "concat_reference", 0, accepts_concat, prepare_concat, run_body<JoinState>},
    {"Split", "split_reference", 0, accepts_split, prepare_split, run_body<JoinState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_concat_kernels() { return reference::kConcatKernels; }

}  // namespace openrknn
