// LinearAttention: per sequence and key head a state [key size, value size], float32 throughout.
// Float rule (docs/arithmetic.md), each step: the state is multiplied by exp(decay); what it holds for the key is a sum
// with fma over the key's elements ascending, from +0, and is taken off the value, times beta; key times value is added
// to the state with one fma; the result is a sum with fma over the query's elements ascending, from +0, times scale.
#include <cmath>

#include "core/kernels/math.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct LinearState {
  Body<LinearState> body = nullptr;
  int64_t batch = 1, steps = 0, heads = 1, group = 1, size = 1, value_size = 1;
  bool gated = false, delta = false;
  int64_t decays = 0, betas = 0;  // last extents
  float scale = 1;
  DType past = DType::Float32;
  bool has_past = false;
  size_t outputs = 0;  // place of the first output buffer
  int64_t state_at = 0, q_at = 0, k_at = 0, v_at = 0, decay_at = 0, sum_at = 0;
};

/// sums[m] = Σ_d x[d] · state[d][m].
void look_up(const float* x, const float* state, int64_t size, int64_t value_size, float* sums) {
  std::fill_n(sums, value_size, 0.0f);
  for (int64_t d = 0; d < size; ++d) {
    for (int64_t m = 0; m < value_size; ++m) sums[m] = std::fma(x[d], state[d * value_size + m], sums[m]);
  }
}

template <class T>
void run_head(const LinearState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const int64_t b = tile / s.heads, head = tile % s.heads, cells = s.size * s.value_size;
  float* state = scratch_at<float>(scratch, s.state_at);
  float *q = scratch_at<float>(scratch, s.q_at), *k = scratch_at<float>(scratch, s.k_at);
  float *v = scratch_at<float>(scratch, s.v_at), *decay = scratch_at<float>(scratch, s.decay_at);
  float* sum = scratch_at<float>(scratch, s.sum_at);
  const auto read = [&](size_t index, int64_t row_size, int64_t row, int64_t at, int64_t count, float* to) {
    load_floats(input<T>(buffers, index) + row * row_size + at, to, count);
  };
  std::fill_n(state, cells, 0.0f);
  if (s.has_past) {
    load_floats(s.past, buffers[3].data + tile * cells * whole_bytes(s.past), state, cells);
  }
  T* y = reinterpret_cast<T*>(buffers[s.outputs].data);
  for (int64_t step = 0; step < s.steps; ++step) {
    const int64_t row = b * s.steps + step;
    read(1, s.heads * s.size, row, head * s.size, s.size, k);
    read(2, s.heads * s.value_size, row, head * s.value_size, s.value_size, v);
    if (s.gated) {
      const bool one = s.decays == s.heads;
      const int64_t count = one ? 1 : s.size;
      read(4, s.decays, row, head * count, count, decay);
      for (int64_t d = 0; d < count; ++d) decay[d] = math::exp(decay[d]);
      for (int64_t d = 0; d < s.size; ++d) {
        for (int64_t m = 0; m < s.value_size; ++m) state[d * s.value_size + m] *= decay[one ? 0 : d];
      }
    }
    if (s.delta) {
      float beta = 0;
      read(5, s.betas, row, s.betas == 1 ? 0 : head, 1, &beta);
      look_up(k, state, s.size, s.value_size, sum);
      for (int64_t m = 0; m < s.value_size; ++m) v[m] = beta * (v[m] - sum[m]);
    }
    for (int64_t d = 0; d < s.size; ++d) {
      float* line = state + d * s.value_size;
      for (int64_t m = 0; m < s.value_size; ++m) line[m] = std::fma(k[d], v[m], line[m]);
    }
    for (int64_t g = 0; y && g < s.group; ++g) {
      const int64_t query = head * s.group + g, queries = s.heads * s.group;
      read(0, queries * s.size, row, query * s.size, s.size, q);
      look_up(q, state, s.size, s.value_size, sum);
      for (int64_t m = 0; m < s.value_size; ++m) sum[m] *= s.scale;
      store_floats(sum, y + (row * queries + query) * s.value_size, s.value_size);
    }
  }
  if (s.outputs + 1 >= buffers.size() || buffers[s.outputs + 1].data == nullptr) return;
  store_floats(state, reinterpret_cast<T*>(buffers[s.outputs + 1].data) + tile * cells, cells);
}

bool accepts_linear_attention(const Call& call) {
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (!call.inputs[i].present) continue;
    if (!is_float(call.inputs[i]) || (i != 3 && !same_dtype(call.inputs[i], call.inputs[0]))) return false;
  }
  for (const Operand& output : call.outputs) {
    if (output.present && !same_dtype(output, call.inputs[0])) return false;
  }
  return true;
}

Prepared prepare_linear_attention(const Call& call, Weights&) {
  const Attributes& attributes = call.node.attributes;
  const Shape &q = call.inputs[0].shape, &v = call.inputs[2].shape;
  LinearState s;
  ScratchLayout scratch;
  const int64_t queries = int_attribute(attributes, "q_num_heads", 1);
  s.batch = q[0];
  s.steps = q[1];
  s.heads = int_attribute(attributes, "kv_num_heads", 1);
  s.group = queries / s.heads;
  s.size = q[2] / queries;
  s.value_size = v[2] / s.heads;
  s.scale = static_cast<float>(float_attribute(attributes, "scale", 1));
  s.has_past = present(call.inputs, 3);
  if (s.has_past) s.past = call.inputs[3].dtype;
  s.gated = present(call.inputs, 4);
  s.delta = present(call.inputs, 5);
  if (s.gated) s.decays = call.inputs[4].shape[2];
  if (s.delta) s.betas = call.inputs[5].shape[2];
  s.outputs = call.inputs.size();
  s.state_at = scratch.add<float>(s.size * s.value_size);
  s.q_at = scratch.add<float>(s.size);
  s.k_at = scratch.add<float>(s.size);
  s.decay_at = scratch.add<float>(s.size);
  s.v_at = scratch.add<float>(s.value_size);
  s.sum_at = scratch.add<float>(s.value_size);
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_head<T>; });
  const int64_t tiles = s.batch * s.heads;
  return make_prepared(std::move(s), tiles, scratch.bytes());
}

constexpr Kernel kLinearAttentionKernels[] = {{"LinearAttention", "linear_attention_reference", 0,
                                               accepts_linear_attention, prepare_linear_attention,
                                               run_body<LinearState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_linear_attention_kernels() { return reference::kLinearAttentionKernels; }

}  // namespace openrknn
