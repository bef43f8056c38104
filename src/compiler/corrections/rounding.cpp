#include "compiler/corrections/rounding.h"

#include <algorithm>
#include <cmath>

namespace openrknn::corrections {
namespace {

/// Rows that share each row of the matrix while it is in the cache.
constexpr int64_t kRowsTogether = 8;

template <class Body>
void for_row_batches(const CodedRows& rows, ThreadPool& pool, const Body& body) {
  pool.parallel_for((rows.count + kRowsTogether - 1) / kRowsTogether, [&](int64_t task, int) {
    body(task * kRowsTogether, std::min(rows.count, (task + 1) * kRowsTogether));
  });
}

int32_t nearest_code(float code, int32_t lowest, int32_t highest) {
  const auto low = static_cast<double>(lowest), high = static_cast<double>(highest);
  return static_cast<int32_t>(std::nearbyint(std::clamp(static_cast<double>(code), low, high)));
}

/// to += factor · from. Whole blocks: the compiler makes vectors of them, whose elements are what single ones would be.
void add_multiple(float* __restrict to, const float* __restrict from, float factor, int64_t count) {
  constexpr int64_t kBlock = 16;
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    for (int64_t j = 0; j < kBlock; ++j) to[i + j] += factor * from[i + j];
  }
  for (; i < count; ++i) to[i] += factor * from[i];
}

std::vector<float> errors_of(const CodedRows& rows) {
  std::vector<float> errors(rows.codes.size());
  for (size_t i = 0; i < errors.size(); ++i) {
    errors[i] = (static_cast<float>(rows.codes[i]) - rows.wanted[i]) * rows.scale[i];
  }
  return errors;
}

}  // namespace

void round_with_feedback(const SymmetricMatrix& factor, CodedRows& rows, ThreadPool& pool) {
  const int64_t depth = rows.depth;
  for_row_batches(rows, pool, [&](int64_t begin, int64_t end) {
    std::vector<float> fed(static_cast<size_t>((end - begin) * depth), 0.0f);  // Σ errors · L
    for (int64_t k = depth - 1; k >= 0; --k) {
      for (int64_t r = begin; r < end; ++r) {
        float* const row = fed.data() + (r - begin) * depth;
        const auto i = static_cast<size_t>(r * depth + k);
        rows.codes[i] = nearest_code(rows.wanted[i] - row[k] / rows.scale[i], rows.lowest, rows.highest);
        const float error = (static_cast<float>(rows.codes[i]) - rows.wanted[i]) * rows.scale[i];
        add_multiple(row, factor.row(k), error, k);
      }
    }
  });
}

void descend(const SymmetricMatrix& moments, CodedRows& rows, bool up_or_down, int sweeps, ThreadPool& pool) {
  const int64_t depth = rows.depth;
  // Half the derivative of the error: H e.
  std::vector<float> slope(rows.codes.size());
  {
    const std::vector<float> errors = errors_of(rows);
    multiply(moments, errors.data(), rows.count, slope.data(), pool);
  }
  constexpr float kLeastGain = 1e-3f;  // as a part of a step's own square: float32 sums must not move codes to and fro
  for_row_batches(rows, pool, [&](int64_t begin, int64_t end) {
    bool moved = true;
    for (int sweep = 0; sweep < sweeps && moved; ++sweep) {
      moved = false;
      for (int64_t k = 0; k < depth; ++k) {
        const float* const line = moments.row(k);
        const float own = line[k];
        if (!(own > 0)) continue;
        for (int64_t r = begin; r < end; ++r) {
          const auto i = static_cast<size_t>(r * depth + k);
          const float at = slope[i], scale = rows.scale[i];
          int32_t low = rows.lowest, high = rows.highest;
          if (up_or_down) {
            const int32_t below = nearest_code(std::floor(rows.wanted[i]), low, high);
            low = below;
            high = std::min(high, below + 1);
          }
          const int32_t now = rows.codes[i];
          const int32_t code = nearest_code(static_cast<float>(now) - at / (own * scale), low, high);
          if (code == now) continue;
          const float step = static_cast<float>(code - now) * scale;
          if (!(-2 * step * at - step * step * own > kLeastGain * step * step * own)) continue;
          rows.codes[i] = code;
          add_multiple(slope.data() + r * depth, line, step, depth);
          moved = true;
        }
      }
    }
  });
}

double squared_error(const SymmetricMatrix& moments, const CodedRows& rows, ThreadPool& pool) {
  const std::vector<float> errors = errors_of(rows);
  std::vector<float> slope(errors.size());
  multiply(moments, errors.data(), rows.count, slope.data(), pool);
  double sum = 0;
  for (size_t i = 0; i < errors.size(); ++i) sum += static_cast<double>(errors[i]) * static_cast<double>(slope[i]);
  return sum;
}

}  // namespace openrknn::corrections
