// Tensors made from shapes, indices and single numbers: OneHot Trilu Range ConstantOfShape Shape Size. All exact.
#include "core/kernels/reference/convert.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct SourceState {
  Body<SourceState> body = nullptr;
  DType index_dtype = DType::Int64;
  int64_t inner = 1, depth = 1;          // OneHot: output [outer, depth, inner]
  int64_t rows = 1, columns = 1, k = 0;  // Trilu: matrices of the last two dimensions
  bool upper = true;
  uint64_t fill = 0;           // Trilu and ConstantOfShape: the bytes of an element
  std::vector<int64_t> known;  // Shape and Size: the content
  Tiles tiles;
};

Prepared finish(const Call& call, SourceState s) {
  s.tiles = {element_count(call.outputs[0].shape)};
  return make_tiled(std::move(s));
}

// ---- OneHot: values[1] where the index names the position, values[0] elsewhere; negative indices count from the end
// ----

template <class Index, class T>
void run_one_hot(const SourceState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const Index* indices = input<Index>(buffers, 0);
  const T* values = input<T>(buffers, 1);
  T* y = output<T>(buffers);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    const int64_t position = i / s.inner % s.depth, outer = i / s.inner / s.depth;
    const int64_t index = convert_number<int64_t>(indices[outer * s.inner + i % s.inner]);
    y[i] = values[index == position || index + s.depth == position ? 1 : 0];
  }
}
bool accepts_one_hot(const Call& call) {
  const Operand &indices = call.inputs[0], &values = call.inputs[1], &y = call.outputs[0];
  return one_of(NumberTypes{}, indices.dtype) && !indices.quant && same_dtype(values, y) && whole_bytes(y.dtype) != 0 &&
         same_quant(values, y);
}
Prepared prepare_one_hot(const Call& call, Weights&) {
  const Shape& y = call.outputs[0].shape;
  const size_t axis = static_cast<size_t>(int_attribute(call.node.attributes, "axis", 0));
  SourceState s;
  s.depth = y[axis];
  for (size_t d = axis + 1; d < y.size(); ++d) s.inner *= y[d];
  visit(NumberTypes{}, call.inputs[0].dtype, [&]<class Index>(Tag<Index>) {
    visit_size(whole_bytes(call.outputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_one_hot<Index, T>; });
  });
  return finish(call, std::move(s));
}

// ---- Trilu ----

template <class T>
void run_trilu(const SourceState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  const T zero = static_cast<T>(s.fill);
  const int64_t end = s.tiles.end(tile);
  for (int64_t i = s.tiles.begin(tile); i < end;) {  // a row, or what the tile has of it
    const int64_t begin = i, row = i / s.columns, first = row * s.columns;
    const int64_t next = std::min(end, first + s.columns);
    // Column row + k lies on the diagonal, the first one that stays or the last.
    const int64_t border = std::clamp(first + row % s.rows + s.k + (s.upper ? 0 : 1), begin, next);
    if (s.upper) {
      std::fill(y + begin, y + border, zero);
      std::copy(x + border, x + next, y + border);
    } else {
      std::copy(x + begin, x + border, y + begin);
      std::fill(y + border, y + next, zero);
    }
    i = next;
  }
}
bool accepts_trilu(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return same_dtype(x, y) && whole_bytes(x.dtype) != 0 && same_quant(x, y) &&
         (!x.quant || x.quant->zero_point.size() == 1);
}
Prepared prepare_trilu(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  SourceState s;
  s.rows = x[x.size() - 2];
  s.columns = x.back();
  s.k = std::clamp(int_attribute(call.node.attributes, "k", 0), -s.rows - 1, s.columns + 1);
  s.upper = int_attribute(call.node.attributes, "upper", 1) != 0;
  if (call.outputs[0].quant) s.fill = static_cast<uint64_t>(call.outputs[0].quant->zero_point[0]);
  visit_size(whole_bytes(call.inputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_trilu<T>; });
  return finish(call, std::move(s));
}

