// The fewest layers that reach a target.
#include "compiler/search/search.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "compiler/search/lift_trials.h"
#include "core/graph/text.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

/// A chain of layers with channels of unlike size, so that some lose much and some little.
std::string random_net(test::Dice& dice, int64_t layers) {
  std::string text = "ir 1\ninput %x : f32[1,4,6,6]\n", last = "x";
  for (int64_t i = 0; i < layers; ++i) {
    const std::string name = fmt::format("t{}", i);
    if (i > 0 && dice.up_to(3) == 0) {
      text += fmt::format("%{} = Add(%{}, %x)\n", name, last);
    } else {
      text += fmt::format("%k{0} : f32[1,4,1,1] = {{0.15, {1}, 0.015, 0.1}}\n%{2} = Mul(%{3}, %k{0})\n", i,
                          0.15 / static_cast<double>(1 << dice.up_to(5)), "m" + name, last);
      text +=
          fmt::format("%w{0} : f32[4,4,{1},{1}] = random({2})\n%{3} = Conv(%{4}, %w{0}) {{pads=[{5},{5},{5},{5}]}}\n",
                      i, 1 + 2 * (i % 2), dice.up_to(1000), name, "m" + name, i % 2);
      ++i;
    }
    last = name;
  }
  return text + "output %" + last + "\n";
}

struct Bench {
  Graph graph;
  test::MemorySamples samples;
  ThreadPool pool{2};
  CompileOptions options;
  PreparedBuild prepared;
  Bench(std::string_view text, uint32_t seed, CompileOptions given = {})
      : graph(parse_graph(text)), samples(samples_of(graph, seed)), options(std::move(given)) {
    prepared = prepare(std::span(&graph, 1), options, &samples, pool);
  }
  static test::MemorySamples samples_of(const Graph& graph, uint32_t seed) {
    test::Dice dice(seed);
    return test::uniform_samples(graph, dice, 4);
  }
  SearchResult search(const SearchOptions& search) {
    return search_precision(prepared, options, search, samples, pool);
  }
};

std::vector<Lifted> subsets(size_t layers) {
  std::vector<Lifted> all(size_t{1} << layers);
  for (size_t mask = 0; mask < all.size(); ++mask) {
    for (size_t i = 0; i < layers; ++i) {
      if ((mask >> i & 1) != 0) all[mask].insert(i);
    }
  }
  return all;
}

/// Least cost over all subsets that reach the target.
double brute_force(Bench& bench, const SearchOptions& search) {
  LiftTrials trials(bench.prepared, bench.options, search, bench.samples, bench.pool);
  double least = std::numeric_limits<double>::infinity();
  for (const Lifted& lifted : subsets(trials.layers().size())) {
    const double cost =
        search.budget == SearchBudget::Ops ? static_cast<double>(lifted.size()) : trials.macs_share(lifted);
    if (cost < least && trials.metric(lifted) >= *search.target) least = cost;
  }
  return least;
}

TEST(Search, EqualsBruteForceOnSmallNets) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  test::Dice dice(seed);
  for (int round = 0; round < 12; ++round) {
    const std::string text = random_net(dice, dice.between(2, 7));
    SCOPED_TRACE(text);
    Bench bench(text, seed);
    SearchOptions search{.target = -1000, .budget = dice.coin() ? SearchBudget::Ops : SearchBudget::Macs};
    search.lift = dice.coin() ? DType::Float16 : DType::Int16;
    const double base = bench.search(search).chosen.metric;
    search.target = base + static_cast<double>(dice.between(1, 12));
    const double wanted = brute_force(bench, search);
    if (wanted == std::numeric_limits<double>::infinity()) {
      EXPECT_THROW(bench.search(search), Error);
      continue;
    }
    const SearchResult result = bench.search(search);
    EXPECT_GE(result.chosen.metric, *search.target);
    const double cost = search.budget == SearchBudget::Ops ? static_cast<double>(result.chosen.layers.size())
                                                           : result.chosen.macs_share;
    EXPECT_EQ(cost, wanted);
  }
}

std::string long_net(uint32_t seed = 9) {
  test::Dice dice(seed);
  return random_net(dice, 24);
}

TEST(Search, ReachesTheTargetAndLiftsNothingNeedless) {
  for (const uint32_t net : {9u, 10u, 11u, 12u}) {
    Bench bench(long_net(net), 1);
    SearchOptions search{.target = -1000};
    LiftTrials trials(bench.prepared, bench.options, search, bench.samples, bench.pool);
    ASSERT_GT(trials.layers().size(), kExhaustiveLayers);
    const double base = trials.metric({});
    for (const double more : {1.5, 3.0, 6.0, 9.0}) {
      SCOPED_TRACE(fmt::format("net {}, {} dB", net, more));
      search.target = base + more;
      const SearchResult result = bench.search(search);
      EXPECT_GE(result.chosen.metric, *search.target);
      EXPECT_FALSE(result.chosen.layers.empty());
      Lifted chosen;
      for (size_t i = 0; i < trials.layers().size(); ++i) {
        const std::vector<std::string>& layers = result.chosen.layers;
        if (std::find(layers.begin(), layers.end(), trials.layers()[i].tensor) != layers.end()) chosen.insert(i);
      }
      EXPECT_EQ(trials.metric(chosen), result.chosen.metric);
      for (const size_t layer : chosen) {
        Lifted fewer = chosen;
        fewer.erase(layer);
        EXPECT_LT(trials.metric(fewer), *search.target) << trials.layers()[layer].tensor;
      }
    }
  }
}

