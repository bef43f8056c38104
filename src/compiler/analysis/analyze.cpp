#include "compiler/analysis/analyze.h"

#include <fmt/format.h>

#include <array>
#include <map>

#include "compiler/analysis/graph_stream.h"

namespace openrknn {
namespace {

std::vector<LayerPair> pairs_of(const Graph& golden, const Graph& built) {
  std::vector<LayerPair> pairs;
  for (auto& [layer, reference] : comparable_values(golden, built)) {
    pairs.push_back({std::move(layer), std::move(reference)});
  }
  return pairs;
}

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

constexpr size_t kCandidates = 2;

/// Golden, and the built graph twice: from the input, and each layer by itself.
struct Streams {
  Streams(const Graph& golden, const Graph& built, const Arithmetic& arithmetic, ThreadPool& pool,
          const CustomCode& custom)
      : options{.fuse = false, .custom_code = custom},
        shared(plan(built, arithmetic, options, weights)),
        reference(golden, plan(golden, Arithmetic{}, options, weights), pool),
        entire(built, shared, pool),
        single(built, shared, pool) {}

  PlanOptions options;
  Weights weights;
  std::shared_ptr<const Plan> shared;
  GraphStream reference, entire, single;
  const std::array<Candidate, kCandidates> candidates = {{{entire, false}, {single, true}}};
};

LayerVisitor visitor_of_pairs(const RowVisitor& visit, const std::vector<LayerRow>& rows,
                              const std::vector<std::vector<size_t>>& shown) {
  if (!visit) return {};
  return [&](size_t pair, const LayerValues& wanted, std::span<const LayerValues> got) {
    for (const size_t row : shown[pair]) visit(row, wanted, rows[row].is_exact ? wanted : got[0]);
  };
}

Analysis analysis_from(const StreamComparison& compared, const std::vector<LayerRow>& rows,
                       const std::vector<std::vector<size_t>>& shown, const Samples& samples) {
  Analysis analysis{
      .layers = {}, .samples = samples.count(), .golden_not_finite = {}, .built_not_finite = {}, .not_resumed = {}};
  for (const LayerRow& row : rows) analysis.layers.push_back({.row = row, .entire = {}, .single = {}});
  for (size_t p = 0; p < shown.size(); ++p) {
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

}  // namespace

Analysis analyze(const Graph& golden, const Graph& built, const Arithmetic& arithmetic,
                 const std::vector<LayerRow>& rows, const Samples& samples, ThreadPool& pool, const Progress& progress,
                 const RowVisitor& visit, const CustomCode& custom, const Resumption* resumption) {
  const std::vector<LayerPair> pairs = pairs_of(golden, built);
  const std::vector<std::vector<size_t>> shown = rows_by_pair(rows, pairs);
  Streams streams(golden, built, arithmetic, pool, custom);
  Analysis analysis = analysis_from(compare_streams(streams.reference, streams.candidates, pairs, samples, pool,
                                                    progress, visitor_of_pairs(visit, rows, shown), resumption),
                                    rows, shown, samples);
  if (resumption != nullptr) analysis.not_resumed = resumption->checkpoint.refusal();
  return analysis;
}

std::vector<std::string> layers_of_runtime(const Graph& golden, const Graph& built) {
  std::vector<std::string> layers;
  for (LayerPair& pair : pairs_of(golden, built)) layers.push_back(std::move(pair.layer));
  return layers;
}

void add_runtime(Analysis& analysis, const Graph& golden, const Graph& built, const Arithmetic& arithmetic,
                 LayerStream& device, const Samples& samples, ThreadPool& pool, const Progress& progress,
                 const RowVisitor& visit, const CustomCode& custom) {
  const std::vector<LayerPair> pairs = pairs_of(golden, built);
  std::vector<LayerRow> rows;
  for (const AnalyzedLayer& layer : analysis.layers) rows.push_back(layer.row);
  const std::vector<std::vector<size_t>> shown = rows_by_pair(rows, pairs);
  const PlanOptions options{.fuse = false, .custom_code = custom};
  Weights weights;
  GraphStream reference(golden, plan(golden, Arithmetic{}, options, weights), pool);
  const Candidate entire[] = {{device, false}};
  const StreamComparison runtime =
      compare_streams(reference, entire, pairs, samples, pool, progress, visitor_of_pairs(visit, rows, shown));
  // The device's layers are the reference now: the simulator computes each from what the device had before it.
  std::vector<LayerPair> same = pairs;
  for (LayerPair& pair : same) pair.reference = pair.layer;
  GraphStream simulator(built, plan(built, arithmetic, options, weights), pool);
  const Candidate fed[] = {{simulator, true}};
  const StreamComparison single = compare_streams(device, fed, same, samples, pool, progress);
  for (size_t p = 0; p < pairs.size(); ++p) {
    for (const size_t row : shown[p]) {
      if (rows[row].is_exact) continue;
      analysis.layers[row].runtime_entire = runtime.sums[0][p].error();
      analysis.layers[row].single_sim = single.sums[0][p].error();
    }
  }
  analysis.has_runtime = true;
}

std::vector<SampleSums> sums_of_samples(const Graph& golden, const Graph& built, const Arithmetic& arithmetic,
                                        const std::vector<LayerRow>& rows, const Samples& samples, ThreadPool& pool,
                                        const Progress& progress, const RowVisitor& visit, const CustomCode& custom) {
  const std::vector<LayerPair> pairs = pairs_of(golden, built);
  const std::vector<std::vector<size_t>> shown = rows_by_pair(rows, pairs);
  const LayerVisitor visit_pairs = visitor_of_pairs(visit, rows, shown);
  Streams streams(golden, built, arithmetic, pool, custom);
  std::vector<SampleSums> sums;
  for (int64_t i = 0; i < samples.count(); ++i) {
    sums.push_back(compare_sample(streams.reference, streams.candidates, pairs, samples.get(i), pool, visit_pairs));
    if (progress) progress("analyze", i + 1, samples.count());
  }
  return sums;
}

Analysis analysis_of(const Graph& golden, const Graph& built, const std::vector<LayerRow>& rows, const Samples& samples,
                     const std::vector<SampleSums>& sums) {
  const std::vector<LayerPair> pairs = pairs_of(golden, built);
  ComparisonTotals totals(kCandidates, pairs.size());
  for (const SampleSums& sample : sums) totals.add(sample);
  return analysis_from(totals.result(), rows, rows_by_pair(rows, pairs), samples);
}

std::string to_string(const NotFiniteLayer& layer, std::string_view whose) {
  return fmt::format("{} of {} elements of {} are NaN or infinite in {}, first in [{}] {}", layer.elements, layer.of,
                     whose, layer.sample, layer.op, layer.tensor);
}

}  // namespace openrknn
