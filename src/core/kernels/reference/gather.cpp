// Gather, GatherElements, GatherND, ScatterND, ScatterElements. Elements are moved, not computed with (reductions of
// the scatters excepted: in the order of the indices, integers wrap around). Negative indices count from the end; an
// index beyond the extent is refused when it is met.
#include <cstring>
#include <string>
#include <type_traits>

#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct GatherState {
  Body<GatherState> body = nullptr;
  std::string node;  // for messages
  DType index_dtype = DType::Int64;
  Shape extents;                             // those the parts of an index tuple run over
  std::vector<int64_t> strides;              // and what a step of each part is worth, in runs
  int64_t run_bytes = 0;                     // one index tuple moves this many bytes
  int64_t batch_tuples = 0, batch_runs = 0;  // index tuples of one batch, runs of the data it addresses
  Broadcast elements;                        // GatherElements: data without its axis as operand 0
  Tiles tiles;
};

/// Index number `at` of the list, 0 <= result < extent.
int64_t read_index(const GatherState& s, const std::byte* indices, int64_t at, int64_t extent) {
  const int64_t raw = s.index_dtype == DType::Int64 ? reinterpret_cast<const int64_t*>(indices)[at]
                                                    : reinterpret_cast<const int32_t*>(indices)[at];
  const int64_t index = raw < 0 ? raw + extent : raw;
  if (index < 0 || index >= extent) {
    fail(Code::RuntimeBadInput, Location{.node = s.node},
         "index " + std::to_string(raw) + " is out of range, expected " + std::to_string(-extent) + " to " +
             std::to_string(extent - 1),
         "feed indices that lie inside the gathered dimension");
  }
  return index;
}
/// Which run of its batch the tuple addresses.
int64_t tuple_run(const GatherState& s, const std::byte* indices, int64_t tuple) {
  const int64_t parts = static_cast<int64_t>(s.extents.size());
  int64_t run = 0;
  for (int64_t p = 0; p < parts; ++p) {
    const size_t part = static_cast<size_t>(p);
    run += read_index(s, indices, tuple * parts + p, s.extents[part]) * s.strides[part];
  }
  return run;
}

/// Gather is GatherND with one-part tuples that start over for every index of the dimensions before the axis.
template <bool shared_indices>
void run_gather(const GatherState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const std::byte* x = buffers[0].data;
  std::byte* y = buffers.back().data;
  for (int64_t at = s.tiles.begin(tile); at < s.tiles.end(tile); ++at) {
    const int64_t batch = at / s.batch_tuples;
    const int64_t run = tuple_run(s, buffers[1].data, shared_indices ? at % s.batch_tuples : at);
    std::memcpy(y + at * s.run_bytes, x + (batch * s.batch_runs + run) * s.run_bytes, static_cast<size_t>(s.run_bytes));
  }
}

template <class T>
void run_gather_elements(const GatherState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  const int64_t stride = s.elements.strides[0].back();
  for_rows(s.elements, s.tiles.begin(tile), s.tiles.end(tile),
           [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
             for (int64_t i = 0; i < count; ++i) {
               const int64_t index = read_index(s, buffers[1].data, position + i, s.extents[0]);
               y[position + i] = x[at[0] + i * stride + index * s.strides[0]];
             }
           });
}

int64_t product(const Shape& shape, size_t begin, size_t end) {
  int64_t count = 1;
  for (size_t d = begin; d < end; ++d) count *= shape[d];
  return count;
}

bool accepts_gather(const Call& call) {
  const Operand &x = call.inputs[0], &indices = call.inputs[1], &y = call.outputs[0];
  return same_dtype(x, y) && whole_bytes(x.dtype) != 0 && same_quant(x, y) &&
         (indices.dtype == DType::Int32 || indices.dtype == DType::Int64) && !indices.quant;
}
GatherState start_gather(const Call& call) {
  GatherState s;
  s.node = call.node.name;
  s.index_dtype = call.inputs[1].dtype;
  return s;
}
Prepared finish(GatherState s) { return make_tiled(std::move(s)); }

Prepared prepare_gather(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  const size_t axis = static_cast<size_t>(int_attribute(call.node.attributes, "axis", 0));
  GatherState s = start_gather(call);
  s.body = run_gather<true>;
  const int64_t inner = product(x, axis + 1, x.size());
  s.run_bytes = inner * whole_bytes(call.inputs[0].dtype);
  s.extents = {x[axis]};
  s.strides = {1};
  s.batch_tuples = element_count(call.inputs[1].shape);
  s.batch_runs = x[axis];
  s.tiles = tile_rows(product(x, 0, axis) * s.batch_tuples, inner);
  return finish(std::move(s));
}

