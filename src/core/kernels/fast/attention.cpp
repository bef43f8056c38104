// Attention as two products of panels with rows of Softmax between them. A tile takes a block of queries: its scores
// never leave scratch memory, and each panel of keys or values is packed once for all of them.
#include <algorithm>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/panel_product.h"
#include "core/kernels/reference/broadcast.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::present;
using reference::scratch_at;

constexpr int64_t kBlock = 64;  // queries: packing costs a 64th of the products

struct AttentionState {
  const InnerLoops* loops = nullptr;
  PanelProduct product;
  bool half = false, masked = false;
  int64_t queries = 1, keys = 1, size = 1, value_size = 1, blocks = 1;
  float scale = 1;
  reference::Broadcast mask;  // operand 0, over all scores
  int64_t padded_keys = 1, padded_values = 1;
  int64_t input_at = 0, line_at = 0, panel_at = 0, scores_at = 0, results_at = 0, partial_at = 0;

  int64_t panels(int64_t columns) const { return (columns + product.columns() - 1) / product.columns(); }
};

/// `count` elements from `at` on as floats: where they lie, or in `room`.
const float* floats(const AttentionState& s, const Buffer& buffer, int64_t at, int64_t count, float* room) {
  if (!s.half) return reinterpret_cast<const float*>(buffer.data) + at;
  s.loops->half_to_float(reinterpret_cast<const uint16_t*>(buffer.data) + at, room, count);
  return room;
}

/// Rows of a matrix and where their results go, as PanelProduct wants them.
struct Rows {
  const float* from[kBlock];
  float* to[kBlock];
  int64_t count = 0;
  Rows(const float* first, int64_t step, float* results, int64_t result_step, int64_t rows) : count(rows) {
    for (int64_t i = 0; i < rows; ++i) {
      from[i] = first + i * step;
      to[i] = results + i * result_step;
    }
  }
  void advance(int64_t columns) {
    for (int64_t i = 0; i < count; ++i) to[i] += columns;
  }
};
/// Packs `count` columns from `first` on of a matrix of `rows` rows, zeros behind them.
void pack(const AttentionState& s, const Buffer& from, int64_t matrix_at, int64_t rows, int64_t width, int64_t first,
          std::byte* scratch) {
  const int64_t columns = s.product.columns(), count = std::min(columns, width - first);
  float *panel = scratch_at<float>(scratch, s.panel_at), *line = scratch_at<float>(scratch, s.line_at);
  for (int64_t row = 0; row < rows; ++row, panel += columns) {
    std::copy_n(floats(s, from, matrix_at + row * width + first, count, line), count, panel);
    std::fill(panel + count, panel + columns, 0.0f);
  }
}

void soften(const AttentionState& s, std::span<const Buffer> buffers, int64_t row, float* scores, float* line) {
  for (int64_t m = 0; m < s.keys; ++m) scores[m] *= s.scale;
  if (s.masked) {
    reference::for_rows(s.mask, row * s.keys, (row + 1) * s.keys,
                        [&](int64_t position, int64_t count, const std::array<int64_t, reference::kMaxOperands>& at) {
                          float* to = scores + (position - row * s.keys);
                          const int64_t step = s.mask.strides[0].back();
                          const float* mask = floats(s, buffers[3], at[0], step == 0 ? 1 : count, line);
                          for (int64_t m = 0; m < count; ++m) to[m] += mask[m * step];
                        });
  }
  s.loops->softmax(scores, scores, s.keys);
}

/// Rows times a [depth, width] matrix of buffer `from`, panel by panel.
void multiply(const AttentionState& s, const Buffer& from, int64_t matrix, int64_t depth, int64_t width, Rows rows,
              std::byte* scratch) {
  for (int64_t first = 0; first < width; first += s.product.columns()) {
    pack(s, from, matrix * depth * width, depth, width, first, scratch);
    s.product.run({.rows = rows.from,
                   .row_count = rows.count,
                   .depth = depth,
                   .panel = scratch_at<float>(scratch, s.panel_at),
                   .outputs = rows.to,
                   .partial = scratch + s.partial_at});
    rows.advance(s.product.columns());
  }
}

