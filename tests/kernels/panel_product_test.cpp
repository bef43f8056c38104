// The inner loop of matrix products for callers with layouts of their own: the same bits from every CPU kind.
#include "core/kernels/panel_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/tensor.h"

namespace openrknn {
namespace {

/// a [rows, depth] times b [depth, columns], one panel after another: how wide they are depends on the CPU.
std::vector<float> product(const PanelProduct& loops, int64_t rows, int64_t depth, const std::vector<float>& a,
                           const std::vector<float>& b, int64_t columns) {
  Tensor panel(DType::Float32, {depth * loops.columns()}), out(DType::Float32, {rows * loops.columns()}),
      partial(DType::Float32, {rows * loops.columns()});
  float* outputs = out.mutable_values<float>().data();
  std::vector<const float*> from;
  std::vector<float*> to;
  for (int64_t r = 0; r < rows; ++r) {
    from.push_back(a.data() + r * depth);
    to.push_back(outputs + r * loops.columns());
  }
  std::vector<float> result(static_cast<size_t>(rows * columns));
  for (int64_t first = 0; first < columns; first += loops.columns()) {
    const int64_t width = std::min(loops.columns(), columns - first);
    float* weights = panel.mutable_values<float>().data();
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t c = 0; c < loops.columns(); ++c)
        weights[k * loops.columns() + c] = c < width ? b[k * columns + first + c] : 0;
    }
    loops.run({.rows = from.data(),
               .row_count = rows,
               .depth = depth,
               .panel = weights,
               .outputs = to.data(),
               .partial = partial.mutable_bytes().data()});
    for (int64_t r = 0; r < rows; ++r) std::copy_n(to[r], width, result.begin() + r * columns + first);
  }
  return result;
}

TEST(PanelProduct, HasOneAccumulatorPerOutputOnEveryCpu) {
  std::mt19937 engine(11);
  for (const auto& [rows, depth] : {std::pair<int64_t, int64_t>{1, 1}, {1, 7}, {13, 64}, {30, 3000}}) {
    constexpr int64_t kColumns = 8;  // no CPU kind has narrower panels
    std::vector<float> a(rows * depth), b(depth * kColumns), expected;
    for (std::vector<float>* values : {&a, &b}) {
      for (float& v : *values) v = static_cast<float>(engine()) / 4294967296.0f - 0.5f;
    }
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < kColumns; ++c) {
        float sum = 0;
        for (int64_t k = 0; k < depth; ++k) sum = std::fma(a[r * depth + k], b[k * kColumns + c], sum);
        expected.push_back(sum);
      }
    }
    const CpuFeatures all = detect_cpu();
    for (const CpuFeatures cpu : {CpuFeatures{0}, all & kCpuAvx2, all}) {
      EXPECT_EQ(product(PanelProduct(cpu), rows, depth, a, b, kColumns), expected)
          << rows << "x" << depth << " " << cpu;
    }
  }
}

TEST(PanelProduct, WidensEveryHalf) {
  std::vector<uint16_t> halves;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    if ((bits & 0x7c00) != 0x7c00) halves.push_back(static_cast<uint16_t>(bits));
  }
  for (const CpuFeatures cpu : {CpuFeatures{0}, detect_cpu()}) {
    std::vector<float> floats(halves.size());
    PanelProduct(cpu).widen(halves.data(), floats.data(), static_cast<int64_t>(halves.size()));
    for (size_t i = 0; i < halves.size(); ++i) ASSERT_EQ(floats[i], half_bits_to_float(halves[i])) << halves[i];
  }
}

}  // namespace
}  // namespace openrknn
