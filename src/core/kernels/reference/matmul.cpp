// MatMul on floats, with numpy's broadcasting of the batch dimensions and of vectors.
// Float rule (docs/arithmetic.md): one float32 accumulator per output, from +0, std::fma over k ascending; then one
// addition of the bias, the activation, one rounding to the dtype.
#include <cmath>
#include <string>

#include "core/kernels/reference/activation.h"
#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct MatMulState {
  Body<MatMulState> body = nullptr;
  Broadcast batches;  // matrices: which of a (operand 0) and of b (operand 1) make matrix i of y
  int64_t m = 1, k = 1, n = 1;
  DType b_dtype = DType::Float32;
  Weights::Packed b_floats;  // constant b in float32, if it is not that already
  FloatVector bias;
  UnaryFunction activation;
  int64_t row_blocks = 1, row_block = 1, sums_at = 0, b_at = 0;
};

/// The matrices of b this tile reads, as float32.
const float* read_b(const MatMulState& s, std::span<const Buffer> buffers, int64_t matrix, std::byte* scratch) {
  const int64_t size = s.k * s.n;
  if (s.b_dtype == DType::Float32) return input<float>(buffers, 1) + matrix * size;
  if (s.b_floats) return reinterpret_cast<const float*>(s.b_floats->data()) + matrix * size;
  float* floats = scratch_at<float>(scratch, s.b_at);
  load_floats(s.b_dtype, buffers[1].data + matrix * size * whole_bytes(s.b_dtype), floats, size);
  return floats;
}

template <class T>
void run_matmul_rows(const MatMulState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const int64_t batch = tile / s.row_blocks, begin = tile % s.row_blocks * s.row_block;
  const int64_t end = std::min(s.m, begin + s.row_block);
  const float* bias = s.bias.read(buffers, scratch);
  float* sums = scratch_at<float>(scratch, s.sums_at);
  for_rows(s.batches, batch, batch + 1, [&](int64_t, int64_t, const std::array<int64_t, kMaxOperands>& matrix) {
    const T* a = input<T>(buffers, 0) + matrix[0] * s.m * s.k;
    const float* b = read_b(s, buffers, matrix[1], scratch);
    T* y = output<T>(buffers) + batch * s.m * s.n;
    for (int64_t row = begin; row < end; ++row) {
      std::fill_n(sums, s.n, 0.0f);
      for (int64_t k = 0; k < s.k; ++k) {
        const float value = static_cast<float>(a[row * s.k + k]);
        for (int64_t n = 0; n < s.n; ++n) sums[n] = std::fma(value, b[k * s.n + n], sums[n]);
      }
      if (bias) {
        for (int64_t n = 0; n < s.n; ++n) sums[n] += bias[n];
      }
      s.activation.in_place(sums, s.n);
      store_floats(sums, y + row * s.n, s.n);
    }
  });
}

bool accepts_matmul(const Call& call) {
  return is_float(call.inputs[0]) && is_float(call.inputs[1]) && same_dtype(call.inputs[0], call.outputs[0]) &&
         !call.inputs[0].shape.empty() && !call.inputs[1].shape.empty() &&
         (!present(call.inputs, 2) || is_float(call.inputs[2])) && fused_activation(call.node).has_value();
}

Prepared prepare_matmul(const Call& call, Weights& cache) {
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  const auto batch_shape = [](const Shape& shape) {
    return shape.size() > 2 ? Shape(shape.begin(), shape.end() - 2) : Shape{};
  };
  ScratchLayout scratch;
  MatMulState s;
  // A vector on the left is a row, on the right a column; the output lacks that dimension, its elements do not.
  s.m = a.shape.size() >= 2 ? a.shape[a.shape.size() - 2] : 1;
  s.k = a.shape.back();
  s.n = b.shape.size() >= 2 ? b.shape.back() : 1;
  const Shape a_batch = batch_shape(a.shape), b_batch = batch_shape(b.shape);
  const Shape y_batch = *broadcast(a_batch, b_batch);
  s.batches = Broadcast(y_batch, {&a_batch, &b_batch});
  s.bias = FloatVector(call, 2, scratch);
  s.activation = *fused_activation(call.node);
  s.sums_at = scratch.add<float>(s.n);
  s.b_dtype = b.dtype;
  if (b.dtype != DType::Float32 && b.constant) {
    s.b_floats = cache.get("reference_matmul " + Weights::identity(*b.constant), [&] {
      const int64_t count = b.constant->size();
      std::vector<std::byte> bytes(static_cast<size_t>(count) * sizeof(float));
      load_floats(b.dtype, b.constant->bytes().data(), reinterpret_cast<float*>(bytes.data()), count);
      return bytes;
    });
  } else if (b.dtype != DType::Float32) {
    s.b_at = scratch.add<float>(s.k * s.n);
  }
  s.row_block = s.b_at != 0 ? std::max<int64_t>(1, s.m) : tile_rows(s.m, s.n).block;
  s.row_blocks = std::max<int64_t>(1, (s.m + s.row_block - 1) / s.row_block);
  visit(FloatTypes{}, a.dtype, [&]<class T>(Tag<T>) { s.body = run_matmul_rows<T>; });
  const int64_t tiles = s.batches.total * s.row_blocks;
  const bool packed = s.b_floats != nullptr;
  Prepared prepared = make_prepared(std::move(s), tiles, scratch.bytes());
  if (packed) prepared.unread_inputs = 1u << 1;
  return prepared;
}

constexpr Kernel kMatmulKernels[] = {
    {"MatMul", "matmul_reference", 0, accepts_matmul, prepare_matmul, run_body<MatMulState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_matmul_kernels() { return reference::kMatmulKernels; }

}  // namespace openrknn
