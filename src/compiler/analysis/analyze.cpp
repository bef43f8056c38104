#include "compiler/analysis/analyze.h"

#include <fmt/format.h>

#include <map>

#include "compiler/analysis/compare_streams.h"
#include "compiler/analysis/graph_stream.h"

namespace openrknn {
namespace {

/// Rows that show a pair: several where names of the source model came to mean one value.
std::vector<std::vector<size_t>> rows_by_pair(const std::vector<LayerRow>& rows, const std::vector<LayerPair>& pairs) {
  std::map<std::string, size_t, std::less<>> pair_of;
  for (size_t p = 0; p < pairs.size(); ++p) pair_of.emplace(pairs[p].layer, p);
  std::vector<std::vector<size_t>> result(pairs.size());
  for (size_t r = 0; r < rows.size(); ++r) {
    if (!rows[r].is_blank()) result[pair_of.at(rows[r].layer)].push_back(r);
  }
  return result;
}

}  // namespace

Analysis analyze(const Graph& golden, const Graph& built, const Arithmetic& arithmetic,
                 const std::vector<LayerRow>& rows, const Samples& samples, ThreadPool& pool, const Progress& progress,
                 const RowVisitor& visit, const CustomCode& custom, const Resumption* resumption) {
  std::vector<LayerPair> pairs;
  for (auto& [layer, reference] : comparable_values(golden, built)) {
    pairs.push_back({std::move(layer), std::move(reference)});
  }
  const std::vector<std::vector<size_t>> shown = rows_by_pair(rows, pairs);

  Weights weights;
  const PlanOptions options{.fuse = false, .custom_code = custom};
  GraphStream reference(golden, plan(golden, Arithmetic{}, options, weights), pool);
  const std::shared_ptr<const Plan> shared = plan(built, arithmetic, options, weights);
  GraphStream entire(built, shared, pool), single(built, shared, pool);
  const Candidate candidates[] = {{entire, false}, {single, true}};
  LayerVisitor visit_rows;
  if (visit) {
    visit_rows = [&](size_t pair, const LayerValues& wanted, std::span<const LayerValues> got) {
      for (const size_t row : shown[pair]) visit(row, wanted, rows[row].is_exact ? wanted : got[0]);
    };
  }
  const StreamComparison compared =
      compare_streams(reference, candidates, pairs, samples, pool, progress, visit_rows, resumption);

  Analysis analysis{
      .layers = {}, .samples = samples.count(), .golden_not_finite = {}, .built_not_finite = {}, .not_resumed = {}};
  if (resumption != nullptr) analysis.not_resumed = resumption->checkpoint.refusal();
  for (const LayerRow& row : rows) analysis.layers.push_back({.row = row, .entire = {}, .single = {}});
  for (size_t p = 0; p < pairs.size(); ++p) {
    const ErrorSums& sums = compared.sums[0][p];
    for (const size_t row : shown[p]) {
      AnalyzedLayer& layer = analysis.layers[row];
      layer.elements = sums.elements();
      if (layer.row.is_exact) continue;
      layer.entire = sums.error();
      layer.single = compared.sums[1][p].error();
      layer.clipped = sums.clipped();
      layer.golden_not_finite = sums.wanted_not_finite();
      layer.not_finite = sums.got_not_finite();
      layer.worst_sample = compared.worst_sample[p];
    }
  }
  const auto named = [&](const std::optional<FirstNotFinite>& first) -> std::optional<NotFiniteLayer> {
    if (!first) return std::nullopt;
    // Values without a row do not exist: each computed one is a source layer's or stands between two.
    const LayerRow& row = rows[shown[first->pair].back()];
    return NotFiniteLayer{row.op, row.tensor, samples.describe(first->sample), first->elements, first->of};
  };
  analysis.golden_not_finite = named(compared.reference_not_finite);
  analysis.built_not_finite = named(compared.candidate_not_finite[0]);
  return analysis;
}

std::string to_string(const NotFiniteLayer& layer, std::string_view whose) {
  return fmt::format("{} of {} elements of {} are NaN or infinite in {}, first in [{}] {}", layer.elements, layer.of,
                     whose, layer.sample, layer.op, layer.tensor);
}

}  // namespace openrknn
