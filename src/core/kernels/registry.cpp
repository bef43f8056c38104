#include <algorithm>

#include "core/kernels/tables.h"

namespace openrknn {
namespace {

std::vector<Kernel> collect(std::initializer_list<std::span<const Kernel>> tables) {
  std::vector<Kernel> rows;
  for (const std::span<const Kernel> table : tables) rows.insert(rows.end(), table.begin(), table.end());
  // Stable: rows of one op stay in order of preference.
  std::stable_sort(rows.begin(), rows.end(), [](const Kernel& a, const Kernel& b) { return a.op < b.op; });
  return rows;
}

}  // namespace

#define OPENRKNN_KERNEL_TABLE(family) family##_kernels(),

std::span<const Kernel> reference_kernels() {
  static const std::vector<Kernel> rows = collect({
#include "core/kernels/reference_tables.inc"
  });
  return rows;
}

std::span<const Kernel> builtin_kernels() {
  static const std::vector<Kernel> rows = collect({
#include "core/kernels/fast_tables.inc"
#include "core/kernels/reference_tables.inc"
  });
  return rows;
}

const Kernel* choose_kernel(std::span<const Kernel> rows, const Call& call, CpuFeatures cpu) {
  for (const Kernel& row : rows) {
    const bool runs_here = (row.needs & ~cpu) == 0;
    if (row.op == call.node.op && runs_here && !row.approximate && row.accepts(call)) return &row;
  }
  return nullptr;
}

}  // namespace openrknn
