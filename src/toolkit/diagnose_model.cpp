#include <fmt/format.h>

#include <algorithm>

#include "core/targets/targets.h"
#include "toolkit/evaluation.h"
#include "toolkit/layer_analysis.h"

namespace openrknn {
namespace {

/// Ranges that do not fit are a finding if others would serve the output better.
constexpr double kGain = 1;  // dB

int64_t worst_sample(const ReportCollector& collected) {
  int64_t worst = 0;
  const auto db = [&](int64_t i) { return rank_of(collected.samples()[static_cast<size_t>(i)].error().sqnr_db); };
  for (int64_t i = 1; i < static_cast<int64_t>(collected.samples().size()); ++i) {
    if (db(i) < db(worst)) worst = i;
  }
  return worst;
}

std::vector<SetFinding> ranges_that_do_not_fit(const QuantizeRecipe& recipe, const Calibration& seen,
                                               RemedyTrials& trials) {
  std::vector<SetFinding> confirmed;
  for (SetFinding& finding : compare_ranges(recipe.calibration, seen)) {
    const std::optional<Outcome>& after = trials.with({.fix = finding.fix, .recalibrates = true});
    if (!after || after->output < trials.before().output + kGain) continue;
    finding.sqnr_before = trials.before().output;
    finding.sqnr_after = after->output;
    confirmed.push_back(std::move(finding));
  }
  return confirmed;
}

}  // namespace

DiagnosedModel diagnose_model(const AnalysisRequest& request, const BuildFacts& facts, ThreadPool& pool,
                              const Progress& progress) {
  const Graph &golden = request.golden, &built = request.model.variants.front();
  const std::vector<LayerRow> rows = layer_rows(golden, built);
  ReportCollector collected(built, rows);
  DiagnosedModel result;
  result.analysis = compare_layers(request, rows, &collected, pool, progress);
  result.warnings = analysis_warnings(result.analysis);
  if (facts.build != nullptr) result.calibration_set = facts.build->calibration_set;

  Calibration seen;
  if (result.analysis.golden_not_finite) {
    result.warnings.push_back("the float model itself gives NaN or infinity, so reasons are not looked for");
  } else if (const Calibrator elsewhere = calibrator_of(request.share_out)) {
    seen = elsewhere(golden, request.samples, Detail::Histograms, progress);
  } else {
    seen = calibrate(golden, request.samples, pool, progress, request.custom, Detail::Histograms);
  }
  if (facts.recipe != nullptr && !seen.empty()) {
    const Target& target = *find_target(request.model.target);
    const Subject subject{golden, built, *facts.recipe, target, request.samples, pool, request.custom, progress};
    RemedyTrials trials(subject, seen, worst_sample(collected));
    for (SetFinding& finding : ranges_that_do_not_fit(*facts.recipe, seen, trials)) {
      result.calibration_set.insert(result.calibration_set.begin(), std::move(finding));
    }
    result.findings = diagnose(subject, result.analysis, trials, progress);
  }

  Report report{.model = facts.title,
                .facts = facts.build != nullptr
                             ? facts.build->facts
                             : std::vector<std::pair<std::string, std::string>>{{"target", request.model.target}},
                .golden = golden,
                .built = built,
                .recipe = facts.recipe,
                .analysis = result.analysis,
                .collected = collected,
                .seen = seen,
                .findings = result.findings,
                .set_findings = result.calibration_set,
                .warnings = result.warnings,
                .search = facts.search,
                .speed = {roofline_of(estimate_model(request.model))}};
  for (int64_t i = 0; i < request.samples.count(); ++i) report.samples.push_back(request.samples.describe(i));
  result.html = report_html(report);
  finish_files(request, result.analysis);
  return result;
}

TradeOff trade_off_of(const SearchResult& found, const SearchOptions& options) {
  TradeOff trade_off{.target = options.target,
                     .max_macs_share = options.max_macs_share,
                     .is_sqnr = !options.metric,
                     .lifted_to = std::string(numpy_name(options.lift)),
                     .trials = found.trials,
                     .points = {}};
  const auto add = [&](const SearchPoint& point) {
    trade_off.points.push_back({.layers = point.layers, .macs_share = point.macs_share, .metric = point.metric});
  };
  for (const SearchPoint& point : found.curve) add(point);
  const auto is_chosen = [&](const SearchPoint& point) { return point.layers == found.chosen.layers; };
  const auto chosen = std::find_if(found.curve.begin(), found.curve.end(), is_chosen);
  trade_off.chosen = static_cast<size_t>(chosen - found.curve.begin());
  if (chosen == found.curve.end()) add(found.chosen);  // something tried on the way may beat it
  return trade_off;
}

BuildFacts build_facts(std::string title, const Compiled* compiled) {
  BuildFacts facts{.title = std::move(title)};
  if (compiled != nullptr) {
    facts.recipe = &compiled->recipe;
    facts.build = &compiled->report;
  }
  return facts;
}

void write_report(FileSink& file, const DiagnosedModel& diagnosed) {
  file.write(std::as_bytes(std::span(diagnosed.html)));
  file.commit();
}

}  // namespace openrknn
