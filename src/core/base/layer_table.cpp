#include "core/base/layer_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

namespace openrknn {
namespace {

constexpr size_t kWideRule = 222, kNarrowRule = 99;
constexpr size_t kShapeColumn = 41, kOutputColumn = 23;

std::string rule(size_t width) { return std::string(width, '-') + '\n'; }

std::string shapes_text(const std::vector<Shape>& shapes, size_t column) {
  std::string text;
  for (const Shape& extents : shapes) {
    const std::string shape = fmt::format("({})", fmt::join(extents, ","));
    if (!text.empty() && text.size() + shape.size() + 5 > column) return text + ",...";
    text += (text.empty() ? "" : ",") + shape;
  }
  return text.empty() ? "\\" : text;
}

/// Heading and cells of the column that says how a layer was spread over cores; SoCs with one have none.
std::string work_load_heading(int cores) {
  if (cores == 1) return "";
  std::string heading = "WorkLoad(0";
  for (int core = 1; core < cores; ++core) heading += fmt::format("/{}", core);
  return fmt::format("{:<21}", heading + ")");
}
std::string work_load_cell(const std::vector<double>& shares, int cores) {
  if (cores == 1) return "";
  std::string cell;
  for (size_t core = 0; core < static_cast<size_t>(cores); ++core) {
    cell += fmt::format("{}{:.1f}%", core == 0 ? "" : "/", core < shares.size() ? shares[core] : 0.0);
  }
  return fmt::format("{:<21}", cell);
}

std::string centred(std::string_view text, size_t width) {
  return std::string((width - text.size()) / 2, ' ') + std::string(text) + "\n";
}

struct OpTotal {
  int64_t calls = 0, cpu = 0, npu = 0;
  int64_t microseconds() const { return cpu + npu; }
};

/// Operators by the time they took, and the line of all.
std::string ranking_table(const std::map<std::string, OpTotal>& totals, size_t op_column) {
  std::vector<std::pair<std::string, OpTotal>> ranking(totals.begin(), totals.end());
  std::stable_sort(ranking.begin(), ranking.end(),
                   [](const auto& a, const auto& b) { return a.second.microseconds() > b.second.microseconds(); });
  OpTotal all;
  for (const auto& [op, sum] : ranking) {
    all.cpu += sum.cpu;
    all.npu += sum.npu;
  }
  std::string out;
  const auto line = [&](std::string_view op, const auto& calls, const auto& cpu, const auto& gpu, const auto& npu,
                        const auto& total, const std::string& ratio) {
    out +=
        fmt::format("{:<{}}   {:<13}{:<13}{:<13}{:<13}{:<15}{}\n", op, op_column, calls, cpu, gpu, npu, total, ratio);
  };
  out += rule(kNarrowRule) + centred("Operator Time Consuming Ranking Table", kNarrowRule) + rule(kNarrowRule);
  line("OpType", "CallNumber", "CPUTime(us)", "GPUTime(us)", "NPUTime(us)", "TotalTime(us)", "TimeRatio(%)");
  out += rule(kNarrowRule);
  for (const auto& [op, sum] : ranking) {
    const auto whole = static_cast<double>(all.microseconds());
    const double ratio = whole > 0 ? 100.0 * static_cast<double>(sum.microseconds()) / whole : 0.0;
    line(op, sum.calls, sum.cpu, 0, sum.npu, sum.microseconds(), fmt::format("{:.2f}%", ratio));
  }
  out += rule(kNarrowRule);
  line("Total", "", all.cpu, 0, all.npu, all.microseconds(), "");
  return out + rule(kNarrowRule);
}

}  // namespace

std::string type_word(DType dtype) {
  std::string word(numpy_name(dtype));
  for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return word;
}

std::string input_shapes(const std::vector<Shape>& shapes) { return shapes_text(shapes, kShapeColumn); }
std::string output_shapes(const std::vector<Shape>& shapes) { return shapes_text(shapes, kOutputColumn); }

std::string layer_table(const std::vector<LayerTableRow>& rows, int cores) {
  size_t op_column = 16;
  for (const LayerTableRow& row : rows) op_column = std::max(op_column, row.op.size() + 2);
  std::string out = rule(kWideRule) + centred("Network Layer Information Table", kWideRule) + rule(kWideRule);
  out += fmt::format("{:<5}{:<{}}{:<9}{:<7}{:<41}{:<23}{:<25}{:<13}{:<21}{}{:<13}{}\n", "ID", "OpType", op_column,
                     "DataType", "Target", "InputShape", "OutputShape", "Cycles(DDR/NPU/Total)", "Time(us)",
                     "MacUsage(%)", work_load_heading(cores), "RW(KB)", "FullName");
  out += rule(kWideRule);
  std::map<std::string, OpTotal> totals;
  int64_t total = 0, total_bytes = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const LayerTableRow& row = rows[i];
    const auto time = static_cast<int64_t>(std::llround(row.microseconds));
    out += fmt::format("{:<5}{:<{}}{:<9}{:<7}{:<41}{:<23}{:<25}{:<13}{:<21}{}{:<13.2f}{}\n", i + 1, row.op, op_column,
                       row.dtype, row.target, row.inputs, row.outputs, row.cycles, time, row.mac_usage,
                       work_load_cell(row.work_load, cores), static_cast<double>(row.bytes) / 1024, row.name);
    OpTotal& of_op = totals[row.op];
    ++of_op.calls;
    (row.target == "NPU" ? of_op.npu : of_op.cpu) += time;
    total += time;
    total_bytes += row.bytes;
  }
  out += rule(kWideRule);
  out += fmt::format("Total Operator Elapsed Per Frame Time(us): {}\n", total);
  out += fmt::format("Total Memory Read/Write Per Frame Size(KB): {:.2f}\n", static_cast<double>(total_bytes) / 1024);
  return out + rule(kWideRule) + ranking_table(totals, op_column);
}

}  // namespace openrknn
