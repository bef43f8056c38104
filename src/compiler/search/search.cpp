// The fewest layers (or multiplications) that reach the target. Small networks: every subset, cheapest first. Others: a
// scan of what each layer harms by itself, the shortest head of that ranking that reaches the target, and then every
// layer of it is put back whose absence the target survives.
#include "compiler/search/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "compiler/search/lift_trials.h"

namespace openrknn {
namespace {

/// Layers that are put back, one trial each.
constexpr size_t kMostPutBack = 48;

/// Nothing and all lifted, each layer's harm, the head of the ranking by doubling and halving, what is put back.
int64_t most_trials(size_t layers) {
  if (layers <= kExhaustiveLayers) return int64_t{1} << layers;
  return static_cast<int64_t>(2 + layers + 2 * static_cast<size_t>(std::bit_width(layers)) +
                              std::min(layers, kMostPutBack));
}

class Search {
 public:
  Search(LiftTrials& trials, const SearchOptions& options, const Progress& progress)
      : trials_(trials),
        options_(options),
        progress_(progress),
        count_(trials.layers().size()),
        most_trials_(most_trials(count_)) {
    for (size_t i = 0; i < count_; ++i) all_.insert(i);
  }

  Lifted find();

 private:
  Lifted first_subset();
  Lifted head_of_ranking();
  Lifted without_needless(Lifted);
  void rank();
  double harm(double without, double best) const;

  double metric(const Lifted& lifted) {
    const double found = trials_.metric(lifted);
    tell(std::min(trials_.count(), most_trials_ - 1));
    return found;
  }
  bool reaches(const Lifted& lifted) { return metric(lifted) >= options_.target; }
  /// What the budget counts first, then the other.
  std::pair<double, double> cost(const Lifted& lifted) const {
    const auto ops = static_cast<double>(lifted.size());
    const double macs = trials_.macs_share(lifted);
    return options_.budget == SearchBudget::Ops ? std::pair(ops, macs) : std::pair(macs, ops);
  }
  /// Layers without multiplications cost something as well.
  double weight(size_t layer) const {
    constexpr double kLeast = 1e-4;
    return options_.budget == SearchBudget::Ops ? 1 : kLeast + trials_.macs_share({layer});
  }
  void tell(int64_t done) const {
    if (progress_) progress_("search", done, most_trials_);
  }
  [[noreturn]] void refuse();

