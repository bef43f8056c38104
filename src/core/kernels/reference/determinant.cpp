// Det: the determinant of every matrix in a stack.
// Float rule: elimination with the largest pivot of each column (the first of equal ones) in double, the product of the
// pivots in their order, one rounding at the end. The determinant of an empty matrix is 1.
#include <cmath>

#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct DetState {
  Body<DetState> body = nullptr;
  int64_t n = 0;
  Tiles tiles;  // of matrices
};

double determinant(double* m, int64_t n) {
  double product = 1.0;
  for (int64_t column = 0; column < n; ++column) {
    int64_t pivot = column;
    for (int64_t row = column + 1; row < n; ++row) {
      if (std::fabs(m[row * n + column]) > std::fabs(m[pivot * n + column])) pivot = row;
    }
    if (pivot != column) {
      std::swap_ranges(m + pivot * n, m + pivot * n + n, m + column * n);
      product = -product;
    }
    const double divisor = m[column * n + column];
    product *= divisor;
    if (divisor == 0.0) return 0.0;
    for (int64_t row = column + 1; row < n; ++row) {
      const double factor = m[row * n + column] / divisor;
      for (int64_t i = column + 1; i < n; ++i) m[row * n + i] -= factor * m[column * n + i];
    }
  }
  return product;
}

template <class T>
void run_determinant(const DetState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const int64_t size = s.n * s.n;
  double* matrix = scratch_at<double>(scratch, 0);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    const T* x = input<T>(buffers, 0) + i * size;
    for (int64_t e = 0; e < size; ++e) matrix[e] = static_cast<float>(x[e]);
    output<T>(buffers)[i] = static_cast<T>(static_cast<float>(determinant(matrix, s.n)));
  }
}

bool accepts_determinant(const Call& call) {
  return is_float(call.inputs[0]) && same_dtype(call.inputs[0], call.outputs[0]);
}
Prepared prepare_determinant(const Call& call, Weights&) {
  DetState s;
  s.n = call.inputs[0].shape.back();
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_determinant<T>; });
  s.tiles = tile_rows(element_count(call.outputs[0].shape), s.n * s.n * std::max<int64_t>(1, s.n));
  ScratchLayout scratch;
  scratch.add<double>(s.n * s.n);
  return make_tiled(std::move(s), scratch.bytes());
}

constexpr Kernel kDeterminantKernels[] = {
    {"Det", "determinant_reference", 0, accepts_determinant, prepare_determinant, run_body<DetState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_determinant_kernels() { return reference::kDeterminantKernels; }

}  // namespace openrknn