TEST(Search, TheModelIsWhatTheSearchFound) {
  Bench bench(long_net(), 1);
  SearchOptions search{.target = -1000};
  search.target = bench.search(search).chosen.metric + 6;
  const SearchedModel found =
      search_and_compile(std::span(&bench.graph, 1), bench.options, search, bench.samples, bench.pool);
  ASSERT_FALSE(found.search.chosen.layers.empty());
  for (const std::string& layer : found.search.chosen.layers) {
    EXPECT_EQ(test::value_of(found.compiled.model.variants.front(), layer).dtype, DType::Float16);
  }
}

TEST(Search, TheCurveRisesWithWhatIsLifted) {
  Bench bench(long_net(), 2);
  SearchOptions search{.target = -1000};
  search.target = bench.search(search).chosen.metric + 8;
  const SearchResult result = bench.search(search);
  ASSERT_GE(result.curve.size(), 3u);
  EXPECT_TRUE(result.curve.front().layers.empty());
  for (size_t i = 1; i < result.curve.size(); ++i) {
    const SearchPoint &a = result.curve[i - 1], &b = result.curve[i];
    EXPECT_TRUE(a.layers.size() != b.layers.size() || a.macs_share != b.macs_share || a.metric != b.metric);
  }
  for (const SearchPoint& point : result.curve) {
    for (const SearchPoint& other : result.curve) {
      const bool dearer = other.layers.size() >= point.layers.size() && other.macs_share >= point.macs_share;
      if (dearer && &other != &point) {
        EXPECT_GE(other.metric, point.metric);
      }
    }
  }
}

/// The best metric of all subsets within the limit.
double best_within(Bench& bench, const SearchOptions& search) {
  LiftTrials trials(bench.prepared, bench.options, search, bench.samples, bench.pool);
  double best = trials.metric({});
  for (const Lifted& lifted : subsets(trials.layers().size())) {
    if (trials.macs_share(lifted) <= search.max_macs_share) best = std::max(best, trials.metric(lifted));
  }
  return best;
}

TEST(Search, WithinALimitEqualsBruteForceOnSmallNets) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  test::Dice dice(seed);
  for (int round = 0; round < 8; ++round) {
    const std::string text = random_net(dice, dice.between(2, 7));
    SCOPED_TRACE(text);
    Bench bench(text, seed);
    const SearchOptions search{.max_macs_share = 0.1 * static_cast<double>(dice.between(1, 9))};
    const SearchResult result = bench.search(search);
    EXPECT_LE(result.chosen.macs_share, search.max_macs_share);
    EXPECT_EQ(result.chosen.metric, best_within(bench, search));
  }
}

TEST(Search, ALimitIsKeptAndUsedWell) {
  test::Dice dice(7);
  for (const uint32_t net : {9u, 10u, 11u, 12u}) {
    Bench bench(long_net(net), 1);
    for (const double share : {0.1, 0.3}) {
      SCOPED_TRACE(fmt::format("net {}, {} of the multiplications", net, share));
      const SearchOptions search{.max_macs_share = share};
      const SearchResult result = bench.search(search);
      EXPECT_LE(result.chosen.macs_share, share);
      LiftTrials trials(bench.prepared, bench.options, search, bench.samples, bench.pool);
      double best = trials.metric({});
      for (int round = 0; round < 100; ++round) {
        Lifted lifted;
        for (int tries = 0; tries < 12; ++tries) {
          Lifted more = lifted;
          more.insert(static_cast<size_t>(dice.between(0, static_cast<int>(trials.layers().size()) - 1)));
          if (trials.macs_share(more) <= share) lifted = std::move(more);
        }
        best = std::max(best, trials.metric(lifted));
      }
      EXPECT_GE(result.chosen.metric, best - 0.3) << "a random set is better";
    }
  }
}

TEST(Search, ATargetBeyondTheLimitSaysWhatTheLimitAllows) {
  Bench bench(long_net(), 3);
  SearchOptions search{.max_macs_share = 0.1};
  const SearchResult best = bench.search(search);
  search.target = best.chosen.metric + 10;
  try {
    bench.search(search);
    FAIL() << "reached " << *search.target;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("with at most 10 % of the multiplications: the best is"),
              std::string::npos)
        << error.what();
  }
  search.target = best.chosen.metric;
  const SearchResult reached = bench.search(search);
  EXPECT_GE(reached.chosen.metric, *search.target);
  EXPECT_LE(reached.chosen.macs_share, search.max_macs_share);
}

TEST(Search, AnUnreachableTargetNamesTheBest) {
  Bench bench(long_net(), 3);
  try {
    bench.search({.target = 500});
    FAIL() << "reached 500 dB";
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics.front().code, Code::QuantizeUnsupported);
    EXPECT_NE(std::string(error.what()).find("the best is"), std::string::npos) << error.what();
  }
}

TEST(Search, TakesTheUsersMetric) {
  Bench bench(long_net(), 4);
  SearchOptions search{.target = 3, .samples = 2};
  int64_t calls = 0;
  // Pleased by the third trial.
  search.metric = [&](const std::vector<std::vector<Tensor>>& outputs) {
    EXPECT_EQ(outputs.size(), 2u);
    EXPECT_EQ(outputs[0][0].dtype(), DType::Float32);
    return static_cast<double>(++calls);
  };
  EXPECT_EQ(bench.search(search).trials, calls);
}

TEST(Search, RulesOfTheUserStand) {
  const PrecisionRule rule{PrecisionRule::Kind::OpType, "Conv", DType::Int8};
  Bench bench(long_net(), 5, {.precision = {rule}});
  SearchOptions search{.target = -1000};
  LiftTrials trials(bench.prepared, bench.options, search, bench.samples, bench.pool);
  for (const LiftableLayer& layer : trials.layers())
    EXPECT_NE(bench.graph[test::value_of(bench.graph, layer.tensor).producer].op, "Conv");
}

}  // namespace
}  // namespace openrknn
