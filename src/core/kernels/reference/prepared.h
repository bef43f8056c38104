// What every reference kernel does with its plan-time state: hold it, split work into tiles, lay out scratch.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "core/kernels/reference/element.h"

namespace openrknn::reference {

/// The function a state chose for its element types: one tile.
template <class State>
using Body = void (*)(const State&, std::span<const Buffer>, int64_t tile, std::byte* scratch);

template <class State>
Prepared make_prepared(State state, int64_t tiles, int64_t scratch = 0, int in_place = -1) {
  return {std::make_shared<const State>(std::move(state)), tiles, scratch, in_place};
}
/// Kernel::run of a family whose State has a member `Body<State> body`.
template <class State>
void run_body(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const State& state = *static_cast<const State*>(prepared.state.get());
  state.body(state, buffers, tile, scratch);
}

/// Elements a tile should have at least: large enough to hide the cost of handing it to a thread.
inline constexpr int64_t kTileElements = 16384;

/// `total` things in tiles of `block`; the number of tiles depends on the shape alone.
struct Tiles {
  int64_t total = 0, block = kTileElements;

  int64_t count() const { return std::max<int64_t>(1, (total + block - 1) / block); }
  int64_t begin(int64_t tile) const { return std::min(total, tile * block); }
  int64_t end(int64_t tile) const { return std::min(total, (tile + 1) * block); }
};
/// Of a State with a member `Tiles tiles`.
template <class State>
Prepared make_tiled(State state, int64_t scratch = 0, int in_place = -1) {
  const int64_t tiles = state.tiles.count();
  return make_prepared(std::move(state), tiles, scratch, in_place);
}
/// `rows` rows, each costing `row_elements`.
inline Tiles tile_rows(int64_t rows, int64_t row_elements) {
  return {rows, std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, row_elements))};
}

/// Prepared::written of tiles that are neighbouring elements: `State` has `tiles`, each thing `per_thing` elements.
inline Stretches written_by(const Tiles& tiles, int64_t tile, int64_t per_thing = 1) {
  const int64_t begin = tiles.begin(tile) * per_thing;
  return {.first = begin, .length = tiles.end(tile) * per_thing - begin, .step = 0, .count = 1};
}

/// Offsets of 64-byte aligned pieces of scratch memory.
class ScratchLayout {
 public:
  /// Room for `count` Ts; returns its offset.
  template <class T>
  int64_t add(int64_t count) {
    const int64_t offset = bytes_;
    bytes_ += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return offset;
  }
  int64_t bytes() const { return bytes_; }

 private:
  int64_t bytes_ = 0;
};
template <class T>
T* scratch_at(std::byte* scratch, int64_t offset) {
  return reinterpret_cast<T*>(scratch + offset);
}

/// A short vector of Float32 or Float16 parameters (bias, scale, mean, …) read as float32 inside a tile.
struct FloatVector {
  DType dtype = DType::Float32;
  int64_t count = 0, buffer = -1, scratch = 0;

  FloatVector() = default;
  /// Input `index` of the call; absent operands give count 0 and a null pointer.
  FloatVector(const Call& call, size_t index, ScratchLayout& layout) {
    if (!present(call.inputs, index)) return;
    dtype = call.inputs[index].dtype;
    count = element_count(call.inputs[index].shape);
    buffer = static_cast<int64_t>(index);
    if (dtype != DType::Float32) scratch = layout.add<float>(count);
  }
  const float* read(std::span<const Buffer> buffers, std::byte* memory) const {
    if (buffer < 0) return nullptr;
    const std::byte* data = buffers[static_cast<size_t>(buffer)].data;
    if (dtype == DType::Float32) return reinterpret_cast<const float*>(data);
    float* floats = scratch_at<float>(memory, scratch);
    load_floats(dtype, data, floats, count);
    return floats;
  }
};

}  // namespace openrknn::reference
