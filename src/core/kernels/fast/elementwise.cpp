// Operators that visit every value once: unary functions, Softmax and LayerNormalization along contiguous rows.
#include <algorithm>
#include <cstring>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::present;
using reference::Tiles;

constexpr int64_t kHalvesTogether = 1024;  // Float16 values converted at a time

/// Rows of Float32 are worked on where they are, rows of Float16 in scratch.
struct RowState {
  const InnerLoops* loops = nullptr;
  bool half = false;
  Tiles tiles;
  Activation function;                 // unary
  int64_t length = 1;                  // Softmax, LayerNormalization: of a row
  reference::FloatVector scale, bias;  // LayerNormalization
  float epsilon = 0;
  int64_t scratch_at = 0;
};

bool takes_floats(const Call& call) {
  return reference::is_float(call.inputs[0]) && reference::same_dtype(call.inputs[0], call.outputs[0]);
}
RowState row_state(const Call& call, const InnerLoops& loops) {
  RowState s;
  s.loops = &loops;
  s.half = call.inputs[0].dtype == DType::Float16;
  return s;
}
Prepared finish(RowState s, int64_t scratch, int in_place) {
  const int64_t tiles = s.tiles.count();
  return {std::make_shared<const RowState>(s), tiles, scratch, in_place};
}
const RowState& row_state_of(const Prepared& prepared) { return *static_cast<const RowState*>(prepared.state.get()); }

// ---- Unary functions ----

bool accepts_unary(const Call& call) {
  return takes_floats(call) && !present(call.inputs, 1) && loop_function(call.node).has_value();
}
void run_unary_elements(const Prepared& prepared, std::span<const Buffer> buffers, const Stretches& elements,
                        std::byte* scratch) {
  const RowState& s = row_state_of(prepared);
  for (int64_t i = 0; i < elements.count; ++i) {
    const int64_t first = elements.first + i * elements.step, end = first + elements.length;
    if (!s.half) {
      s.loops->apply(s.function, reinterpret_cast<const float*>(buffers[0].data) + first,
                     reinterpret_cast<float*>(buffers.back().data) + first, elements.length);
      continue;
    }
    float* values = reinterpret_cast<float*>(scratch);
    for (int64_t at = first; at < end; at += kHalvesTogether) {
      const int64_t part = std::min(kHalvesTogether, end - at);
      s.loops->half_to_float(reinterpret_cast<const uint16_t*>(buffers[0].data) + at, values, part);
      s.loops->apply(s.function, values, values, part);
      s.loops->float_to_half(values, reinterpret_cast<uint16_t*>(buffers.back().data) + at, part);
    }
  }
}
void run_unary(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  run_unary_elements(prepared, buffers, reference::written_by(row_state_of(prepared).tiles, tile), scratch);
}
template <const InnerLoops& kLoops>
Prepared prepare_unary(const Call& call, Weights&) {
  RowState s = row_state(call, kLoops);
  s.function = *loop_function(call.node);
  s.tiles.total = element_count(call.outputs[0].shape);
  Prepared prepared = finish(s, kHalvesTogether * static_cast<int64_t>(sizeof(float)), 0);
  prepared.written = [](const Prepared& p, int64_t tile) { return reference::written_by(row_state_of(p).tiles, tile); };
  prepared.run_elements = run_unary_elements;
  prepared.element_inputs = 1;
  return prepared;
}

// ---- Softmax and LayerNormalization ----

