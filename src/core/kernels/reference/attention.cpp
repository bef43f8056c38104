// Attention: per matrix of the batch, queries [N, D], keys [D, M] and values [M, E] give [N, E], float32 throughout.
// Float rule (docs/arithmetic.md): a score is a sum with fma over d ascending, from +0; times scale; plus the mask; the
// row of scores is made one of Softmax (16 interleaved accumulators); a result is a sum with fma over the keys
// ascending, from +0, and rounded to the dtype. In float32 these are the bits of MatMul, Mul, Add, Softmax, MatMul.
#include <cmath>
#include <limits>

#include "core/kernels/math.h"
#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/sums.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct AttentionState {
  Body<AttentionState> body = nullptr;
  int64_t queries = 1, keys = 1, size = 1, value_size = 1;
  float scale = 1;
  bool masked = false;
  Broadcast mask;  // operand 0, over all scores
  int64_t block = 1, blocks = 1;
  int64_t q_at = 0, k_at = 0, v_at = 0, scores_at = 0, mask_at = 0, sums_at = 0;
};

/// scores[m] = query m times scale, plus the mask, is made exp(scores[m] - max) / sum.
void soften(float* scores, int64_t count) {
  float max = -std::numeric_limits<float>::infinity();
  for (int64_t m = 0; m < count; ++m) max = scores[m] > max ? scores[m] : max;
  for (int64_t m = 0; m < count; ++m) scores[m] = math::exp(scores[m] - max);
  const float sum = sum_contiguous(scores, count);
  for (int64_t m = 0; m < count; ++m) scores[m] /= sum;
}

template <class T>
void add_mask(const AttentionState& s, std::span<const Buffer> buffers, int64_t row, float* line, float* scores) {
  const T* mask = input<T>(buffers, 3);
  for_rows(s.mask, row * s.keys, (row + 1) * s.keys,
           [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
             float* to = scores + (position - row * s.keys);
             const int64_t step = s.mask.strides[0].back();
             load_floats(mask + at[0], line, step == 0 ? 1 : count);
             for (int64_t m = 0; m < count; ++m) to[m] += line[m * step];
           });
}

template <class T>
void run_block(const AttentionState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const int64_t matrix = tile / s.blocks, begin = tile % s.blocks * s.block;
  const int64_t end = std::min(s.queries, begin + s.block);
  float *q = scratch_at<float>(scratch, s.q_at), *k = scratch_at<float>(scratch, s.k_at);
  float *v = scratch_at<float>(scratch, s.v_at), *scores = scratch_at<float>(scratch, s.scores_at);
  float* sums = scratch_at<float>(scratch, s.sums_at);
  load_floats(input<T>(buffers, 1) + matrix * s.keys * s.size, k, s.keys * s.size);
  load_floats(input<T>(buffers, 2) + matrix * s.keys * s.value_size, v, s.keys * s.value_size);
  for (int64_t query = begin; query < end; ++query) {
    const int64_t row = matrix * s.queries + query;
    load_floats(input<T>(buffers, 0) + row * s.size, q, s.size);
    for (int64_t m = 0; m < s.keys; ++m) {
      float score = 0;
      for (int64_t d = 0; d < s.size; ++d) score = std::fma(q[d], k[d * s.keys + m], score);
      scores[m] = score * s.scale;
    }
    if (s.masked) add_mask<T>(s, buffers, row, scratch_at<float>(scratch, s.mask_at), scores);
    soften(scores, s.keys);
    std::fill_n(sums, s.value_size, 0.0f);
    for (int64_t m = 0; m < s.keys; ++m) {
      for (int64_t e = 0; e < s.value_size; ++e) sums[e] = std::fma(scores[m], v[m * s.value_size + e], sums[e]);
    }
    store_floats(sums, output<T>(buffers) + row * s.value_size, s.value_size);
  }
}

bool accepts_attention(const Call& call) {
  if (!is_float(call.inputs[0]) || !same_dtype(call.inputs[0], call.outputs[0])) return false;
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    if (call.inputs[i].present && !same_dtype(call.inputs[i], call.inputs[0])) return false;
  }
  return true;
}

Prepared prepare_attention(const Call& call, Weights&) {
  const Shape &q = call.inputs[0].shape, &v = call.inputs[2].shape;
  AttentionState s;
  ScratchLayout scratch;
  s.queries = q[q.size() - 2];
  s.size = q.back();
  s.keys = v[v.size() - 2];
  s.value_size = v.back();
  s.scale = static_cast<float>(float_attribute(call.node.attributes, "scale", 1));
  s.masked = present(call.inputs, 3);
  if (s.masked) {
    Shape scores = q;
    scores.back() = s.keys;
    s.mask = Broadcast(scores, {&call.inputs[3].shape});
    s.mask_at = scratch.add<float>(s.keys);
  }
  s.q_at = scratch.add<float>(s.size);
  s.k_at = scratch.add<float>(s.keys * s.size);
  s.v_at = scratch.add<float>(s.keys * s.value_size);
  s.scores_at = scratch.add<float>(s.keys);
  s.sums_at = scratch.add<float>(s.value_size);
  // Keys and values are loaded once a block.
  const Tiles tiles = tile_rows(s.queries, s.keys);
  s.block = tiles.block;
  s.blocks = tiles.count();
  const int64_t matrices = element_count(Shape(q.begin(), q.end() - 2));
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_block<T>; });
  const int64_t total = matrices * s.blocks, bytes = scratch.bytes();
  return make_prepared(std::move(s), total, bytes);
}

constexpr Kernel kAttentionKernels[] = {
    {"Attention", "attention_reference", 0, accepts_attention, prepare_attention, run_body<AttentionState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_attention_kernels() { return reference::kAttentionKernels; }

}  // namespace openrknn