void run_attention(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const AttentionState& s = *static_cast<const AttentionState*>(prepared.state.get());
  const int64_t matrix = tile / s.blocks, begin = tile % s.blocks * kBlock;
  const int64_t count = std::min(kBlock, s.queries - begin), row = matrix * s.queries + begin;
  float *scores = scratch_at<float>(scratch, s.scores_at), *results = scratch_at<float>(scratch, s.results_at);
  const float* q = floats(s, buffers[0], row * s.size, count * s.size, scratch_at<float>(scratch, s.input_at));
  multiply(s, buffers[1], matrix, s.size, s.keys, Rows(q, s.size, scores, s.padded_keys, count), scratch);
  for (int64_t i = 0; i < count; ++i) {
    soften(s, buffers, row + i, scores + i * s.padded_keys, scratch_at<float>(scratch, s.line_at));
  }
  multiply(s, buffers[2], matrix, s.keys, s.value_size, Rows(scores, s.padded_keys, results, s.padded_values, count),
           scratch);
  for (int64_t i = 0; i < count; ++i) {
    const float* from = results + i * s.padded_values;
    const int64_t at = (row + i) * s.value_size;
    if (s.half) {
      s.loops->float_to_half(from, reinterpret_cast<uint16_t*>(buffers.back().data) + at, s.value_size);
    } else {
      std::copy_n(from, s.value_size, reinterpret_cast<float*>(buffers.back().data) + at);
    }
  }
}

bool accepts_attention(const Call& call) {
  if (!reference::is_float(call.inputs[0]) || !reference::same_dtype(call.inputs[0], call.outputs[0])) return false;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (!call.inputs[i].present) continue;
    if (!reference::same_dtype(call.inputs[i], call.inputs[0]) || element_count(call.inputs[i].shape) == 0) {
      return false;
    }
  }
  return true;
}

template <const InnerLoops& kLoops, CpuFeatures kNeeds>
Prepared prepare_attention(const Call& call, Weights&) {
  const Shape &q = call.inputs[0].shape, &v = call.inputs[2].shape;
  AttentionState s;
  s.loops = &kLoops;
  s.product = PanelProduct(kNeeds);
  s.half = call.inputs[0].dtype == DType::Float16;
  s.queries = q[q.size() - 2];
  s.size = q.back();
  s.keys = v[v.size() - 2];
  s.value_size = v.back();
  s.blocks = (s.queries + kBlock - 1) / kBlock;
  s.scale = static_cast<float>(float_attribute(call.node.attributes, "scale", 1));
  s.masked = present(call.inputs, 3);
  if (s.masked) {
    Shape scores = q;
    scores.back() = s.keys;
    s.mask = reference::Broadcast(scores, {&call.inputs[3].shape});
  }
  const int64_t columns = s.product.columns();
  s.padded_keys = s.panels(s.keys) * columns;
  s.padded_values = s.panels(s.value_size) * columns;
  reference::ScratchLayout scratch;
  if (s.half) s.input_at = scratch.add<float>(kBlock * s.size);
  s.line_at = scratch.add<float>(std::max({s.size, s.keys, columns}));
  s.panel_at = scratch.add<float>(std::max(s.size, s.keys) * columns);
  s.scores_at = scratch.add<float>(kBlock * s.padded_keys);
  s.results_at = scratch.add<float>(kBlock * s.padded_values);
  s.partial_at = scratch.add<float>(kBlock * columns);
  const int64_t matrices = element_count(Shape(q.begin(), q.end() - 2)), tiles = matrices * s.blocks;
  return reference::make_prepared(std::move(s), tiles, scratch.bytes());
}

#define ROW(cpu, name, needs) \
  {"Attention", "attention_" name, needs, accepts_attention, prepare_attention<cpu::kLoops, needs>, run_attention},
constexpr Kernel kAttentionKernels[] = {OPENRKNN_FAST_CPUS(ROW)};
#undef ROW

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_attention_kernels() { return fast::kAttentionKernels; }
}  // namespace openrknn