  LiftTrials& trials_;
  const SearchOptions& options_;
  const Progress& progress_;
  size_t count_;
  int64_t most_trials_;
  Lifted all_;
  std::vector<size_t> ranking_;
};

Lifted Search::find() {
  Lifted found;
  if (!reaches({})) {
    if (count_ <= kExhaustiveLayers) {
      found = first_subset();
    } else {
      rank();
      found = without_needless(head_of_ranking());
    }
  }
  tell(most_trials_);
  return found;
}

Lifted Search::first_subset() {
  std::vector<Lifted> subsets;
  for (size_t mask = 1; mask < size_t{1} << count_; ++mask) {
    Lifted& subset = subsets.emplace_back();
    for (size_t i = 0; i < count_; ++i) {
      if ((mask >> i & 1) != 0) subset.insert(i);
    }
  }
  std::stable_sort(subsets.begin(), subsets.end(), [&](const Lifted& a, const Lifted& b) { return cost(a) < cost(b); });
  for (const Lifted& subset : subsets) {
    if (reaches(subset)) return subset;
  }
  refuse();
}

/// What a layer by itself takes away from the quality, everything else lifted. Noise of several layers adds up, in
/// powers: decibels are turned into them.
double Search::harm(double without, double best) const {
  const auto lost = [&](double metric) { return options_.metric ? -metric : std::pow(10.0, -metric / 10); };
  const double harm = lost(without) - lost(best);
  return std::isnan(harm) ? 0 : harm;  // as bad as it can be, with the layer or without
}

/// Layers by what they harm for what they cost, the worst first.
void Search::rank() {
  const double best = metric(all_);
  std::vector<double> worth(count_);
  for (size_t i = 0; i < count_; ++i) {
    Lifted others = all_;
    others.erase(i);
    worth[i] = harm(metric(others), best) / weight(i);
  }
  ranking_.resize(count_);
  std::iota(ranking_.begin(), ranking_.end(), size_t{0});
  std::stable_sort(ranking_.begin(), ranking_.end(), [&](size_t a, size_t b) { return worth[a] > worth[b]; });
}

Lifted Search::head_of_ranking() {
  const auto head = [&](size_t length) {
    return Lifted(ranking_.begin(), ranking_.begin() + static_cast<std::ptrdiff_t>(length));
  };
  // Doubling first: it gives the curve its points.
  size_t fails = 0, works = 1;
  while (works < count_ && !reaches(head(works))) {
    fails = works;
    works = std::min(2 * works, count_);
  }
  if (!reaches(head(works))) refuse();
  while (works - fails > 1) {
    const size_t middle = fails + (works - fails) / 2;
    (reaches(head(middle)) ? works : fails) = middle;
  }
  return head(works);
}

/// The least harmful for its cost first, and no more than kMostPutBack.
Lifted Search::without_needless(Lifted lifted) {
  size_t left = kMostPutBack;
  for (auto layer = ranking_.rbegin(); layer != ranking_.rend() && lifted.size() > 1 && left > 0; ++layer) {
    if (!lifted.contains(*layer)) continue;
    Lifted fewer = lifted;
    fewer.erase(*layer);
    --left;
    if (reaches(fewer)) lifted = std::move(fewer);
  }
  return lifted;
}

void Search::refuse() {
  const auto best = std::max_element(trials_.known().begin(), trials_.known().end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  fail(
      Code::QuantizeUnsupported,
      fmt::format("search: the target of {:.6g} cannot be reached by lifting layers to {}: the best is {:.6g}, with {} "
                  "of {} layers lifted",
                  options_.target, numpy_name(options_.lift), best->second, best->first.size(), count_),
      options_.lift == DType::Float16 ? "lower the target, or lift to int16" : "lower the target, or lift to float16");
}

/// Points that nothing tried beats at no more layers and no more multiplications.
std::vector<SearchPoint> curve_of(LiftTrials& trials) {
  std::vector<SearchPoint> tried, curve;
  for (const auto& [lifted, metric] : trials.known()) tried.push_back(trials.point(lifted));
  const auto key = [](const SearchPoint& p) { return std::tuple(p.layers.size(), p.macs_share, p.metric); };
  std::stable_sort(tried.begin(), tried.end(),
                   [&](const SearchPoint& a, const SearchPoint& b) { return key(a) < key(b); });
  for (const SearchPoint& point : tried) {
    const bool beaten = std::any_of(tried.begin(), tried.end(), [&](const SearchPoint& other) {
      const bool as_cheap = other.layers.size() <= point.layers.size() && other.macs_share <= point.macs_share;
      return as_cheap && other.metric >= point.metric && key(other) != key(point);
    });
    const bool told = !curve.empty() && key(curve.back()) == key(point);
    if (!beaten && !told) curve.push_back(point);
  }
  return curve;
}

}  // namespace

SearchResult search_precision(const PreparedBuild& prepared, const CompileOptions& options, const SearchOptions& search,
                              const Samples& samples, ThreadPool& pool, const Progress& progress) {
  if (search.samples < 1 || samples.count() < 1) {
    fail(Code::ConfigBadValue, fmt::format("search: got {} samples to judge by, expected 1 or more", search.samples));
  }
  LiftTrials trials(prepared, options, search, samples, pool);
  const Lifted lifted = Search(trials, search, progress).find();
  SearchResult result{.chosen = trials.point(lifted), .curve = curve_of(trials), .trials = trials.count()};
  result.rules = trials.rules(lifted);
  return result;
}

SearchedModel search_and_compile(std::span<const Graph> shape_sets, const CompileOptions& options,
                                 const SearchOptions& search, const Samples& samples, ThreadPool& pool,
                                 const Progress& progress) {
  const PreparedBuild prepared = prepare(shape_sets, options, &samples, pool, progress);
  SearchResult found = search_precision(prepared, options, search, samples, pool, progress);
  CompileOptions lifted = options;
  // The user's own rules come last: they win.
  lifted.precision.insert(lifted.precision.begin(), found.rules.begin(), found.rules.end());
  return {finish(prepared, lifted, &samples, pool, progress), std::move(found)};
}

}  // namespace openrknn