// ---- Range: start + i * delta, floats by way of double ----

template <class T>
void run_range(const SourceState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T start = *input<T>(buffers, 0), delta = *input<T>(buffers, 2);
  T* y = output<T>(buffers);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    if constexpr (kIsFloating<T>) {
      y[i] = convert_number<T>(static_cast<double>(start) + static_cast<double>(i) * static_cast<double>(delta));
    } else {
      y[i] = static_cast<T>(static_cast<uint64_t>(start) + static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
    }
  }
}
using RangeTypes = Types<float, Float16, double, int16_t, int32_t, int64_t>;
bool accepts_range(const Call& call) {
  return one_of(RangeTypes{}, call.outputs[0].dtype) && same_dtype(call.inputs[0], call.outputs[0]) &&
         same_dtype(call.inputs[2], call.outputs[0]) && is_static(call.outputs[0].shape);
}
Prepared prepare_range(const Call& call, Weights&) {
  SourceState s;
  visit(RangeTypes{}, call.outputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_range<T>; });
  return finish(call, std::move(s));
}

// ---- ConstantOfShape, Shape, Size: known at plan time ----

template <class T>
void run_fill(const SourceState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  std::fill(output<T>(buffers) + s.tiles.begin(tile), output<T>(buffers) + s.tiles.end(tile), static_cast<T>(s.fill));
}
bool accepts_constant_of_shape(const Call& call) {
  return whole_bytes(call.outputs[0].dtype) != 0 && is_static(call.outputs[0].shape);
}
Prepared prepare_constant_of_shape(const Call& call, Weights&) {
  SourceState s;
  if (const auto value = call.node.attributes.find("value"); value != call.node.attributes.end()) {
    const std::span<const std::byte> bytes = std::get<Tensor>(value->second).bytes();
    std::memcpy(&s.fill, bytes.data(), std::min(bytes.size(), sizeof s.fill));
  }
  visit_size(whole_bytes(call.outputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_fill<T>; });
  return finish(call, std::move(s));
}

void run_known(const SourceState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    output<int64_t>(buffers)[i] = s.known[static_cast<size_t>(i)];
  }
}
bool accepts_known(const Call& call) {
  return call.outputs[0].dtype == DType::Int64 && call.inputs[0].layout == Layout::Logical &&
         is_static(call.inputs[0].shape);
}
Prepared prepare_shape(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  const int64_t rank = static_cast<int64_t>(x.size());
  const int64_t begin = std::clamp<int64_t>(int_attribute(call.node.attributes, "start", 0), 0, rank);
  const int64_t end = std::clamp<int64_t>(int_attribute(call.node.attributes, "end", rank), begin, rank);
  SourceState s;
  s.body = run_known;
  s.known.assign(x.begin() + begin, x.begin() + end);
  return finish(call, std::move(s));
}
Prepared prepare_size(const Call& call, Weights&) {
  SourceState s;
  s.body = run_known;
  s.known = {element_count(call.inputs[0].shape)};
  return finish(call, std::move(s));
}

constexpr Kernel kSourceKernels[] = {
    {"OneHot", "one_hot_reference", 0, accepts_one_hot, prepare_one_hot, run_body<SourceState>},
    {"Trilu", "trilu_reference", 0, accepts_trilu, prepare_trilu, run_body<SourceState>},
    {"Range", "range_reference", 0, accepts_range, prepare_range, run_body<SourceState>},
    {"ConstantOfShape", "constant_of_shape_reference", 0, accepts_constant_of_shape, prepare_constant_of_shape,
     run_body<SourceState>},
    {"Shape", "shape_reference", 0, accepts_known, prepare_shape, run_body<SourceState>},
    {"Size", "size_reference", 0, accepts_known, prepare_size, run_body<SourceState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_sources_kernels() { return reference::kSourceKernels; }

}  // namespace openrknn
