#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "apps/build_model.h"
#include "compiler/analysis/error_table.h"
#include "core/base/file.h"
#include "core/rknn_file/rknn_file.h"
#include "toolkit/layer_analysis.h"

namespace openrknn {
namespace {

nlohmann::ordered_json json_of(const LayerError& error) {
  return {{"cosine", error.cosine},
          {"euclidean", error.euclidean},
          {"sqnr_db", error.sqnr_db},
          {"max_error", error.max_absolute}};
}

nlohmann::ordered_json json_of(const std::optional<NotFiniteLayer>& layer) {
  if (!layer) return nullptr;
  return {{"op", layer->op}, {"tensor", layer->tensor}, {"sample", layer->sample}, {"elements", layer->elements}};
}

// Infinity and NaN become null, which is all that JSON has for them.
nlohmann::ordered_json json_of(const Analysis& analysis) {
  nlohmann::ordered_json json{{"samples", analysis.samples},
                              {"golden_not_finite", json_of(analysis.golden_not_finite)},
                              {"not_finite", json_of(analysis.built_not_finite)},
                              {"layers", nlohmann::ordered_json::array()}};
  for (const AnalyzedLayer& layer : analysis.layers) {
    nlohmann::ordered_json row{{"op", layer.row.op}, {"tensor", layer.row.tensor}};
    if (!layer.row.is_blank()) {
      row["dtype"] = layer.row.dtype;
      row["entire"] = json_of(layer.entire);
      row["single"] = json_of(layer.single);
      row["clipped"] = layer.clipped;
      row["golden_not_finite"] = layer.golden_not_finite;
      row["not_finite"] = layer.not_finite;
      row["worst_sample"] = layer.worst_sample;
    }
    json["layers"].push_back(std::move(row));
  }
  return json;
}

nlohmann::ordered_json json_of(const DiagnosedModel& diagnosed) {
  nlohmann::ordered_json json = json_of(diagnosed.analysis);
  json["findings"] = nlohmann::ordered_json::array();
  for (const LayerFinding& f : diagnosed.findings) {
    json["findings"].push_back({{"layer", f.layer},
                                {"reason", name(f.reason)},
                                {"evidence", f.evidence},
                                {"fix", f.fix},
                                {"layer_db", {f.effect.layer_before, f.effect.layer_after}},
                                {"output_db", {f.effect.output_before, f.effect.output_after}}});
  }
  json["calibration_set"] = nlohmann::ordered_json::array();
  for (const SetFinding& f : diagnosed.calibration_set) {
    json["calibration_set"].push_back({{"problem", name(f.problem)},
                                       {"samples", f.samples},
                                       {"sentence", f.sentence},
                                       {"fix", f.fix},
                                       {"output_db", {f.sqnr_before, f.sqnr_after}}});
  }
  return json;
}

void print_table(const Analysis& analysis, const std::vector<std::string>& warnings) {
  fmt::print("{}", error_table(analysis, isatty(STDOUT_FILENO) == 1));
  for (const std::string& warning : warnings) fmt::print(stderr, "warning: {}\n", warning);
}

void print_findings(const DiagnosedModel& diagnosed, bool looked) {
  fmt::print("\n");
  if (diagnosed.findings.empty()) {
    fmt::print("{}\n", looked ? "no layer shows a fault that a remedy would mend"
                              : "this file was not built here: for reasons and fixes, analyze the source model");
  }
  for (const LayerFinding& finding : diagnosed.findings) fmt::print("{}\n", to_string(finding));
  for (const SetFinding& finding : diagnosed.calibration_set) fmt::print("{}\n", to_string(finding));
}

// What is run: the dataset of the calibration, unless something else is given. A float16 build takes none.
std::string take_sample_list(const std::string& given, ArgumentValues& build) {
  const auto dataset = build.find("dataset");
  const auto* path = dataset == build.end() ? nullptr : std::get_if<std::string>(&dataset->second.data);
  const std::string list = !given.empty() ? given : path != nullptr ? *path : "";
  if (list.empty()) {
    fail(Code::DatasetMissing, "there are no samples to run the model on",
         "give --samples FILE, a dataset file, or --dataset, which is then used for both");
  }
  if (const auto quantize = build.find("do_quantization");
      quantize != build.end() && quantize->second == ArgumentValue(false)) {
    build.erase("dataset");
  }
  return list;
}

}  // namespace

int analyze(const AnalyzeArguments& arguments) {
  BuildArguments building = with_yaml(arguments.building);
  const std::string list = take_sample_list(arguments.samples, building.build);
  const bool quiet = building.quiet;
  std::optional<FileSink> report;
  if (!arguments.report.empty()) report.emplace(arguments.report);  // better refused now than after the work
  ProgressPrinter progress(quiet);
  Toolkit toolkit(warnings_to_stderr(quiet), progress, building.threads);
  const ShareOut share_out = share_out_of(building);
  Model loaded;
  if (std::filesystem::path(building.model).extension() == ".rknn") {
    loaded = read(MappedFile::open(building.model));
  } else {
    build_model(toolkit, building, share_out);
  }
  const Model& model = toolkit.is_built() ? toolkit.compiled().model : loaded;
  const Graph& golden = golden_for_analysis(model, toolkit.is_built() ? &toolkit.compiled().golden : nullptr);
  const std::unique_ptr<Samples> all = samples_for(list, model, golden, toolkit);
  const ChosenSamples samples = first_samples(*all, arguments.count > 0 ? arguments.count : all->count());
  std::optional<Snapshot> snapshot;
  if (!arguments.folder.empty()) snapshot.emplace(arguments.folder, layer_rows(golden, model.variants.front()));
  const AnalysisRequest request{.model = model,
                                .golden = golden,
                                .samples = samples,
                                .snapshot = snapshot ? &*snapshot : nullptr,
                                .resume = arguments.resume,
                                .share_out = share_out};
  ThreadPool pool(building.threads);
  if (arguments.report.empty() && !arguments.diagnose) {
    const Analysis analysis = analyze_model(request, pool, progress);
    if (arguments.json) {
      fmt::print("{}\n", json_of(analysis).dump(2));
    } else {
      print_table(analysis, analysis_warnings(analysis));
    }
    return 0;
  }
  const DiagnosedModel diagnosed = diagnose_model(request, facts_of(toolkit, building), pool, progress);
  if (report) write_report(*report, diagnosed);
  if (arguments.json) {
    fmt::print("{}\n", json_of(diagnosed).dump(2));
    return 0;
  }
  print_table(diagnosed.analysis, diagnosed.warnings);
  print_findings(diagnosed, toolkit.is_built());
  if (!arguments.report.empty()) fmt::print("\nreport: {}\n", arguments.report);
  return 0;
}

}  // namespace openrknn
