// TopK: the k largest (or smallest) elements along `axis` in order, and where they stood, as int64. Equal elements keep
// their order: the lowest index comes first. NaN counts as larger than every number. Exact in every dtype.
#include "core/kernels/reference/axis_split.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

/// The tensor as [outer, extent, inner]; a lane is one outer and one inner index.
struct TopKState {
  Body<TopKState> body = nullptr;
  int64_t extent = 1, inner = 1, k = 1;
  Tiles tiles;  // of lanes
};

template <class T>
bool is_less(T a, T b) {
  return a < b || (b != b && a == a);
}

template <class T, bool largest>
void run_lanes(const TopKState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  T* values = reinterpret_cast<T*>(buffers[1].data);
  int64_t* places = reinterpret_cast<int64_t*>(buffers[2].data);
  int64_t* order = scratch_at<int64_t>(scratch, 0);
  for (int64_t lane = s.tiles.begin(tile); lane < s.tiles.end(tile); ++lane) {
    const int64_t outer = lane / s.inner, column = lane % s.inner;
    const T* x = input<T>(buffers, 0) + outer * s.extent * s.inner + column;
    const auto value = [&](int64_t i) { return static_cast<Wide<T>>(x[i * s.inner]); };
    for (int64_t i = 0; i < s.extent; ++i) order[i] = i;
    std::partial_sort(order, order + s.k, order + s.extent, [&](int64_t a, int64_t b) {
      const Wide<T> p = value(a), q = value(b);
      if (is_less(p, q)) return !largest;
      if (is_less(q, p)) return largest;
      return a < b;
    });
    for (int64_t i = 0; i < s.k; ++i) {
      const int64_t to = (outer * s.k + i) * s.inner + column;
      values[to] = x[order[i] * s.inner];
      places[to] = order[i];
    }
  }
}

bool accepts_top_k(const Call& call) {
  return one_of(NumberTypes{}, call.inputs[0].dtype) && same_dtype(call.inputs[0], call.outputs[0]) &&
         same_quant(call.inputs[0], call.outputs[0]) && call.outputs[1].dtype == DType::Int64;
}
Prepared prepare_top_k(const Call& call, Weights&) {
  const int64_t axis = int_attribute(call.node.attributes, "axis", 0);
  const AxisSplit split = split_at(call.inputs[0].shape, axis);
  const bool largest = int_attribute(call.node.attributes, "largest", 1) != 0;
  TopKState s;
  s.extent = split.extent;
  s.inner = split.inner;
  s.k = call.outputs[0].shape[static_cast<size_t>(axis)];
  visit(NumberTypes{}, call.inputs[0].dtype,
        [&]<class T>(Tag<T>) { s.body = largest ? run_lanes<T, true> : run_lanes<T, false>; });
  s.tiles = tile_rows(split.outer * s.inner, s.extent);
  ScratchLayout scratch;
  scratch.add<int64_t>(s.extent);
  return make_tiled(std::move(s), scratch.bytes());
}

constexpr Kernel kTopKKernels[] = {{"TopK", "top_k_reference", 0, accepts_top_k, prepare_top_k, run_body<TopKState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_top_k_kernels() { return reference::kTopKKernels; }

}  // namespace openrknn