Prepared prepare_gather_nd(const Call& call, Weights&) {
  const Shape &x = call.inputs[0].shape, &indices = call.inputs[1].shape;
  const size_t batch_dims = static_cast<size_t>(int_attribute(call.node.attributes, "batch_dims", 0));
  const size_t parts = static_cast<size_t>(indices.back()), run_dims = batch_dims + parts;
  GatherState s = start_gather(call);
  s.body = run_gather<false>;
  const int64_t inner = product(x, run_dims, x.size());
  s.run_bytes = inner * whole_bytes(call.inputs[0].dtype);
  for (size_t p = 0; p < parts; ++p) {
    s.extents.push_back(x[batch_dims + p]);
    s.strides.push_back(product(x, batch_dims + p + 1, run_dims));
  }
  s.batch_tuples = product(indices, batch_dims, indices.size() - 1);
  s.batch_runs = product(x, batch_dims, run_dims);
  s.tiles = tile_rows(product(indices, 0, indices.size() - 1), inner);
  return finish(std::move(s));
}

/// Where the elements that indices of shape `walked` address start, the step along `axis` left to the index.
Broadcast elements_along(const Shape& x, size_t axis, const Shape& walked) {
  Broadcast elements;
  elements.extents = walked;
  elements.strides[0] = strides_of(x);
  elements.strides[0][axis] = 0;
  elements.total = element_count(walked);
  return elements;
}

Prepared prepare_gather_elements(const Call& call, Weights&) {
  const Shape &x = call.inputs[0].shape, &y = call.outputs[0].shape;
  const size_t axis = static_cast<size_t>(int_attribute(call.node.attributes, "axis", 0));
  GatherState s = start_gather(call);
  s.extents = {x[axis]};
  s.strides = {strides_of(x)[axis]};
  s.elements = elements_along(x, axis, y);
  s.tiles = {s.elements.total};
  visit_size(whole_bytes(call.inputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_gather_elements<T>; });
  return finish(std::move(s));
}

// ---- ScatterND, ScatterElements: a copy of the data, then the updates in their order ----

struct Replace {
  template <class T>
  static T apply(T, T update) {
    return update;
  }
};
struct AddUpdate {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(uint64_t{a} + uint64_t{b});
    else
      return a + b;
  }
};
struct MulUpdate {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(uint64_t{a} * uint64_t{b});
    else
      return a * b;
  }
};
struct MaxUpdate {
  template <class T>
  static T apply(T a, T b) {
    return (a > b) | (a != a) ? a : b;
  }
};
struct MinUpdate {
  template <class T>
  static T apply(T a, T b) {
    return (a < b) | (a != a) ? a : b;
  }
};

template <class T, class Op>
void run_scatter(const GatherState& s, std::span<const Buffer> buffers, int64_t, std::byte*) {
  const T* updates = input<T>(buffers, 2);
  T* y = output<T>(buffers);
  const int64_t run = s.run_bytes / static_cast<int64_t>(sizeof(T));
  if (buffers[0].data != buffers.back().data) {
    std::memcpy(y, buffers[0].data, static_cast<size_t>(s.batch_runs * s.run_bytes));
  }
  for (int64_t tuple = 0; tuple < s.batch_tuples; ++tuple) {
    T* to = y + tuple_run(s, buffers[1].data, tuple) * run;
    for (int64_t i = 0; i < run; ++i) {
      to[i] = static_cast<T>(Op::apply(static_cast<Wide<T>>(to[i]), static_cast<Wide<T>>(updates[tuple * run + i])));
    }
  }
}

template <class T, class Op>
void run_scatter_elements(const GatherState& s, std::span<const Buffer> buffers, int64_t, std::byte*) {
  const T* updates = input<T>(buffers, 2);
  T* y = output<T>(buffers);
  if (buffers[0].data != buffers.back().data && s.run_bytes > 0) {
    std::memcpy(y, buffers[0].data, static_cast<size_t>(s.run_bytes));
  }
  const int64_t stride = s.elements.strides[0].back();
  for_rows(s.elements, 0, s.elements.total,
           [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
             for (int64_t i = 0; i < count; ++i) {
               const int64_t index = read_index(s, buffers[1].data, position + i, s.extents[0]);
               T& to = y[at[0] + i * stride + index * s.strides[0]];
               to = static_cast<T>(Op::apply(static_cast<Wide<T>>(to), static_cast<Wide<T>>(updates[position + i])));
             }
           });
}

