#include "runtime/capi/perf_detail.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

namespace openrknn::capi {
namespace {

constexpr size_t kWideRule = 222, kNarrowRule = 99;
constexpr size_t kShapeColumn = 41, kOutputColumn = 23;

std::string rule(size_t width) { return std::string(width, '-') + '\n'; }

/// "FLOAT16", "INT8": numpy's words in capitals.
std::string type_word(DType dtype) {
  std::string word(numpy_name(dtype));
  for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return word;
}

/// "(1,3,8,8),(3,3,1,1)", cut to fit its column.
std::string shapes(const Graph& graph, const std::vector<ValueId>& values, size_t column) {
  std::string text;
  for (const ValueId id : values) {
    if (id == ValueId::None) continue;
    const std::string shape = fmt::format("({})", fmt::join(graph[id].shape, ","));
    if (!text.empty() && text.size() + shape.size() + 5 > column) return text + ",...";
    text += (text.empty() ? "" : ",") + shape;
  }
  return text.empty() ? "\\" : text;
}

int64_t traffic_bytes(const Graph& graph, const Node& node) {
  int64_t bytes = 0;
  for (const auto* list : {&node.inputs, &node.outputs}) {
    for (const ValueId id : *list) {
      if (id != ValueId::None && is_static(graph[id].shape)) {
        bytes += byte_size(graph[id].dtype, element_count(graph[id].shape));
      }
    }
  }
  return bytes;
}

/// Heading and cell of the column that says how a layer was spread over cores; SoCs with one have none.
struct WorkLoad {
  std::string heading, cell;
};
WorkLoad work_load(int cores) {
  if (cores == 1) return {};
  WorkLoad work{"WorkLoad(0", "0.0%"};
  for (int core = 1; core < cores; ++core) {
    work.heading += fmt::format("/{}", core);
    work.cell += "/0.0%";
  }
  work.heading = fmt::format("{:<21}", work.heading + ")");
  work.cell = fmt::format("{:<21}", work.cell);
  return work;
}

std::string centred(std::string_view text, size_t width) {
  return std::string((width - text.size()) / 2, ' ') + std::string(text) + "\n";
}

struct OpTotal {
  int64_t calls = 0, microseconds = 0;
};

}  // namespace

std::string perf_detail(const Context& context) {
  const Graph& graph = context.graph();
  const WorkLoad work = work_load(context.device().target().cores);
  size_t op_column = 16;
  for (const ProfileRow& row : context.profile()) op_column = std::max(op_column, shown_op(graph[row.node]).size() + 2);

  std::string out = rule(kWideRule) + centred("Network Layer Information Table", kWideRule) + rule(kWideRule);
  out += fmt::format("{:<5}{:<{}}{:<9}{:<7}{:<41}{:<23}{:<25}{:<13}{:<21}{}{:<13}{}\n", "ID", "OpType", op_column,
                     "DataType", "Target", "InputShape", "OutputShape", "Cycles(DDR/NPU/Total)", "Time(us)",
                     "MacUsage(%)", work.heading, "RW(KB)", "FullName");
  out += rule(kWideRule);
  std::map<std::string, OpTotal> totals;
  int64_t total = 0, total_bytes = 0;
  for (size_t i = 0; i < context.profile().size(); ++i) {
    const ProfileRow& row = context.profile()[i];
    const Node& node = graph[row.node];
    const std::string op(shown_op(node));
    const auto time = static_cast<int64_t>(std::llround(row.microseconds));
    const int64_t bytes = traffic_bytes(graph, node);
    const std::string type =
        node.outputs.empty() || node.outputs[0] == ValueId::None ? "\\" : type_word(graph[node.outputs[0]].dtype);
    // Cycles, use of the multipliers and work load are properties of hardware: the simulator has none.
    out +=
        fmt::format("{:<5}{:<{}}{:<9}{:<7}{:<41}{:<23}{:<25}{:<13}{:<21}{}{:<13.2f}{}:{}\n", i + 1, op, op_column, type,
                    "CPU", shapes(graph, node.inputs, kShapeColumn), shapes(graph, node.outputs, kOutputColumn),
                    "0/0/0", time, "\\", work.cell, static_cast<double>(bytes) / 1024, op, node.name);
    OpTotal& of_op = totals[op];
    ++of_op.calls;
    of_op.microseconds += time;
    total += time;
    total_bytes += bytes;
  }
  out += rule(kWideRule);
  out += fmt::format("Total Operator Elapsed Per Frame Time(us): {}\n", total);
  out += fmt::format("Total Memory Read/Write Per Frame Size(KB): {:.2f}\n", static_cast<double>(total_bytes) / 1024);
  out += rule(kWideRule);

  std::vector<std::pair<std::string, OpTotal>> ranking(totals.begin(), totals.end());
  std::stable_sort(ranking.begin(), ranking.end(),
                   [](const auto& a, const auto& b) { return a.second.microseconds > b.second.microseconds; });
  const auto line = [&](std::string_view op, const auto& calls, const auto& cpu, const auto& gpu, const auto& npu,
                        const auto& all, const std::string& ratio) {
    out += fmt::format("{:<{}}   {:<13}{:<13}{:<13}{:<13}{:<15}{}\n", op, op_column, calls, cpu, gpu, npu, all, ratio);
  };
  out += rule(kNarrowRule) + centred("Operator Time Consuming Ranking Table", kNarrowRule) + rule(kNarrowRule);
  line("OpType", "CallNumber", "CPUTime(us)", "GPUTime(us)", "NPUTime(us)", "TotalTime(us)", "TimeRatio(%)");
  out += rule(kNarrowRule);
  for (const auto& [op, sum] : ranking) {
    const double ratio = total > 0 ? 100.0 * static_cast<double>(sum.microseconds) / static_cast<double>(total) : 0.0;
    line(op, sum.calls, sum.microseconds, 0, 0, sum.microseconds, fmt::format("{:.2f}%", ratio));
  }
  out += rule(kNarrowRule);
  line("Total", "", total, 0, 0, total, "");
  return out + rule(kNarrowRule);
}

}  // namespace openrknn::capi
