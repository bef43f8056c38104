// MatMul: numpy broadcasting of leading dimensions; a constant [K, N] right side is packed once, a computed one by each
// tile. Float32, Float16, and Int8 with constant weights.
#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::is_codes;
using reference::present;

/// Shapes as matrices: [batch…, rows, depth] x [batch…, depth, columns].
struct Matrices {
  Shape a_batch, b_batch, batch;
  int64_t rows = 1, depth = 1, columns = 1;
  bool shared_b = false;  ///< one constant [depth, columns] for every row
};
Matrices matrices(const Call& call) {
  const Shape &a = call.inputs[0].shape, &b = call.inputs[1].shape;
  Matrices m;
  m.rows = a[a.size() - 2];
  m.depth = a.back();
  m.columns = b.back();
  m.a_batch.assign(a.begin(), a.end() - 2);
  m.b_batch.assign(b.begin(), b.end() - 2);
  m.batch = *broadcast(m.a_batch, m.b_batch);
  m.shared_b = b.size() == 2 && call.inputs[1].constant != nullptr;
  return m;
}

bool fits(const Call& call) {
  const Shape &a = call.inputs[0].shape, &b = call.inputs[1].shape;
  return a.size() >= 2 && b.size() >= 2 && element_count(a) > 0 && element_count(b) > 0 &&
         (!present(call.inputs, 2) || call.inputs[2].constant != nullptr);
}
bool accepts_float(const Call& call) {
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  return fits(call) && reference::is_float(a) && reference::same_dtype(a, call.outputs[0]) && reference::is_float(b) &&
         (!present(call.inputs, 2) || reference::is_float(call.inputs[2])) && loop_activation(call.node).has_value();
}

Product product_of(const Call& call, const Matrices& m, const InnerLoops& loops, const Gemm& gemm) {
  Product p;
  p.loops = &loops;
  p.gemm = &gemm;
  p.input = call.inputs[0].dtype;
  p.output = call.outputs[0].dtype;
  p.in_channels = m.depth;
  p.out_channels = m.columns;
  ProductPart part;
  part.taps = {0};
  if (m.shared_b) {
    part.width.in = part.width.out = element_count(m.a_batch) * m.rows;
  } else {
    part.width.in = part.width.out = m.rows;
    p.images = element_count(m.batch);
    const std::vector<int64_t> a = reference::broadcast_strides(m.a_batch, m.batch);
    const std::vector<int64_t> b = reference::broadcast_strides(m.b_batch, m.batch);
    for (int64_t i = 0; i < p.images; ++i) {
      p.a_offsets.push_back(reference::broadcast_offset(i, m.batch, a) * m.rows * m.depth);
      p.b_offsets.push_back(reference::broadcast_offset(i, m.batch, b) * m.depth * m.columns);
    }
    p.b = call.inputs[1].dtype;
  }
  p.out_width = part.width.out;
  p.parts.push_back(std::move(part));
  return p;
}

Prepared finish(Product p) {
  const uint32_t unread = p.b_offsets.empty() ? 0b1110 : 0b1100;  // packed: b if constant, bias, table
  const int64_t tiles = p.tiles, scratch = p.scratch;
  return {std::make_shared<const Product>(std::move(p)), tiles, scratch, -1, unread};
}

template <const InnerLoops& kLoops>
Prepared prepare_float(const Call& call, Weights& cache) {
  const Matrices m = matrices(call);
  Product p = product_of(call, m, kLoops, kLoops.gemm_float);
  p.bias = padded_bias(p, present(call.inputs, 2) ? call.inputs[2].constant : nullptr);
  p.activation = *loop_activation(call.node);
  plan_tiles(p);
  if (m.shared_b) {
    const Tensor& b = *call.inputs[1].constant;
    reference::visit(reference::FloatTypes{}, b.dtype(), [&]<class T>(reference::Tag<T>) {
      const T* values = reinterpret_cast<const T*>(b.bytes().data());
      pack_weights(p, cache, "fast_MatMul " + Weights::identity(b), [&](int64_t, int64_t column, int64_t, int64_t k) {
        return static_cast<float>(values[k * m.columns + column]);
      });
    });
  }
  return finish(std::move(p));
}

std::span<const int32_t> code_bias(const Call& call) {
  return present(call.inputs, 2) ? call.inputs[2].constant->values<int32_t>() : std::span<const int32_t>{};
}
bool accepts_codes(const Call& call) {
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  if (call.ideal || !fits(call) || !is_codes(a) || !is_codes(call.outputs[0])) return false;
  if (b.constant == nullptr || b.shape.size() != 2 || b.dtype != DType::Int8 || b.quant == nullptr) return false;
  if (b.quant->scale.size() != 1 && b.quant->axis != 1) return false;
  if (!reference::is_lowered(call)) return false;
  if (present(call.inputs, 2) && call.inputs[2].dtype != DType::Int32) return false;
  return stage_fits(output_stage(call, a, b), code_bias(call), b.shape[0]);
}
template <const InnerLoops& kLoops>
Prepared prepare_codes(const Call& call, Weights& cache) {
  const Matrices m = matrices(call);
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  Product p = product_of(call, m, kLoops, kLoops.gemm_codes);
  const int8_t* values = b.constant->values<int8_t>().data();
  const auto weight_sum = [&](int64_t column) {
    int64_t sum = 0;
    for (int64_t k = 0; k < m.depth; ++k) sum += values[k * m.columns + column];
    return sum;
  };
  fill_output_stage(p, output_stage(call, a, b), a.quant->zero_point[0], b.quant->zero_point, code_bias(call), m.depth,
                    weight_sum);
  plan_tiles(p);
  pack_weights(
      p, cache, "fast_MatMul " + Weights::identity(*b.constant),
      [&](int64_t, int64_t column, int64_t, int64_t k) { return static_cast<float>(values[k * m.columns + column]); });
  return finish(std::move(p));
}

void run(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  run_product(*static_cast<const Product*>(prepared.state.get()), buffers, tile, scratch);
}

#define CODE_ROWS(cpu, name, needs) \
  {"MatMul", "matmul_i8_" name, needs, accepts_codes, prepare_codes<cpu::kLoops>, run},
#define ALL_ROWS(cpu, name, needs) \
  {"MatMul", "matmul_float_" name, needs, accepts_float, prepare_float<cpu::kLoops>, run}, CODE_ROWS(cpu, name, needs)

constexpr Kernel kRows[] = {OPENRKNN_FAST_CODE_CPUS(CODE_ROWS) OPENRKNN_FAST_CPUS(ALL_ROWS)};
#undef CODE_ROWS
#undef ALL_ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_matmul_kernels() { return fast::kRows; }
}  // namespace openrknn
