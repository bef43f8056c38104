#include "compiler/corrections/input_moments.h"

#include <algorithm>
#include <cmath>

#include "core/kernels/panel_product.h"

namespace openrknn::corrections {
namespace {

/// Columns wanted per unknown: more would hardly change the estimate.
constexpr int64_t kColumnsPerInput = 8;
constexpr int64_t kFewestPositions = 64, kMostPositions = 512;
/// Products of fewer inputs are summed by plain loops.
constexpr int64_t kNarrow = 32;

/// Evenly spread, and moved on by the golden ratio of what is left over so that they do not line up with rows.
std::vector<int64_t> chosen_positions(const ProductLayer& layer, int64_t samples) {
  const int64_t all = layer.positions();
  const int64_t wanted = (kColumnsPerInput * layer.depth + samples - 1) / std::max<int64_t>(samples, 1);
  const int64_t count = std::min(all, std::clamp(wanted, kFewestPositions, kMostPositions));
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = i * all / count, width = (i + 1) * all / count - begin;
    positions.push_back(begin + i * 1597 % 2584 * width / 2584);  // Fibonacci numbers
  }
  return positions;
}

size_t triangle(int64_t row) { return static_cast<size_t>(row * (row + 1) / 2); }

}  // namespace

ExactGrid::ExactGrid(double bound) {
  // Multiples of 2^(e - 51) below 2^e are exact; adding 1.5 · 2^(e + 1) leaves no finer bits.
  int exponent = 0;
  (void)std::frexp(std::max(bound, 1e-200), &exponent);
  rounder_ = std::ldexp(1.5, exponent + 1);
}

void ExactGrid::add(const float* __restrict numbers, int64_t count, double* __restrict sums) const {
  const double rounder = rounder_;
  constexpr int64_t kBlock = 8;
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    for (int64_t j = 0; j < kBlock; ++j) sums[i + j] += (static_cast<double>(numbers[i + j]) + rounder) - rounder;
  }
  for (; i < count; ++i) sums[i] += (static_cast<double>(numbers[i]) + rounder) - rounder;
}

InputMoments::InputMoments(ProductLayer layer, double largest, int64_t samples)
    : layer_(std::move(layer)),
      positions_(chosen_positions(layer_, samples)),
      sums_(largest * static_cast<double>(samples * static_cast<int64_t>(positions_.size()))),
      squares_(largest * largest * static_cast<double>(samples * static_cast<int64_t>(positions_.size()))),
      groups_(static_cast<size_t>(layer_.groups)) {
  for (Moments& group : groups_) {
    group.sum.assign(static_cast<size_t>(layer_.depth), 0.0);
    group.square.assign(triangle(layer_.depth), 0.0);
  }
}

int64_t InputMoments::bytes(const ProductLayer& layer) {
  return layer.groups * static_cast<int64_t>(triangle(layer.depth) * sizeof(double));
}

void InputMoments::add(std::span<const float> input, ThreadPool& pool) {
  for (Moments& group : groups_) group.count += static_cast<int64_t>(positions_.size());
  if (layer_.depth < kNarrow) return add_narrow(input, pool);
  add_wide(input, pool);
}

void InputMoments::add_narrow(std::span<const float> input, ThreadPool& pool) {
  const int64_t depth = layer_.depth;
  const size_t count = positions_.size();
  pool.parallel_for(layer_.groups, [&](int64_t g, int) {
    std::vector<float> rows(static_cast<size_t>(depth) * count);
    gather_columns(layer_, input, g, positions_, rows.data());
    Moments& group = groups_[static_cast<size_t>(g)];
    for (int64_t i = 0; i < depth; ++i) {
      const float* const a = rows.data() + static_cast<size_t>(i) * count;
      double sum = 0;
      for (size_t p = 0; p < count; ++p) sum += static_cast<double>(a[p]);
      group.sum[static_cast<size_t>(i)] += sums_.round(sum);
      for (int64_t j = 0; j <= i; ++j) {
        const float* const b = rows.data() + static_cast<size_t>(j) * count;
        double product = 0;
        for (size_t p = 0; p < count; ++p) product += static_cast<double>(a[p]) * static_cast<double>(b[p]);
        group.square[triangle(i) + static_cast<size_t>(j)] += squares_.round(product);
      }
    }
  });
}

void InputMoments::add_wide(std::span<const float> input, ThreadPool& pool) {
  const int64_t depth = layer_.depth;
  const auto count = static_cast<int64_t>(positions_.size());
  const PanelProduct product;
  const int64_t width = product.columns(), panels = (depth + width - 1) / width;
  std::vector<float> rows(static_cast<size_t>(depth * count));
  for (int64_t g = 0; g < layer_.groups; ++g) {
    gather_columns(layer_, input, g, positions_, rows.data());
    Moments& group = groups_[static_cast<size_t>(g)];
    for (int64_t i = 0; i < depth; ++i) {
      double sum = 0;
      for (int64_t p = 0; p < count; ++p) sum += static_cast<double>(rows[static_cast<size_t>(i * count + p)]);
      group.sum[static_cast<size_t>(i)] += sums_.round(sum);
    }
    pool.parallel_for(panels, [&](int64_t index, int) {
      constexpr int64_t kRows = 64;
      const int64_t first = index * width, columns = std::min(width, depth - first);
      std::vector<float> panel(static_cast<size_t>(count * width), 0.0f), out(static_cast<size_t>(kRows * width));
      std::vector<std::byte> partial(static_cast<size_t>(kRows * width) * sizeof(float));
      for (int64_t j = 0; j < columns; ++j) {
        const float* const from = rows.data() + (first + j) * count;
        for (int64_t p = 0; p < count; ++p) panel[static_cast<size_t>(p * width + j)] = from[p];
      }
      std::vector<const float*> from;
      std::vector<float*> to;
      for (int64_t row = first; row < depth; row += kRows) {
        const int64_t many = std::min(kRows, depth - row);
        from.clear();
        to.clear();
        for (int64_t r = 0; r < many; ++r) {
          from.push_back(rows.data() + (row + r) * count);
          to.push_back(out.data() + r * width);
        }
        product.run({from.data(), many, count, panel.data(), to.data(), partial.data()});
        for (int64_t r = 0; r < many; ++r) {
          const int64_t last = std::min(columns, row + r - first + 1);
          squares_.add(to[static_cast<size_t>(r)], last, group.square.data() + triangle(row + r) + first);
        }
      }
    });
  }
}

}  // namespace openrknn::corrections
