#include "compiler/corrections/symmetric_matrix.h"

#include <algorithm>

#include "core/kernels/panel_product.h"

namespace openrknn::corrections {
namespace {

/// Rows times one panel of columns, a few rows at a time; `take(row, numbers)` gets each row's results.
class PanelRows {
 public:
  PanelRows(const PanelProduct& product, int64_t depth)
      : panel(static_cast<size_t>(depth * product.columns()), 0.0f),
        product_(product),
        depth_(depth),
        out_(static_cast<size_t>(kRows * product.columns())),
        partial_(out_.size() * sizeof(float)) {}

  std::vector<float> panel;  ///< [depth][columns]

  /// Row i begins at rows + i · step.
  template <class Take>
  void run(const float* rows, int64_t step, int64_t count, const Take& take) {
    const int64_t width = product_.columns();
    for (int64_t first = 0; first < count; first += kRows) {
      const int64_t many = std::min(kRows, count - first);
      const float* from[kRows];
      float* to[kRows];
      for (int64_t r = 0; r < many; ++r) {
        from[r] = rows + (first + r) * step;
        to[r] = out_.data() + r * width;
      }
      product_.run({from, many, depth_, panel.data(), to, partial_.data()});
      for (int64_t r = 0; r < many; ++r) take(first + r, to[r]);
    }
  }

 private:
  static constexpr int64_t kRows = 64;
  const PanelProduct& product_;
  int64_t depth_;
  std::vector<float> out_;
  std::vector<std::byte> partial_;
};

constexpr int64_t kBlock = 64;

/// L and D of the block on the diagonal, in double; D gives the pivots.
void factorize_block(SymmetricMatrix& matrix, int64_t first, int64_t size, float least, std::vector<double>& block,
                     std::vector<double>& pivots) {
  block.assign(static_cast<size_t>(size * size), 0.0);
  pivots.assign(static_cast<size_t>(size), 0.0);
  const auto at = [&](int64_t i, int64_t j) -> double& { return block[static_cast<size_t>(i * size + j)]; };
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double sum = static_cast<double>(matrix.row(first + i)[first + j]);
      for (int64_t m = 0; m < j; ++m) sum -= at(i, m) * at(j, m) * pivots[static_cast<size_t>(m)];
      if (i == j) {
        pivots[static_cast<size_t>(i)] = std::max(sum, static_cast<double>(least));
        at(i, i) = 1;
      } else {
        at(i, j) = sum / pivots[static_cast<size_t>(j)];
      }
    }
  }
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t j = 0; j < i; ++j) matrix.row(first + i)[first + j] = static_cast<float>(at(i, j));
  }
}

}  // namespace

void multiply(const SymmetricMatrix& matrix, const float* rows, int64_t count, float* results, ThreadPool& pool) {
  const PanelProduct product;
  const int64_t size = matrix.size, width = product.columns();
  pool.parallel_for((size + width - 1) / width, [&](int64_t index, int) {
    const int64_t first = index * width, columns = std::min(width, size - first);
    PanelRows panel(product, size);
    for (int64_t k = 0; k < size; ++k) std::copy_n(matrix.row(k) + first, columns, panel.panel.data() + k * width);
    panel.run(rows, size, count,
              [&](int64_t r, const float* numbers) { std::copy_n(numbers, columns, results + r * size + first); });
  });
}

void factorize(SymmetricMatrix& matrix, float least, ThreadPool& pool) {
  const PanelProduct product;
  const int64_t size = matrix.size, width = product.columns();
  std::vector<double> block, pivots;
  std::vector<float> scaled(static_cast<size_t>(size * kBlock));  // rows of L D below the block
  for (int64_t first = 0; first < size; first += kBlock) {
    const int64_t depth = std::min(kBlock, size - first), below = first + depth, rest = size - below;
    factorize_block(matrix, first, depth, least, block, pivots);
    // Rows below: L D = A · L⁻ᵀ of the block, by substitution.
    constexpr int64_t kRows = 16;
    pool.parallel_for((rest + kRows - 1) / kRows, [&](int64_t task, int) {
      for (int64_t r = task * kRows; r < std::min(rest, (task + 1) * kRows); ++r) {
        float* const row = matrix.row(below + r) + first;
        double solved[kBlock];
        for (int64_t j = 0; j < depth; ++j) {
          double sum = static_cast<double>(row[j]);
          const double* const l = block.data() + j * depth;
          for (int64_t m = 0; m < j; ++m) sum -= solved[m] * l[m];
          solved[j] = sum;
        }
        for (int64_t j = 0; j < depth; ++j) {
          scaled[static_cast<size_t>(r * kBlock + j)] = static_cast<float>(solved[j]);
          row[j] = static_cast<float>(solved[j] / pivots[static_cast<size_t>(j)]);
        }
      }
    });
    // What is left: A -= (L D) Lᵀ, lower triangle.
    pool.parallel_for((rest + width - 1) / width, [&](int64_t index, int) {
      const int64_t from = index * width, columns = std::min(width, rest - from);
      PanelRows panel(product, depth);
      for (int64_t j = 0; j < columns; ++j) {
        const float* const l = matrix.row(below + from + j) + first;
        for (int64_t m = 0; m < depth; ++m) panel.panel[static_cast<size_t>(m * width + j)] = l[m];
      }
      panel.run(scaled.data() + from * kBlock, kBlock, rest - from, [&](int64_t r, const float* numbers) {
        float* const row = matrix.row(below + from + r) + below + from;
        const int64_t last = std::min(columns, r + 1);
        for (int64_t j = 0; j < last; ++j) row[j] -= numbers[j];
      });
    });
  }
}

}  // namespace openrknn::corrections
