// MatMul on Float32, Float16 and Int8: numpy broadcasting of leading dimensions; a constant [K, N] right side is packed
// once, a computed one by each tile.
#include <cstdlib>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::present;

/// Shapes as matrices: [batch…, rows, depth] x [batch…, depth, columns].
struct Matrices {
  Shape a_batch, b_batch, batch;
  int64_t rows = 1, depth = 1, columns = 1;
  bool one_b = false;     ///< the same [depth, columns] for every row
  bool packed_b = false;  ///< and constant
};
Matrices matrices(const Call& call) {
  Shape a = call.inputs[0].shape, b = call.inputs[1].shape;
  if (a.size() == 1) a.insert(a.begin(), 1);  // numpy: a vector is a row on the left, a column on the right
  if (b.size() == 1) b.push_back(1);
  Matrices m;
  m.rows = a[a.size() - 2];
  m.depth = a.back();
  m.columns = b.back();
  m.a_batch.assign(a.begin(), a.end() - 2);
  m.b_batch.assign(b.begin(), b.end() - 2);
  m.batch = *broadcast(m.a_batch, m.b_batch);
  m.one_b = element_count(m.b_batch) == 1;
  m.packed_b = m.one_b && call.inputs[1].constant != nullptr;
  return m;
}

bool fits_matmul(const Call& call) {
  const Shape &a = call.inputs[0].shape, &b = call.inputs[1].shape;
  return !a.empty() && !b.empty() && element_count(a) > 0 && element_count(b) > 0 &&
         (!present(call.inputs, 2) || call.inputs[2].constant != nullptr);
}
bool accepts_matmul_float(const Call& call) { return fits_matmul(call) && floats_fit(call); }
bool accepts_matmul_codes(const Call& call) {
  const Operand& b = call.inputs[1];
  const int last = static_cast<int>(b.shape.size()) - 1;
  return fits_matmul(call) && codes_fit(call, call.inputs[0].shape.back()) &&
         (b.quant->scale.size() == 1 || (last > 0 && b.quant->axis == last));
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
  const std::vector<int64_t> a = reference::broadcast_strides(m.a_batch, m.batch);
  const std::vector<int64_t> b = reference::broadcast_strides(m.b_batch, m.batch);
  p.images = m.one_b ? 1 : element_count(m.batch);
  part.width.in = part.width.out = m.rows * (m.one_b ? element_count(m.a_batch) : 1);
  for (int64_t i = 0; i < p.images && !m.packed_b; ++i) {
    p.a_offsets.push_back(reference::broadcast_offset(i, m.batch, a) * m.rows * m.depth);
    p.b_offsets.push_back(reference::broadcast_offset(i, m.batch, b) * m.depth * m.columns);
  }
  p.b = call.inputs[1].dtype;
  p.out_width = part.width.out;
  p.parts.push_back(std::move(part));
  return p;
}

Prepared finish(Product p) {
  const uint32_t unread = p.b_offsets.empty() ? 0b1110 : 0b1100;  // packed: b if constant, bias, table
  return prepare_product(std::move(p), unread);
}

template <const InnerLoops& kLoops>
Prepared prepare_matmul_float(const Call& call, Weights& cache) {
  const Matrices m = matrices(call);
  Product p = product_of(call, m, kLoops, kLoops.gemm_float);
  p.bias = padded_bias(p, present(call.inputs, 2) ? call.inputs[2].constant : nullptr);
  p.activation = *loop_activation(call.node);
  plan_tiles(p);
  if (m.packed_b) {
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

template <const InnerLoops& kLoops>
Prepared prepare_matmul_codes(const Call& call, Weights& cache) {
  const Matrices m = matrices(call);
  Product p = product_of(call, m, kLoops, kLoops.gemm_codes);
  const int8_t* values = m.packed_b ? call.inputs[1].constant->values<int8_t>().data() : nullptr;
  const auto sum_of = [&](int64_t column, const ProductPart&) {
    int64_t sum = 0;
    for (int64_t k = 0; k < m.depth && m.packed_b; ++k) sum += values[k * m.columns + column];
    return sum;
  };
  WeightMagnitude magnitude_of;
  if (m.packed_b) {
    magnitude_of = [&](int64_t column, int64_t zero_point) {
      int64_t sum = 0;
      for (int64_t k = 0; k < m.depth; ++k) sum += std::abs(values[k * m.columns + column] - zero_point);
      return sum;
    };
  }
  fill_output_stage(p, call, cache, sum_of, magnitude_of);
  plan_tiles(p);
  if (m.packed_b) {
    pack_weights(p, cache, "fast_MatMul " + Weights::identity(*call.inputs[1].constant),
                 [&](int64_t, int64_t column, int64_t, int64_t k) {
                   return static_cast<float>(values[k * m.columns + column]);
                 });
  }
  return finish(std::move(p));
}

#define CODE_ROWS(cpu, name, needs) \
  {"MatMul", "matmul_i8_" name, needs, accepts_matmul_codes, prepare_matmul_codes<cpu::kLoops>, run_product},
#define ALL_ROWS(cpu, name, needs)                                                                               \
  {"MatMul", "matmul_float_" name, needs, accepts_matmul_float, prepare_matmul_float<cpu::kLoops>, run_product}, \
      CODE_ROWS(cpu, name, needs)

constexpr Kernel kMatmulKernels[] = {OPENRKNN_FAST_CODE_CPUS(CODE_ROWS) OPENRKNN_FAST_CPUS(ALL_ROWS)};
#undef CODE_ROWS
#undef ALL_ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_matmul_kernels() { return fast::kMatmulKernels; }
}  // namespace openrknn
