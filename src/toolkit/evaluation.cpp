#include "toolkit/evaluation.h"

#include <fmt/format.h>

#include <cmath>

#include "core/base/layer_table.h"
#include "core/graph/custom.h"

namespace openrknn {
namespace {

std::string notice(const Estimate& estimate) {
  return fmt::format("Estimated for {}, not measured{}.\n", estimate.target->display_name,
                     estimate.calibrated ? "" : ", and uncalibrated: no rates of this SoC are public");
}

/// Share of the multipliers' steps that do work, of each core that has part in the layer.
std::string mac_usage(const LayerWork& work, const LayerCost& layer, const Estimate& estimate) {
  if (work.products == 0 || layer.microseconds <= 0) return "\\";
  const double steps = layer.microseconds * estimate.target->clock_mhz;
  const double width = estimate.target->macs_per_cycle / (bit_width(work.dtype) > 8 ? 2.0 : 1.0);
  const double share = 100.0 * static_cast<double>(work.products) / (steps * width * estimate.cores);
  std::string text;
  for (int core = 0; core < estimate.target->cores; ++core) {
    text += fmt::format("{}{:.2f}", core == 0 ? "" : "/", core < estimate.cores ? share : 0.0);
  }
  return text;
}

std::vector<LayerTableRow> rows_of(const Estimate& estimate) {
  std::vector<LayerTableRow> rows;
  const Graph& graph = *estimate.graph;
  for (size_t i = 0; i < estimate.cost.works.size(); ++i) {
    const LayerWork& work = estimate.cost.works[i];
    const LayerCost& layer = estimate.cost.layers[i];
    const Node& node = graph[work.node];
    const std::string op(shown_op(node));
    const bool on_npu = work.placement.place == Place::Npu;
    const double npu_cycles = std::max(layer.array_cycles, layer.output_cycles);
    rows.push_back(
        {.op = op,
         .dtype = type_word(work.dtype),
         .target = on_npu ? "NPU" : "CPU",
         .inputs = input_shapes(shapes_of(graph, node.inputs)),
         .outputs = output_shapes(shapes_of(graph, node.outputs)),
         .cycles = fmt::format("{:.0f}/{:.0f}/{:.0f}", layer.bus_cycles, npu_cycles, layer.bus_cycles + npu_cycles),
         .mac_usage = mac_usage(work, layer, estimate),
         .work_load = on_npu ? std::vector<double>(static_cast<size_t>(estimate.cores), 100.0 / estimate.cores)
                             : std::vector<double>{},
         .microseconds = layer.microseconds,
         .bytes = work.bytes(),
         .name = fmt::format("{}:{}", op, node.name)});
  }
  return rows;
}

std::string size_text(int64_t bytes) {
  const auto number = static_cast<double>(bytes);
  return bytes < (1 << 20) ? fmt::format("{:.2f} KiB", number / 1024) : fmt::format("{:.2f} MiB", number / (1 << 20));
}

}  // namespace

Estimate estimate_model(const Model& model, int cores) {
  const Target& target = *find_target(model.target);
  const auto graph = std::make_shared<const Graph>(model.variants.front());
  const int used = std::clamp(cores, 1, target.cores);
  return {.target = &target,
          .build = build_of(*graph),
          .cores = used,
          .calibrated = cost_parameters_of(target).calibrated,
          .cost = cost_of_model(*graph, target, types_of_graph(*graph, model.sparse), used),
          .graph = graph};
}

std::string performance_text(double microseconds) {
  const std::string rule(98, '=');
  return fmt::format("{}\n{}{}\n{}\nTotal Time(us): {:.0f}\nFPS: {:.2f}\n{}\n", rule, std::string(43, ' '),
                     "Performance", rule, microseconds, 1e6 / microseconds, rule);
}

std::string perf_text(const Estimate& estimate, bool by_layer) {
  return notice(estimate) + (by_layer ? layer_table(rows_of(estimate), estimate.target->cores)
                                      : performance_text(estimate.cost.microseconds));
}

MemoryReport memory_report(const Estimate& estimate, int64_t model_bytes) {
  return {.weight = estimate.cost.weight_bytes,
          .internal = estimate.cost.feature_bytes,
          .other = estimate.cost.program_bytes,
          .model = model_bytes,
          .is_estimate = true};
}

std::string memory_text(const MemoryReport& report) {
  const std::string rule(54, '=');
  std::string text = fmt::format("{}\n            Memory Profile Info Dump{}\n{}\n", rule,
                                 report.is_estimate ? " (estimate)" : "", rule);
  text += "NPU model memory detail(bytes):\n";
  const auto line = [&](std::string_view label, int64_t bytes) {
    text += fmt::format("    {}: {}\n", label, size_text(bytes));
  };
  line("Weight Memory", report.weight);
  line("Internal Tensor Memory", report.internal);
  line("Other Memory", report.other);
  line("Total Memory", report.total());
  return text + fmt::format(
                    "\nINFO: When evaluating memory usage, we need consider\nthe size of model, current model "
                    "size is: {}\n{}\n",
                    size_text(report.model), rule);
}

}  // namespace openrknn
