// Data movement: Reshape Transpose Slice Expand Tile DepthToSpace SpaceToDepth. Bytes are copied, never read as
// numbers, so every dtype of whole bytes passes, and codes too where input and output stand for the same real numbers.
#include "core/kernels/reference/strided_copy.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

bool accepts_move(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return same_dtype(x, y) && whole_bytes(x.dtype) != 0 && same_quant(x, y);
}
int64_t element_bytes(const Call& call) { return whole_bytes(call.inputs[0].dtype); }

// ---- Reshape: the same bytes under another shape; in place where the plan can ----

struct ReshapeState {
  Body<ReshapeState> body = nullptr;
  Tiles tiles;
};
void copy_bytes(const ReshapeState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const std::byte* x = buffers[0].data;
  std::byte* y = buffers.back().data;
  const int64_t begin = s.tiles.begin(tile), count = s.tiles.end(tile) - begin;
  if (x != y && count > 0) std::memcpy(y + begin, x + begin, static_cast<size_t>(count));
}
bool accepts_reshape(const Call& call) {
  return same_dtype(call.inputs[0], call.outputs[0]) && same_quant(call.inputs[0], call.outputs[0]);
}
Prepared prepare_reshape(const Call& call, Weights&) {
  ReshapeState s;
  s.body = copy_bytes;
  s.tiles = {byte_size(call.outputs[0].dtype, element_count(call.outputs[0].shape)), 4 * kTileElements};
  return make_tiled(std::move(s), 0, 0);
}

// ---- Views ----

Prepared prepare_transpose(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  const Shape strides = strides_of(x);
  StridedView view;
  for (const int64_t axis : ints_attribute(call.node.attributes, "perm")) {
    view.extents.push_back(x[static_cast<size_t>(axis)]);
    view.strides.push_back(strides[static_cast<size_t>(axis)]);
  }
  return prepare_strided_copy(std::move(view), element_bytes(call));
}

Prepared prepare_slice(const Call& call, Weights&) {
  const Shape strides = strides_of(call.inputs[0].shape);
  const std::vector<int64_t> starts = ints_attribute(call.node.attributes, "starts");
  const std::vector<int64_t> steps =
      ints_attribute(call.node.attributes, "steps", std::vector<int64_t>(starts.size(), 1));
  StridedView view;
  view.extents = call.outputs[0].shape;
  for (size_t d = 0; d < view.extents.size(); ++d) {
    view.base += starts[d] * strides[d];
    view.strides.push_back(steps[d] * strides[d]);
  }
  return prepare_strided_copy(std::move(view), element_bytes(call));
}

Prepared prepare_expand(const Call& call, Weights&) {
  const Shape &x = call.inputs[0].shape, &y = call.outputs[0].shape;
  const Shape strides = strides_of(x);
  const size_t missing = y.size() - x.size();
  StridedView view;
  view.extents = y;
  for (size_t d = 0; d < y.size(); ++d) {
    view.strides.push_back(d < missing || x[d - missing] == 1 ? 0 : strides[d - missing]);
  }
  return prepare_strided_copy(std::move(view), element_bytes(call));
}

Prepared prepare_tile(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  const Shape strides = strides_of(x);
  const std::vector<int64_t> repeats = ints_attribute(call.node.attributes, "repeats");
  StridedView view;
  for (size_t d = 0; d < x.size(); ++d) {
    view.extents.insert(view.extents.end(), {repeats[d], x[d]});
    view.strides.insert(view.strides.end(), {0, strides[d]});
  }
  return prepare_strided_copy(std::move(view), element_bytes(call));
}

/// The elements of `x`, its dimensions split as `extents` and permuted: the middle of reshape, transpose, reshape.
StridedView permuted(const Shape& extents, const std::vector<int>& order) {
  return {permute(extents, order), permute(strides_of(extents), order)};
}

Prepared prepare_depth_to_space(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  const int64_t b = int_attribute(call.node.attributes, "blocksize", 1), depth = x[1] / (b * b);
  const bool depth_first = string_attribute(call.node.attributes, "mode", "DCR") == "DCR";
  StridedView view = depth_first ? permuted({x[0], b, b, depth, x[2], x[3]}, {0, 3, 4, 1, 5, 2})
                                 : permuted({x[0], depth, b, b, x[2], x[3]}, {0, 1, 4, 2, 5, 3});
  return prepare_strided_copy(std::move(view), element_bytes(call));
}

Prepared prepare_space_to_depth(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  const int64_t b = int_attribute(call.node.attributes, "blocksize", 1);
  const bool depth_first = string_attribute(call.node.attributes, "mode", "DCR") == "DCR";
  const std::vector<int> order = depth_first ? std::vector<int>{0, 3, 5, 1, 2, 4} : std::vector<int>{0, 1, 3, 5, 2, 4};
  StridedView view = permuted({x[0], x[1], x[2] / b, b, x[3] / b, b}, order);
  return prepare_strided_copy(std::move(view), element_bytes(call));
}

bool accepts_blocks(const Call& call) {
  return accepts_move(call) && call.inputs[0].shape.size() == 4 && call.inputs[0].layout == Layout::Logical;
}

constexpr Kernel kMoveKernels[] = {
    {"Reshape", "reshape_reference", 0, accepts_reshape, prepare_reshape, run_body<ReshapeState>},
    {"Transpose", "transpose_reference", 0, accepts_move, prepare_transpose, run_strided_copy},
    {"Slice", "slice_reference", 0, accepts_move, prepare_slice, run_strided_copy},
    {"Expand", "expand_reference", 0, accepts_move, prepare_expand, run_strided_copy},
    {"Tile", "tile_reference", 0, accepts_move, prepare_tile, run_strided_copy},
    {"DepthToSpace", "depth_to_space_reference", 0, accepts_blocks, prepare_depth_to_space, run_strided_copy},
    {"SpaceToDepth", "space_to_depth_reference", 0, accepts_blocks, prepare_space_to_depth, run_strided_copy},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_move_kernels() { return reference::kMoveKernels; }

}  // namespace openrknn
