// The fewest layers (or multiplications) that reach the target, or the best that a limit of multiplications allows.
// Small networks: every subset, cheapest first. Others: a scan of what each layer harms by itself, and then the
// shortest head of that ranking that reaches the target, of which every layer is put back whose absence the target
// survives; under a limit, the set that takes the most harm away, and exchanges that better it.
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

/// Layers that are put back, or come in for others: one trial each.
constexpr size_t kMostPutBack = 48, kMostExchanges = 48;

/// Nothing and all lifted, each layer's harm, then the head of the ranking by doubling and halving or, under a limit,
/// four sets and exchanges, then what is put back.
int64_t most_trials(size_t layers, bool limited) {
  if (layers <= kExhaustiveLayers) return int64_t{1} << layers;
  const size_t sets = limited ? 4 + std::min(layers, kMostExchanges) : 2 * static_cast<size_t>(std::bit_width(layers));
  return static_cast<int64_t>(2 + layers + sets + std::min(layers, kMostPutBack));
}

class Search {
 public:
  Search(LiftTrials& trials, const SearchOptions& options, const Progress& progress)
      : trials_(trials),
        options_(options),
        progress_(progress),
        count_(trials.layers().size()),
        most_trials_(most_trials(count_, options.max_macs_share < 1)) {
    for (size_t i = 0; i < count_; ++i) all_.insert(i);
  }

  Lifted find();

 private:
  Lifted find_lifted();
  Lifted best_subset();
  Lifted head_of_ranking();
  Lifted best_within_limit();
  Lifted most_harmful_within_limit() const;
  Lifted exchanged(Lifted);
  Lifted without_needless(Lifted, double least);
  void rank();
  double harm(double without, double best) const;

  double metric(const Lifted& lifted) {
    const double found = trials_.metric(lifted);
    tell(std::min(trials_.count(), most_trials_ - 1));
    return found;
  }
  bool reaches(const Lifted& lifted) { return options_.target && metric(lifted) >= *options_.target; }
  bool fits(const Lifted& lifted) const { return trials_.macs_share(lifted) <= options_.max_macs_share; }
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
  std::vector<double> harm_;  // of each layer
};

Lifted Search::find() {
  Lifted found = find_lifted();
  tell(most_trials_);
  return found;
}

Lifted Search::find_lifted() {
  if (reaches({})) return {};
  if (count_ <= kExhaustiveLayers) return best_subset();
  rank();
  if (options_.target && fits(all_)) return without_needless(head_of_ranking(), *options_.target);
  Lifted best = best_within_limit();
  if (options_.target && !reaches(best)) refuse();
  return without_needless(std::move(best), options_.target.value_or(metric(best)));
}

