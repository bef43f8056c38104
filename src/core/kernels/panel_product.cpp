#include "core/kernels/panel_product.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/base/dtype.h"
#include "core/kernels/fast/cpus.h"

namespace openrknn {
namespace {

struct CpuRow {
  const fast::InnerLoops* loops;
  CpuFeatures needs;
};
#define OPENRKNN_ROW(cpu, suffix, needed) CpuRow{&cpu::kLoops, needed},
constexpr CpuRow kCpus[] = {OPENRKNN_FAST_CPUS(OPENRKNN_ROW) CpuRow{nullptr, 0}};
#undef OPENRKNN_ROW

void run_plain(const PanelProduct::Task& task, int64_t columns) {
  for (int64_t row = 0; row < task.row_count; ++row) {
    float* out = task.outputs[row];
    std::fill(out, out + columns, 0.0f);
    for (int64_t k = 0; k < task.depth; ++k) {
      const float* weights = task.panel + k * columns;
      for (int64_t c = 0; c < columns; ++c) out[c] = std::fma(task.rows[row][k], weights[c], out[c]);
    }
  }
}

}  // namespace

PanelProduct::PanelProduct(CpuFeatures cpu) {
  const auto* row =
      std::find_if(std::begin(kCpus), std::end(kCpus), [&](const CpuRow& r) { return !(r.needs & ~cpu); });
  if (row->loops == nullptr) return;
  loops_ = row->loops;
  columns_ = 2 * row->loops->gemm_float.lanes;
}

void PanelProduct::run(const Task& task) const {
  if (loops_ == nullptr) return run_plain(task, columns_);
  const fast::Gemm& gemm = loops_->gemm_float;
  fast::GemmTile tile;
  tile.inputs = reinterpret_cast<const void* const*>(task.rows);
  tile.rows = task.row_count;
  tile.block_rows = gemm.rows;
  tile.runs = 1;
  tile.run_length = task.depth;
  tile.weights = reinterpret_cast<const std::byte*>(task.panel);
  tile.columns = columns_;
  tile.outputs = reinterpret_cast<void* const*>(task.outputs);
  tile.partial = task.partial;
  gemm.run(tile);
}

void PanelProduct::widen(const uint16_t* from, float* to, int64_t count) const {
  if (loops_ != nullptr) return loops_->half_to_float(from, to, count);
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(std::bit_cast<Float16>(from[i]));
}

}  // namespace openrknn
