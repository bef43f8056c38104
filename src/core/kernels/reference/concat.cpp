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
  Tiles tiles;                   // of the joined tensor's bytes
};

template <bool split>
void run_join(const JoinState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  std::byte* joined = split ? buffers.front().data : buffers.back().data;
  const Buffer* parts = buffers.data() + (split ? 1 : 0);
  int64_t at = s.tiles.begin(tile);
  const int64_t end = s.tiles.end(tile);
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

bool accepts(const Operand& joined, std::span<const Operand> parts) {
  return whole_bytes(joined.dtype) != 0 && std::all_of(parts.begin(), parts.end(), [&](const Operand& part) {
           return same_dtype(part, joined) && same_quant(part, joined);
         });
}
bool accepts_concat(const Call& call) { return accepts(call.outputs[0], call.inputs); }
bool accepts_split(const Call& call) { return accepts(call.inputs[0], call.outputs); }

Prepared prepare(const Call& call, const Operand& joined, std::span<const Operand> parts, Body<JoinState> body) {
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
  return make_tiled(std::move(s));
}
Prepared prepare_concat(const Call& call, Weights&) {
  return prepare(call, call.outputs[0], call.inputs, run_join<false>);
}
Prepared prepare_split(const Call& call, Weights&) {
  return prepare(call, call.inputs[0], call.outputs, run_join<true>);
}

constexpr Kernel kRows[] = {
    {"Concat", "concat_reference", 0, accepts_concat, prepare_concat, run_body<JoinState>},
    {"Split", "split_reference", 0, accepts_split, prepare_split, run_body<JoinState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_concat_kernels() { return reference::kRows; }

}  // namespace openrknn
