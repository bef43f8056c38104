// Rows of float32 times a panel of columns: the inner loop of matrix products, for callers that lay their operands out
// themselves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/cpu.h"

namespace openrknn {
namespace fast {
struct InnerLoops;
}

/// Each output has one accumulator, starts at 0 and sees k ascending with fma: the same bits on every CPU
/// (docs/arithmetic.md).
class PanelProduct {
 public:
  /// The fastest loops that run on `cpu`.
  explicit PanelProduct(CpuFeatures cpu = detect_cpu());

  int64_t columns() const { return columns_; }  ///< of a panel

  struct Task {
    const float* const* rows = nullptr;  ///< `row_count` pointers to `depth` floats
    int64_t row_count = 0, depth = 0;
    const float* panel = nullptr;     ///< depth x columns()
    float* const* outputs = nullptr;  ///< per row: columns() floats
    std::byte* partial = nullptr;     ///< room for row_count x columns() floats
  };
  void run(const Task&) const;
  /// Float16 to float32, exactly.
  void widen(const uint16_t* from, float* to, int64_t count) const;

 private:
  const fast::InnerLoops* loops_ = nullptr;  // null: plain C++
  int64_t columns_ = 16;
};

}  // namespace openrknn