Lifted Search::best_subset() {
  std::vector<Lifted> subsets;
  for (size_t mask = 0; mask < size_t{1} << count_; ++mask) {
    Lifted subset;
    for (size_t i = 0; i < count_; ++i) {
      if ((mask >> i & 1) != 0) subset.insert(i);
    }
    if (fits(subset)) subsets.push_back(std::move(subset));
  }
  std::stable_sort(subsets.begin(), subsets.end(), [&](const Lifted& a, const Lifted& b) { return cost(a) < cost(b); });
  Lifted best;
  for (const Lifted& subset : subsets) {
    if (reaches(subset)) return subset;
    if (metric(subset) > metric(best)) best = subset;
  }
  if (options_.target) refuse();
  return best;
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
  harm_.resize(count_);
  std::vector<double> worth(count_);
  for (size_t i = 0; i < count_; ++i) {
    Lifted others = all_;
    others.erase(i);
    harm_[i] = harm(metric(others), best);
    worth[i] = harm_[i] / weight(i);
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

/// As if harms added up: the knapsack, its capacity in thousandths of the limit. Shares are rounded up, so that what it
/// packs does fit.
Lifted Search::most_harmful_within_limit() const {
  constexpr size_t kCapacity = 1000;
  struct Packed {
    double harm = 0;
    Lifted layers;
  };
  std::vector<Packed> packed(kCapacity + 1);
  for (size_t layer = 0; layer < count_; ++layer) {
    const double parts = std::ceil(trials_.macs_share({layer}) / options_.max_macs_share * kCapacity);
    if (harm_[layer] <= 0 || std::isnan(parts) || parts > kCapacity) continue;
    const auto size = static_cast<size_t>(parts);
    for (size_t room = kCapacity + 1; room-- > size;) {
      const Packed& rest = packed[room - size];
      if (rest.layers.contains(layer) || rest.harm + harm_[layer] <= packed[room].harm) continue;
      Packed more{rest.harm + harm_[layer], rest.layers};
      more.layers.insert(layer);
      packed[room] = std::move(more);
    }
  }
  return packed.back().layers;
}

/// The knapsack believes in sums; so does the order of the ranking, in another way. Trials decide, and better what they
/// can.
Lifted Search::best_within_limit() {
  Lifted by_order;
  for (const size_t layer : ranking_) {
    if (harm_[layer] <= 0) continue;
    Lifted more = by_order;
    more.insert(layer);
    if (fits(more)) by_order = std::move(more);
  }
  std::vector<Lifted> sets{by_order, most_harmful_within_limit()};
  // Sums and the like have no multiplications. They showed no harm if they followed their lifted neighbours, and will
  // between others.
  for (size_t i = 0; i < 2; ++i) {
    Lifted more = sets[i];
    for (size_t layer = 0; layer < count_; ++layer) {
      if (trials_.macs_share({layer}) == 0) more.insert(layer);
    }
    sets.push_back(std::move(more));
  }
  Lifted best;
  for (Lifted& other : sets) {
    if (metric(other) > metric(best)) best = std::move(other);
  }
  return exchanged(std::move(best));
}

/// A layer comes in, and as many of the least harmful go out as have to; or one goes out.
Lifted Search::exchanged(Lifted lifted) {
  size_t left = std::min(kMostExchanges, count_);
  for (auto layer = ranking_.begin(); layer != ranking_.end() && left > 0; ++layer) {
    if (!fits({*layer})) continue;
    Lifted other = lifted;
    if (other.erase(*layer) == 0) other.insert(*layer);
    for (auto least = ranking_.rbegin(); least != ranking_.rend() && !fits(other); ++least) {
      if (*least != *layer) other.erase(*least);
    }
    --left;
    if (metric(other) > metric(lifted)) lifted = std::move(other);
  }
  return lifted;
}

/// The least harmful for its cost first, and no more than kMostPutBack, as long as the metric is at least this.
Lifted Search::without_needless(Lifted lifted, double least) {
  size_t left = kMostPutBack;
  for (auto layer = ranking_.rbegin(); layer != ranking_.rend() && lifted.size() > 1 && left > 0; ++layer) {
    if (!lifted.contains(*layer)) continue;
    Lifted fewer = lifted;
    fewer.erase(*layer);
    --left;
    if (metric(fewer) >= least) lifted = std::move(fewer);
  }
  return lifted;
}

void Search::refuse() {
  const bool limited = !fits(all_);
  const std::pair<const Lifted, double>* best = nullptr;
  for (const auto& tried : trials_.known()) {
    if (fits(tried.first) && (best == nullptr || tried.second > best->second)) best = &tried;
  }
  fail(Code::QuantizeUnsupported,
       fmt::format("search: the target of {:.6g} cannot be reached by lifting layers to {}{}: the best is {:.6g}, with "
                   "{} of {} layers lifted",
                   *options_.target, numpy_name(options_.lift),
                   limited ? fmt::format(" with at most {:.6g} % of the multiplications", 100 * options_.max_macs_share)
                           : std::string(),
                   best->second, best->first.size(), count_),
       fmt::format("lower the target, {}or lift to {}", limited ? "allow more multiplications, " : "",
                   options_.lift == DType::Float16 ? "int16" : "float16"));
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

/// Told before the long part.
void require_goal(const SearchOptions& search, const Samples& samples) {
  if (search.samples < 1 || samples.count() < 1) {
    fail(Code::ConfigBadValue, fmt::format("search: got {} samples to judge by, expected 1 or more", search.samples));
  }
  if (!(search.max_macs_share > 0 && search.max_macs_share <= 1)) {
    fail(Code::ConfigBadValue,
         fmt::format("search: max_macs is a share of the multiplications, got {}, expected above 0 and at most 1",
                     search.max_macs_share));
  }
  if (!search.target && search.max_macs_share == 1) {
    fail(Code::ConfigBadValue, "search: got neither a target nor a limit of multiplications, expected one of them",
         "give a target, or max_macs below 1");
  }
}

}  // namespace

SearchResult search_precision(const PreparedBuild& prepared, const CompileOptions& options, const SearchOptions& search,
                              const Samples& samples, ThreadPool& pool, const Progress& progress) {
  require_goal(search, samples);
  LiftTrials trials(prepared, options, search, samples, pool, progress);
  const Lifted lifted = Search(trials, search, progress).find();
  SearchResult result{.chosen = trials.point(lifted), .curve = curve_of(trials), .trials = trials.count()};
  result.rules = trials.rules(lifted);
  return result;
}

SearchedModel search_and_compile(std::span<const Graph> shape_sets, const CompileOptions& options,
                                 const SearchOptions& search, const Samples& samples, ThreadPool& pool,
                                 const Progress& progress) {
  require_goal(search, samples);
  const PreparedBuild prepared = prepare(shape_sets, options, &samples, pool, progress);
  SearchResult found = search_precision(prepared, options, search, samples, pool, progress);
  CompileOptions lifted = options;
  // The user's own rules come last: they win.
  lifted.precision.insert(lifted.precision.begin(), found.rules.begin(), found.rules.end());
  return {finish(prepared, lifted, &samples, pool, progress), std::move(found)};
}

}  // namespace openrknn
