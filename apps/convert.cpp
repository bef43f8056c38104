#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/build_model.h"

namespace openrknn {
namespace {

double peak_memory_mb() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux gives KiB
}

}  // namespace

int convert(const ConvertArguments& arguments) {
  const BuildArguments building = with_yaml(arguments.building);
  const std::string output = !arguments.output.empty()
                                 ? arguments.output
                                 : std::filesystem::path(building.model).replace_extension(".rknn").string();
  const auto start = std::chrono::steady_clock::now();
  Toolkit toolkit(warnings_to_stderr(building.quiet), ProgressPrinter(building.quiet), building.threads);
  build_model(toolkit, building, share_out_of(building));
  toolkit.export_rknn(output);

  const CompileReport& report = toolkit.compiled().report;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double megabytes = static_cast<double>(std::filesystem::file_size(output)) / 1e6;
  const std::string& target = toolkit.compiled().model.target;
  // A model of frames and its source, which takes pictures, have no inputs in common.
  const std::vector<Port>& inputs = toolkit.compiled().model.inputs;
  const bool takes_frames = std::ranges::any_of(inputs, [](const Port& port) { return !port.pixel_format.empty(); });
  const std::string next = takes_frames ? fmt::format("openrknn run {} --input PICTURE", output)
                                        : fmt::format("openrknn run {} --against {}", output, building.model);
  if (arguments.json) {
    nlohmann::ordered_json json{{"output", output},
                                {"target", target},
                                {"source_nodes", report.nodes_imported},
                                {"nodes", report.nodes_compiled},
                                {"int8_nodes", report.quantized_nodes - report.int16_nodes},
                                {"int16_nodes", report.int16_nodes},
                                {"float_nodes", report.float_nodes},
                                {"samples", report.samples},
                                {"megabytes", megabytes},
                                {"seconds", seconds},
                                {"peak_memory_mb", peak_memory_mb()}};
    json["precision_rules"] = nlohmann::ordered_json::array();
    for (const AppliedRule& rule : report.precision_rules) {
      json["precision_rules"].push_back({{"rule", rule.rule}, {"layers", rule.layers}});
    }
    for (const StageTime& stage : report.times) json["stages"][stage.stage] = stage.seconds;
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  fmt::print("{}  for {}\n", output, target);
  fmt::print("  operations  {} source layers -> {} ({} int8, {}{} float16, {} other)\n", report.nodes_imported,
             report.nodes_compiled, report.quantized_nodes - report.int16_nodes,
             report.int16_nodes == 0 ? "" : fmt::format("{} int16, ", report.int16_nodes), report.float_nodes,
             report.nodes_compiled - report.quantized_nodes - report.float_nodes);
  for (const AppliedRule& rule : report.precision_rules) {
    fmt::print("  precision   {}: {} layer{}\n", rule.rule, rule.layers.size(), rule.layers.size() == 1 ? "" : "s");
  }
  fmt::print("  size        {:.2f} MB\n  time        {:.2f} s\n  peak memory {:.0f} MB\n  next        {}\n", megabytes,
             seconds, peak_memory_mb(), next);
  return 0;
}

}  // namespace openrknn
