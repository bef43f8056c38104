#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "apps/build_model.h"

namespace openrknn {
namespace {

// Of the options of build, a search takes the dataset alone: the rest is what it finds out.
std::string dataset_of(const ArgumentValues& build) {
  for (const auto& [key, value] : build) {
    if (key != "dataset") {
      fail(Code::ConfigBadValue, fmt::format("search: {}={} does not go with a search", key, to_string(value)),
           "leave it out");
    }
  }
  const auto dataset = build.find("dataset");
  const auto* path = dataset == build.end() ? nullptr : std::get_if<std::string>(&dataset->second.data);
  if (path == nullptr) {
    fail(Code::DatasetMissing, "search: quantization needs sample data and none was given", "give --dataset FILE");
  }
  return *path;
}

// Infinity, nothing lost, becomes null, which is all that JSON has for it.
nlohmann::ordered_json json_of(const SearchPoint& point) {
  return {{"layers", point.layers}, {"macs_share", point.macs_share}, {"sqnr_db", point.metric}};
}

std::string line_of(const SearchPoint& point) {
  return fmt::format("{:>7} {:>9.2f} % {:>10.2f}", point.layers.size(), 100 * point.macs_share, point.metric);
}

}  // namespace

int search(const SearchArguments& arguments) {
  const BuildArguments building = with_yaml(arguments.building);
  const std::string dataset = dataset_of(building.build);
  std::optional<FileSink> report;
  if (!arguments.report.empty()) report.emplace(arguments.report);  // better refused now than after the work
  ProgressPrinter progress(building.quiet);
  Toolkit toolkit(warnings_to_stderr(building.quiet), progress, building.threads);
  const ShareOut share_out = share_out_of(building);
  load_model(toolkit, building, share_out);
  const SearchOptions options{.target = arguments.target,
                              .max_macs_share = arguments.max_macs,
                              .budget = arguments.budget == "macs" ? SearchBudget::Macs : SearchBudget::Ops,
                              .lift = arguments.lift == "int16" ? DType::Int16 : DType::Float16,
                              .samples = arguments.count,
                              .runner = trial_runner_of(share_out)};
  const SearchResult result = toolkit.search(dataset, options);
  if (!arguments.output.empty()) toolkit.export_rknn(arguments.output);
  if (report) {
    const Compiled& compiled = toolkit.compiled();
    const std::unique_ptr<Samples> samples = samples_for(dataset, compiled.model, compiled.golden, toolkit);
    BuildFacts facts = facts_of(toolkit, building);
    facts.search = trade_off_of(result, options);
    ThreadPool pool(building.threads);
    write_report(*report,
                 diagnose_model(
                     {.model = compiled.model, .golden = compiled.golden, .samples = *samples, .share_out = share_out},
                     facts, pool, progress));
  }
  if (arguments.json) {
    nlohmann::ordered_json json{
        {"chosen", json_of(result.chosen)}, {"trials", result.trials}, {"curve", nlohmann::ordered_json::array()}};
    for (const SearchPoint& point : result.curve) json["curve"].push_back(json_of(point));
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  fmt::print(" layers        MACs   SQNR (dB)\n");
  for (const SearchPoint& point : result.curve) {
    fmt::print("{}{}\n", line_of(point), point.layers == result.chosen.layers ? "  <- chosen" : "");
  }
  fmt::print("lifted to {}: {}\n", arguments.lift,
             result.chosen.layers.empty() ? "nothing" : fmt::format("{}", fmt::join(result.chosen.layers, ", ")));
  if (report) fmt::print("\nreport: {}\n", arguments.report);
  return 0;
}

}  // namespace openrknn
