// MatMul on codes, with constant weights (per column parameters, bias) or two computed operands.
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace {

using namespace reference;

struct MatMulState {
  OutputStage stage;
  int64_t rows = 1, depth = 1, columns = 1, batches = 1;
  std::vector<int64_t> a_offset, b_offset;  // per batch, in elements
  int32_t a_zero_point = 0;
  std::vector<int32_t> b_zero_point;  // one, or one per column
  bool has_bias = false;
  Body<MatMulState> body = nullptr;
};

template <class Code>
void run_row(const MatMulState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const int64_t batch = tile / s.rows, row = tile % s.rows;
  const auto* a = input<Code>(buffers, 0) + s.a_offset[static_cast<size_t>(batch)] + row * s.depth;
  const auto* b = input<Code>(buffers, 1) + s.b_offset[static_cast<size_t>(batch)];
  auto* y = output<Code>(buffers) + tile * s.columns;
  for (int64_t n = 0; n < s.columns; ++n) {
    const int32_t zb = s.b_zero_point[s.b_zero_point.size() == 1 ? 0 : static_cast<size_t>(n)];
    int64_t acc = s.has_bias ? bias_of<Code>(buffers, 2, n) : 0;
    for (int64_t k = 0; k < s.depth; ++k) acc += int64_t{a[k] - s.a_zero_point} * (b[k * s.columns + n] - zb);
    y[n] = static_cast<Code>(s.stage.code(acc, n));
  }
}

bool accepts_quantized_matmul(const Call& call) {
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  if (!is_coded_as(a, call.outputs[0]) || b.dtype != a.dtype || b.quant == nullptr) return false;
  const bool columns_only = b.quant->scale.size() == 1 || b.quant->axis == static_cast<int>(b.shape.size()) - 1;
  return columns_only && bias_fits(call) && is_lowered(call) && !a.shape.empty() && !b.shape.empty();
}

Prepared prepare_quantized_matmul(const Call& call, Weights&) {
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  Shape left = a.shape, right = b.shape;
  if (left.size() == 1) left.insert(left.begin(), 1);  // numpy: a vector is a row on the left, a column on the right
  if (right.size() == 1) right.push_back(1);
  MatMulState state;
  state.rows = left[left.size() - 2];
  state.depth = left.back();
  state.columns = right.back();
  const Shape a_batch(left.begin(), left.end() - 2), b_batch(right.begin(), right.end() - 2);
  const Shape batch = broadcast(a_batch, b_batch).value();
  state.batches = element_count(batch);
  const std::vector<int64_t> a_strides = broadcast_strides(a_batch, batch);
  const std::vector<int64_t> b_strides = broadcast_strides(b_batch, batch);
  for (int64_t i = 0; i < state.batches; ++i) {
    state.a_offset.push_back(broadcast_offset(i, batch, a_strides) * state.rows * state.depth);
    state.b_offset.push_back(broadcast_offset(i, batch, b_strides) * state.depth * state.columns);
  }
  state.stage = output_stage(call, a, b);
  state.a_zero_point = a.quant->zero_point[0];
  state.b_zero_point = b.quant->zero_point;
  state.has_bias = present(call.inputs, 2);
  visit(CodeTypes{}, a.dtype, [&]<class Code>(Tag<Code>) { state.body = run_row<Code>; });
  const int64_t tiles = state.batches * state.rows;
  return make_prepared(std::move(state), tiles);
}

constexpr Kernel kMatmulQuantizedKernels[] = {{.op = "MatMul",
                                               .name = "matmul_codes_reference",
                                               .accepts = accepts_quantized_matmul,
                                               .prepare = prepare_quantized_matmul,
                                               .run = run_body<MatMulState>}};

}  // namespace

std::span<const Kernel> matmul_quantized_kernels() { return kMatmulQuantizedKernels; }

}  // namespace openrknn
