#include "compiler/analysis/diagnosis/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/analysis/diagnosis/suspects.h"
#include "core/executor/needed_nodes.h"

namespace openrknn {
namespace {

constexpr double kFineAlone = 30;   // dB: a thousandth of the power is lost
constexpr double kFineOutput = 25;  // dB: what errors may add up to
constexpr double kLayerGain = 3;    // dB a remedy must bring the layer …
constexpr double kOutputGain = 1;   // … or the output, to be one
constexpr size_t kMostLayers = 10;
constexpr int64_t kMostTrials = 16;
constexpr double kLargestHalf = 65504;

std::string label_of(const LayerRow& row) { return fmt::format("[{}] {}", row.op, row.tensor); }

bool is_shown(const AnalyzedLayer& layer) { return !layer.row.is_blank() && !layer.row.is_exact; }

bool overflows(const AnalyzedLayer& layer) {
  return layer.row.dtype == "float16" && layer.clipped > 0 && layer.not_finite > layer.golden_not_finite;
}

/// The worst ten by what the layer loses by itself.
std::vector<size_t> worst_rows(const Analysis& analysis) {
  std::vector<size_t> rows;
  for (size_t r = 0; r < analysis.layers.size(); ++r) {
    const AnalyzedLayer& layer = analysis.layers[r];
    if (!is_shown(layer)) continue;
    if (rank_of(layer.single.sqnr_db) < kFineAlone || overflows(layer)) rows.push_back(r);
  }
  std::stable_sort(rows.begin(), rows.end(), [&](size_t a, size_t b) {
    return rank_of(analysis.layers[a].single.sqnr_db) < rank_of(analysis.layers[b].single.sqnr_db);
  });
  // Names of the source model that came to mean one value are one layer.
  std::set<std::string> seen;
  std::erase_if(rows, [&](size_t r) { return !seen.insert(analysis.layers[r].row.layer).second; });
  if (rows.size() > kMostLayers) rows.resize(kMostLayers);
  return rows;
}

class Diagnosis {
 public:
  Diagnosis(const Subject& subject, const Analysis& analysis, RemedyTrials& trials, const Progress& progress)
      : subject_(subject), analysis_(analysis), trials_(trials), progress_(progress) {}

  std::vector<LayerFinding> make() {
    const std::vector<size_t> rows = worst_rows(analysis_);
    overflow(rows);
    std::map<int64_t, std::vector<size_t>> by_sample;  // numbers of one sample at a time
    for (const size_t row : rows) by_sample[analysis_.layers[row].worst_sample].push_back(row);
    int64_t done = 0;
    for (const auto& [sample, members] : by_sample) {
      std::set<ValueId> wanted;
      for (const size_t row : members)
        wanted.merge(values_to_explain(subject_, suspect_layer(subject_, analysis_, row)));
      const Numbers numbers = golden_numbers(subject_, sample, wanted);
      for (const size_t row : members) {
        const AnalyzedLayer& layer = analysis_.layers[row];
        const SuspectLayer suspect = suspect_layer(subject_, analysis_, row);
        if (!overflows(layer)) try_remedies(row, explain(subject_, suspect, numbers));
        if (progress_) progress_("diagnose", ++done, static_cast<int64_t>(rows.size()));
      }
    }
    accumulated();
    std::stable_sort(found_.begin(), found_.end(), [](const LayerFinding& a, const LayerFinding& b) {
      return a.effect.layer_before < b.effect.layer_before;
    });
    return std::move(found_);
  }

 private:
  /// Names the reason if one of its remedies helps; the one that helps the output most.
  void try_remedies(size_t row, const std::optional<Suspicion>& suspicion) {
    if (!suspicion) return;
    const LayerRow& layer = analysis_.layers[row].row;
    const bool is_accumulated = suspicion->reason == Reason::AccumulatedError;
    std::optional<LayerFinding> best;
    for (const Remedy& remedy : suspicion->remedies) {
      if (trials_.count() >= kMostTrials) break;
      if (!remedy.changes()) continue;  // what is float16 already, or cannot be
      const Outcome& before = trials_.before();
      const std::optional<Outcome>& after = trials_.with(remedy);
      if (!after) continue;
      MeasuredEffect effect{.layer_before = is_accumulated ? before.output : rank_of(before.single_of(layer.reference)),
                            .layer_after = is_accumulated ? after->output : rank_of(after->single_of(layer.reference)),
                            .output_before = before.output,
                            .output_after = after->output};
      // A conversion has no place where nothing is converted: its output tells.
      if (layer.layer != layer.reference) effect.layer_before = rank_of(analysis_.layers[row].single.sqnr_db);
      const bool helps_layer = effect.layer_after >= effect.layer_before + kLayerGain;
      const bool helps_output = effect.output_after >= effect.output_before + kOutputGain;
      const bool harms_output = effect.output_after < effect.output_before;
      if (harms_output || (!helps_layer && !helps_output)) continue;
      if (best && best->effect.output_after + kOutputGain >= effect.output_after) continue;  // simpler ones come first
      best = LayerFinding{row, suspicion->reason, label_of(layer), suspicion->evidence, remedy.fix, effect};
    }
    if (best) found_.push_back(std::move(*best));
  }

