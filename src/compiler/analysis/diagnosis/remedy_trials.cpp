#include "compiler/analysis/diagnosis/remedy_trials.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/analysis/compare_streams.h"
#include "compiler/analysis/graph_stream.h"

namespace openrknn {

double Outcome::single_of(const std::string& value) const {
  const auto found = single.find(value);
  return found == single.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

namespace {

std::vector<int64_t> judges(const Samples& all, int64_t worst) {
  constexpr size_t kMost = 4;
  std::vector<int64_t> indices{worst};
  for (int64_t i = 0; i < all.count() && indices.size() < kMost; ++i) {
    if (i != worst) indices.push_back(i);
  }
  return indices;
}

}  // namespace

RemedyTrials::RemedyTrials(const Subject& subject, const Calibration& seen, int64_t worst)
    : subject_(subject), seen_(seen), samples_(subject.samples, judges(subject.samples, worst)) {}
int64_t RemedyTrials::samples() const { return samples_.count(); }

Graph RemedyTrials::changed(const Remedy& remedy) const {
  const QuantizeRecipe& recipe = subject_.recipe;
  PrecisionMap precision = recipe.precision;
  for (const auto& [node, dtype] : remedy.precision) precision[node] = {.dtype = dtype, .rule = "asked for"};
  QuantizeOptions options = recipe.options;
  if (remedy.algorithm) {
    options.activations.algorithm = *remedy.algorithm;
    options.clip_weights = uses_weight_search(*remedy.algorithm);
  }
  if (remedy.method) options.method = *remedy.method;
  // A float16 build has seen no samples: ranges come from those at hand.
  const bool recalibrates = remedy.recalibrates || recipe.calibration.empty();
  Graph graph = quantize(subject_.golden, precision, recalibrates ? seen_ : recipe.calibration, options, recipe.given,
                         nullptr, &subject_.pool);
  lower(graph, subject_.target);
  return graph;
}

Outcome RemedyTrials::measure(const Graph& built) const {
  std::vector<LayerPair> pairs;
  for (auto& [layer, reference] : comparable_values(subject_.golden, built)) {
    pairs.push_back({std::move(layer), std::move(reference)});
  }
  Weights weights;
  const PlanOptions options{.fuse = false, .custom_code = subject_.custom};
  GraphStream reference(subject_.golden, plan(subject_.golden, Arithmetic{}, options, weights), subject_.pool);
  const std::shared_ptr<const Plan> shared = plan(built, arithmetic_of(subject_.target), options, weights);
  GraphStream entire(built, shared, subject_.pool), single(built, shared, subject_.pool);
  const Candidate candidates[] = {{entire, false}, {single, true}};
  const auto goes_on = [&](std::string_view, int64_t, int64_t) {
    if (subject_.progress) subject_.progress("diagnose", 0, 0);
  };
  const StreamComparison compared = compare_streams(reference, candidates, pairs, samples_, subject_.pool, goes_on);
  std::set<std::string, std::less<>> outputs;
  for (const ValueId id : built.outputs) outputs.insert(built[id].name);
  Outcome outcome{.single = {}, .output = std::numeric_limits<double>::infinity()};
  for (size_t p = 0; p < pairs.size(); ++p) {
    if (pairs[p].layer == pairs[p].reference) {
      outcome.single[pairs[p].reference] = compared.sums[1][p].error().sqnr_db;
    }
    if (outputs.contains(pairs[p].layer)) {
      outcome.output = std::min(outcome.output, rank_of(compared.sums[0][p].error().sqnr_db));
    }
  }
  return outcome;
}

const Outcome& RemedyTrials::before() {
  if (!before_) before_ = measure(subject_.built);
  return *before_;
}

const std::optional<Outcome>& RemedyTrials::with(const Remedy& remedy) {
  std::string key = fmt::format("{} {} {}", remedy.algorithm ? static_cast<int>(*remedy.algorithm) : -1,
                                remedy.method ? static_cast<int>(*remedy.method) : -1, remedy.recalibrates);
  for (const auto& [node, dtype] : remedy.precision) {
    key += fmt::format(" {}:{}", static_cast<int32_t>(node), static_cast<int>(dtype));
  }
  const auto [at, is_new] = known_.try_emplace(std::move(key));
  if (!is_new) return at->second;
  try {
    at->second = measure(changed(remedy));
  } catch (const Error& error) {
    // What quantize refuses is no remedy; everything else is a fault.
    const Code code = error.code();
    if (code == Code::OutOfMemory || code == Code::Internal) throw;
  }
  return at->second;
}

}  // namespace openrknn