/// Either operator's body for one type and one reduction.
template <class T, class Op>
Body<GatherState> scatter_body(bool elements) {
  return elements ? run_scatter_elements<T, Op> : run_scatter<T, Op>;
}

struct Reduction {
  std::string_view name;
  bool (*choose)(GatherState&, const Operand&, bool elements);
};
template <class Op>
bool choose_reduction(GatherState& s, const Operand& x, bool elements) {
  if (x.quant) return false;
  if constexpr (std::is_same_v<Op, MaxUpdate> || std::is_same_v<Op, MinUpdate>) {
    return visit(NumberTypes{}, x.dtype, [&]<class T>(Tag<T>) { s.body = scatter_body<T, Op>(elements); });
  } else {
    const auto choose = [&]<class T>(Tag<T>) { s.body = scatter_body<T, Op>(elements); };
    if (is_float(x)) return visit(FloatTypes{}, x.dtype, choose);
    // Signed overflow must wrap: computed in the unsigned type of the same size.
    return one_of(IntegerTypes{}, x.dtype) && visit_size(whole_bytes(x.dtype), choose);
  }
}
bool choose_replace(GatherState& s, const Operand& x, bool elements) {
  return visit_size(whole_bytes(x.dtype), [&]<class T>(Tag<T>) { s.body = scatter_body<T, Replace>(elements); });
}
constexpr Reduction kReductions[] = {{"none", choose_replace},
                                     {"add", choose_reduction<AddUpdate>},
                                     {"mul", choose_reduction<MulUpdate>},
                                     {"max", choose_reduction<MaxUpdate>},
                                     {"min", choose_reduction<MinUpdate>}};
bool choose_scatter(GatherState& s, const Call& call) {
  const std::string wanted = string_attribute(call.node.attributes, "reduction", "none");
  for (const Reduction& reduction : kReductions) {
    if (reduction.name == wanted) return reduction.choose(s, call.inputs[0], call.node.op == "ScatterElements");
  }
  return false;
}

bool accepts_scatter(const Call& call) {
  GatherState s;
  return accepts_gather(call) && same_dtype(call.inputs[2], call.outputs[0]) &&
         same_quant(call.inputs[2], call.outputs[0]) && choose_scatter(s, call);
}
Prepared prepare_scatter(const Call& call, Weights&) {
  const Shape &x = call.inputs[0].shape, &indices = call.inputs[1].shape;
  const size_t parts = static_cast<size_t>(indices.back());
  GatherState s = start_gather(call);
  choose_scatter(s, call);
  s.run_bytes = product(x, parts, x.size()) * whole_bytes(call.inputs[0].dtype);
  for (size_t p = 0; p < parts; ++p) {
    s.extents.push_back(x[p]);
    s.strides.push_back(product(x, p + 1, parts));
  }
  s.batch_tuples = product(indices, 0, indices.size() - 1);
  s.batch_runs = product(x, 0, parts);
  return make_prepared(std::move(s), 1, 0, 0);
}

Prepared prepare_scatter_elements(const Call& call, Weights&) {
  const Shape &x = call.inputs[0].shape, &indices = call.inputs[1].shape;
  const size_t axis = static_cast<size_t>(int_attribute(call.node.attributes, "axis", 0));
  GatherState s = start_gather(call);
  choose_scatter(s, call);
  s.run_bytes = element_count(x) * whole_bytes(call.inputs[0].dtype);
  s.elements = elements_along(x, axis, indices);
  s.extents = {x[axis]};
  s.strides = {strides_of(x)[axis]};
  return make_prepared(std::move(s), 1, 0, 0);
}

constexpr Kernel kGatherKernels[] = {
    {"Gather", "gather_reference", 0, accepts_gather, prepare_gather, run_body<GatherState>},
    {"GatherElements", "gather_elements_reference", 0, accepts_gather, prepare_gather_elements, run_body<GatherState>},
    {"GatherND", "gather_nd_reference", 0, accepts_gather, prepare_gather_nd, run_body<GatherState>},
    {"ScatterND", "scatter_nd_reference", 0, accepts_scatter, prepare_scatter, run_body<GatherState>},
    {"ScatterElements", "scatter_elements_reference", 0, accepts_scatter, prepare_scatter_elements,
     run_body<GatherState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_gather_kernels() { return reference::kGatherKernels; }

}  // namespace openrknn