  void overflow(const std::vector<size_t>& rows) {
    std::set<NodeId> overflowing;
    for (const AnalyzedLayer& layer : analysis_.layers) {
      if (!is_shown(layer) || !overflows(layer)) continue;
      if (const NodeId node = subject_.built[subject_.built.find(layer.row.layer)].producer;
          static_cast<int64_t>(node) < subject_.golden.node_count()) {
        overflowing.insert(node);
      }
    }
    for (const size_t row : rows) {
      const AnalyzedLayer& layer = analysis_.layers[row];
      if (!overflows(layer)) continue;
      const SuspectLayer suspect = suspect_layer(subject_, analysis_, row);
      if (suspect.node == NodeId::None) continue;
      const Numbers numbers = golden_numbers(subject_, layer.worst_sample, {suspect.value});
      const auto known = numbers.find(suspect.value);
      if (known == numbers.end()) continue;  // golden knows it without computing
      double largest = 0;
      for (const double v : to_doubles(known->second)) {
        if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
      }
      if (largest > kLargestHalf) try_remedies(row, half_overflow(subject_, suspect, largest, overflowing));
    }
  }

  /// Each step is fine, all of them together are not.
  void accumulated() {
    std::optional<size_t> worst;
    for (const ValueId id : subject_.built.outputs) {
      for (size_t r = 0; r < analysis_.layers.size(); ++r) {
        if (!is_shown(analysis_.layers[r]) || analysis_.layers[r].row.layer != subject_.built[id].name) continue;
        const auto entire = [&](size_t row) { return rank_of(analysis_.layers[row].entire.sqnr_db); };
        if (!worst || entire(r) < entire(*worst)) worst = r;
      }
    }
    if (!worst) return;
    const AnalyzedLayer& output = analysis_.layers[*worst];
    if (rank_of(output.entire.sqnr_db) >= kFineOutput) return;
    std::vector<const AnalyzedLayer*> before = upstream(output);
    if (before.size() < 4) return;
    std::stable_sort(before.begin(), before.end(), [](const AnalyzedLayer* a, const AnalyzedLayer* b) {
      return rank_of(a->single.sqnr_db) < rank_of(b->single.sqnr_db);
    });
    const double least = rank_of(before.front()->single.sqnr_db);
    if (least < output.entire.sqnr_db + 6) return;  // one bad layer is no accumulation
    if (!subject_.target.float16) return;
    // The half that loses most.
    Remedy remedy;
    for (size_t i = 0; i < (before.size() + 1) / 2; ++i) {
      const NodeId node =
          suspect_layer(subject_, analysis_, static_cast<size_t>(before[i] - analysis_.layers.data())).node;
      const auto row = subject_.recipe.precision.find(node);
      if (row == subject_.recipe.precision.end() || row->second.dtype == DType::Float16) continue;
      remedy.precision[node] = DType::Float16;
    }
    if (remedy.precision.empty()) return;
    remedy.fix = fmt::format("compute the {} layers that lose most in float16: precision rules {}",
                             remedy.precision.size(), rules_text(subject_.golden, remedy.precision));
    try_remedies(
        *worst, Suspicion{Reason::AccumulatedError,
                          fmt::format("each of the {} layers before it is fine by itself, the worst, {}, at {:.1f} dB; "
                                      "together they leave {:.1f} dB",
                                      before.size(), label_of(before.front()->row), least, output.entire.sqnr_db),
                          {remedy}});
  }

  std::vector<const AnalyzedLayer*> upstream(const AnalyzedLayer& output) const {
    const Graph& golden = subject_.golden;
    std::set<NodeId> nodes;
    std::vector<NodeId> open = {golden[golden.find(output.row.reference)].producer};
    while (!open.empty()) {
      const NodeId node = open.back();
      open.pop_back();
      if (node == NodeId::None || !nodes.insert(node).second) continue;
      for (const ValueId input : golden[node].inputs) {
        if (input != ValueId::None) open.push_back(golden[input].producer);
      }
    }
    std::vector<const AnalyzedLayer*> layers;
    std::set<std::string> seen;
    for (size_t r = 0; r < analysis_.layers.size(); ++r) {
      const AnalyzedLayer& layer = analysis_.layers[r];
      if (!is_shown(layer)) continue;
      const SuspectLayer suspect = suspect_layer(subject_, analysis_, r);
      if (suspect.node != NodeId::None && nodes.contains(suspect.node) && seen.insert(layer.row.layer).second) {
        layers.push_back(&layer);
      }
    }
    return layers;
  }

  const Subject& subject_;
  const Analysis& analysis_;
  RemedyTrials& trials_;
  const Progress& progress_;
  std::vector<LayerFinding> found_;
};

}  // namespace

std::string_view name(Reason reason) {
  constexpr std::string_view kNames[] = {"outlier channel",      "mixed-range concat", "clipping",
                                         "saturated activation", "float16 overflow",   "accumulated error"};
  return kNames[static_cast<size_t>(reason)];
}

std::string to_string(const LayerFinding& finding) {
  const MeasuredEffect& e = finding.effect;
  return fmt::format("{}: {}: {}; fix: {} (layer {:.1f} -> {:.1f} dB, output {:.1f} -> {:.1f} dB)", finding.layer,
                     name(finding.reason), finding.evidence, finding.fix, e.layer_before, e.layer_after,
                     e.output_before, e.output_after);
}

std::vector<LayerFinding> diagnose(const Subject& subject, const Analysis& analysis, RemedyTrials& trials,
                                   const Progress& progress) {
  return Diagnosis(subject, analysis, trials, progress).make();
}

}  // namespace openrknn
