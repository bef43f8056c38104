#include <fmt/format.h>

#include "compiler/analysis/error_table.h"
#include "core/targets/targets.h"
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

DiagnosedModel diagnose_model(const DiagnosisRequest& request, ThreadPool& pool, const Progress& progress) {
  const Graph &golden = request.golden, &built = request.model.variants.front();
  const std::vector<LayerRow> rows = layer_rows(golden, built);
  ReportCollector collected(built, rows);
  const RowVisitor visit = [&](size_t row, const LayerValues& wanted, const LayerValues& got) {
    collected.visit(row, wanted, got);
    if (request.snapshot != nullptr) request.snapshot->write(row, wanted, got);
  };
  const std::string folder = request.snapshot == nullptr ? "" : request.snapshot->table_path().string();
  Checkpoint checkpoint(request.resume, analysis_key(golden, request.model, "report " + folder));
  const Resumption resumption{checkpoint, [&](StateWriter& state) { collected.write(state); },
                              [&](StateReader& state) { collected.read(state); }};
  DiagnosedModel result;
  result.analysis = analyze(golden, built, request.model.arithmetic, rows, request.samples, pool, progress, visit,
                            request.custom, request.resume.empty() ? nullptr : &resumption);
  result.warnings = analysis_warnings(result.analysis);
  if (request.build != nullptr) result.calibration_set = request.build->calibration_set;

  Calibration seen;
  if (result.analysis.golden_not_finite) {
    result.warnings.push_back("the float model itself gives NaN or infinity, so reasons are not looked for");
  } else {
    seen = calibrate(golden, request.samples, pool, progress, request.custom, Detail::Histograms);
  }
  if (request.recipe != nullptr && !seen.empty()) {
    const Target& target = *find_target(request.model.target);
    const Subject subject{golden, built, *request.recipe, target, request.samples, pool, request.custom};
    RemedyTrials trials(subject, seen, worst_sample(collected));
    for (SetFinding& finding : ranges_that_do_not_fit(*request.recipe, seen, trials)) {
      result.calibration_set.insert(result.calibration_set.begin(), std::move(finding));
    }
    result.findings = diagnose(subject, result.analysis, trials, progress);
  }

  Report report{.model = request.title,
                .facts = request.build != nullptr
                             ? request.build->facts
                             : std::vector<std::pair<std::string, std::string>>{{"target", request.model.target}},
                .golden = golden,
                .built = built,
                .recipe = request.recipe,
                .analysis = result.analysis,
                .collected = collected,
                .seen = seen,
                .findings = result.findings,
                .set_findings = result.calibration_set,
                .warnings = result.warnings};
  for (int64_t i = 0; i < request.samples.count(); ++i) report.samples.push_back(request.samples.describe(i));
  result.html = report_html(report);
  if (request.snapshot != nullptr) request.snapshot->finish(error_table(result.analysis));
  if (!request.resume.empty()) checkpoint.finish();
  return result;
}

}  // namespace openrknn