/// Length of the contiguous rows from `axis` on.
int64_t row_length(const Call& call) {
  const Shape& x = call.inputs[0].shape;
  const int64_t rank = static_cast<int64_t>(x.size());
  int64_t length = 1;
  for (int64_t d = int_attribute(call.node.attributes, "axis", rank - 1); d < rank; ++d) {
    length *= x[static_cast<size_t>(d)];
  }
  return length;
}
bool accepts_softmax(const Call& call) {
  const Shape& x = call.inputs[0].shape;
  const int64_t last = static_cast<int64_t>(x.size()) - 1;
  return takes_floats(call) && !x.empty() && x.back() > 0 && int_attribute(call.node.attributes, "axis", last) == last;
}
/// Calls work(row of takes_floats in and out) for the tile's rows.
template <class Work>
void for_rows(const RowState& s, std::span<const Buffer> buffers, int64_t tile, float* scratch, Work work) {
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const int64_t at = row * s.length;
    if (s.half) {
      s.loops->half_to_float(reinterpret_cast<const uint16_t*>(buffers[0].data) + at, scratch, s.length);
      work(scratch, scratch);
      s.loops->float_to_half(scratch, reinterpret_cast<uint16_t*>(buffers.back().data) + at, s.length);
    } else {
      work(reinterpret_cast<const float*>(buffers[0].data) + at, reinterpret_cast<float*>(buffers.back().data) + at);
    }
  }
}
template <const InnerLoops& kLoops>
Prepared prepare_softmax(const Call& call, Weights&) {
  RowState s = row_state(call, kLoops);
  s.length = row_length(call);
  s.tiles = reference::tile_rows(element_count(call.inputs[0].shape) / s.length, s.length);
  const int64_t values = s.length <= kMostShort ? kHalvesTogether : s.length;
  return finish(s, values * static_cast<int64_t>(sizeof(float)), 0);
}
/// As many rows at once as fit the scratch.
void run_short_softmax(const RowState& s, std::span<const Buffer> buffers, int64_t tile, float* scratch) {
  const int64_t end = s.tiles.end(tile), most = s.half ? kHalvesTogether / s.length : end;
  for (int64_t row = s.tiles.begin(tile); row < end; row += most) {
    const int64_t rows = std::min(most, end - row), at = row * s.length;
    if (!s.half) {
      s.loops->softmax_short(reinterpret_cast<const float*>(buffers[0].data) + at,
                             reinterpret_cast<float*>(buffers.back().data) + at, rows, s.length);
      continue;
    }
    s.loops->half_to_float(reinterpret_cast<const uint16_t*>(buffers[0].data) + at, scratch, rows * s.length);
    s.loops->softmax_short(scratch, scratch, rows, s.length);
    s.loops->float_to_half(scratch, reinterpret_cast<uint16_t*>(buffers.back().data) + at, rows * s.length);
  }
}
void run_softmax(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const RowState& s = row_state_of(prepared);
  if (s.length <= kMostShort) return run_short_softmax(s, buffers, tile, reinterpret_cast<float*>(scratch));
  for_rows(s, buffers, tile, reinterpret_cast<float*>(scratch),
           [&](const float* in, float* out) { s.loops->softmax(in, out, s.length); });
}

bool accepts_layer_norm(const Call& call) {
  if (!takes_floats(call) || element_count(call.inputs[0].shape) == 0) return false;
  const int64_t length = row_length(call);
  for (size_t i = 1; i < 3 && present(call.inputs, i); ++i) {
    if (!reference::is_float(call.inputs[i]) || element_count(call.inputs[i].shape) != length) return false;
  }
  return present(call.inputs, 1);
}
template <const InnerLoops& kLoops>
Prepared prepare_layer_norm(const Call& call, Weights&) {
  RowState s = row_state(call, kLoops);
  reference::ScratchLayout scratch;
  s.length = row_length(call);
  s.scale = reference::FloatVector(call, 1, scratch);
  s.bias = reference::FloatVector(call, 2, scratch);
  s.scratch_at = scratch.add<float>(s.length);
  s.epsilon = static_cast<float>(float_attribute(call.node.attributes, "epsilon", 1e-5));
  s.tiles = reference::tile_rows(element_count(call.inputs[0].shape) / s.length, s.length);
  return finish(s, scratch.bytes(), 0);
}
void run_layer_norm(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const RowState& s = row_state_of(prepared);
  const float *scale = s.scale.read(buffers, scratch), *bias = s.bias.read(buffers, scratch);
  for_rows(s, buffers, tile, reference::scratch_at<float>(scratch, s.scratch_at), [&](const float* in, float* out) {
    if (in != out) std::memcpy(out, in, static_cast<size_t>(s.length) * sizeof(float));
    s.loops->layer_norm(out, s.length, scale, bias, s.epsilon);
  });
}

#define UNARY(op, cpu, name, needs) \
  { op, "unary_float_" name, needs, accepts_unary, prepare_unary<cpu::kLoops>, run_unary }
#define ROWS(cpu, name, needs)                                                                                  \
  UNARY("Elu", cpu, name, needs), UNARY("Selu", cpu, name, needs), UNARY("Celu", cpu, name, needs),             \
      UNARY("HardSigmoid", cpu, name, needs), UNARY("HardSwish", cpu, name, needs),                             \
      UNARY("Sigmoid", cpu, name, needs), UNARY("Tanh", cpu, name, needs), UNARY("Softplus", cpu, name, needs), \
      UNARY("Softsign", cpu, name, needs), UNARY("SiLU", cpu, name, needs), UNARY("Mish", cpu, name, needs),    \
      UNARY("Gelu", cpu, name, needs), UNARY("Erf", cpu, name, needs), UNARY("Exp", cpu, name, needs),          \
      UNARY("Log", cpu, name, needs), UNARY("Sqrt", cpu, name, needs), UNARY("LeakyRelu", cpu, name, needs),    \
      UNARY("Relu", cpu, name, needs), UNARY("Clip", cpu, name, needs),                                         \
      {"Softmax", "softmax_" name, needs, accepts_softmax, prepare_softmax<cpu::kLoops>, run_softmax},          \
      {"LayerNormalization", "layer_normalization_" name,     needs,                                            \
       accepts_layer_norm,   prepare_layer_norm<cpu::kLoops>, run_layer_norm},

constexpr Kernel kElementwiseKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef UNARY
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_elementwise_kernels() { return fast::kElementwiseKernels; }
}  // namespace openrknn
