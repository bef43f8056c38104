// Work that is done in shares: the same bits as in one piece, and bytes from strangers are refused.
#include "toolkit/shares.h"

#include <bit>

#include "compiler/search/lift_trials.h"
#include "core/base/npy.h"
#include "core/base/version.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

/// Does every share itself, as a worker would, and remembers what it was given and gave.
struct Workers {
  std::vector<std::string> tasks, parts;
  std::string (*damage)(std::string) = nullptr;

  ShareOut share_out() {
    return [this](const SharedWork& work, const Samples& samples, const Progress&) {
      std::vector<std::string> given;
      for (int64_t first = 0; first < samples.count(); first += work.samples_per_share) {
        std::vector<int64_t> indices;
        for (int64_t i = first; i < std::min(samples.count(), first + work.samples_per_share); ++i) {
          indices.push_back(i);
        }
        ThreadPool pool(1);
        given.push_back(compute_share(work.task, {first, hold(ChosenSamples(samples, indices))}, pool));
        if (damage != nullptr) given.back() = damage(given.back());
        tasks.push_back(work.task);
        parts.push_back(given.back());
      }
      return given;
    };
  }
};

std::string state_of(const ReportCollector& collected) {
  StateWriter state;
  collected.write(state);
  return state.bytes;
}

/// 19 samples, of which one overflows somewhere: three shares.
struct Case {
  explicit Case(uint32_t seed)
      : samples(make_samples(seed)), built(test::build(make_graph(seed), ChosenSamples(samples, {0, 1, 2}))) {}

  static Graph make_graph(uint32_t seed) {
    Graph golden = test::RandomGraph(seed, {.nodes = 10}).make();
    golden.remove_unused();
    return golden;
  }
  static test::MemorySamples make_samples(uint32_t seed) {
    test::Dice dice(seed);
    const Graph golden = make_graph(seed);
    std::vector<std::vector<Tensor>> all;
    for (int i = 0; i < 19; ++i) {
      all.push_back(test::uniform_samples(golden, dice, 1, i == 11 ? -3e38 : -2, i == 11 ? 3e38 : 2).get(0));
    }
    return test::MemorySamples(std::move(all));
  }
  const Arithmetic& arithmetic() const {
    static const Arithmetic law = arithmetic_of(test::target());
    return law;
  }

  test::MemorySamples samples;
  test::Built built;
};

class Shares : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Shares, MakeTheAnalysisOfOnePiece) {
  SCOPED_TRACE(GetParam());
  const Case given(GetParam());
  const Graph &golden = given.built.golden, &built = given.built.quantized;
  const std::vector<LayerRow> rows = layer_rows(golden, built);
  ReportCollector collected(built, rows), together(built, rows);
  ThreadPool pool(1);
  const Analysis whole =
      analyze(golden, built, given.arithmetic(), rows, given.samples, pool, {},
              [&](size_t row, const LayerValues& a, const LayerValues& b) { collected.visit(row, a, b); });
  Workers workers;
  const Analysis shared =
      analysis_of(golden, built, rows, given.samples,
                  sums_in_shares(workers.share_out(), golden, built, given.arithmetic(), given.samples, &together));
  EXPECT_EQ(workers.parts.size(), 3U);
  EXPECT_EQ(state_of(together), state_of(collected));
  ASSERT_EQ(shared.layers.size(), whole.layers.size());
  const auto bits = [](double value) { return std::bit_cast<uint64_t>(value); };
  for (size_t i = 0; i < whole.layers.size(); ++i) {
    const AnalyzedLayer &a = shared.layers[i], &b = whole.layers[i];
    for (const auto& [x, y] : {std::pair(a.entire, b.entire), std::pair(a.single, b.single)}) {
      EXPECT_EQ(bits(x.cosine), bits(y.cosine)) << a.row.tensor;
      EXPECT_EQ(bits(x.euclidean), bits(y.euclidean)) << a.row.tensor;
      EXPECT_EQ(bits(x.sqnr_db), bits(y.sqnr_db)) << a.row.tensor;
      EXPECT_EQ(bits(x.max_absolute), bits(y.max_absolute)) << a.row.tensor;
    }
    EXPECT_EQ(std::tuple(bits(a.clipped), a.elements, a.not_finite, a.golden_not_finite, a.worst_sample),
              std::tuple(bits(b.clipped), b.elements, b.not_finite, b.golden_not_finite, b.worst_sample));
  }
  const auto told = [](const std::optional<NotFiniteLayer>& layer) { return layer ? to_string(*layer, "it") : ""; };
  EXPECT_EQ(told(shared.golden_not_finite), told(whole.golden_not_finite));
  EXPECT_EQ(told(shared.built_not_finite), told(whole.built_not_finite));
}

TEST_P(Shares, MakeTheCalibrationAndTheOutputsOfOnePiece) {
  SCOPED_TRACE(GetParam());
  const Case given(GetParam());
  const Graph &golden = given.built.golden, &built = given.built.quantized;
  const ChosenSamples finite(given.samples, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  ThreadPool pool(1);
  Workers workers;
  EXPECT_EQ(to_bytes(calibrator_of(workers.share_out())(golden, finite, Detail::Histograms, {})),
            to_bytes(calibrate(golden, finite, pool, {}, {}, Detail::Histograms)));
  for (const Graph* graph : {&golden, &built}) {
    const auto shared = trial_runner_of(workers.share_out())(*graph, given.arithmetic(), finite);
    const auto whole = run_trial(*graph, given.arithmetic(), finite, pool);
    ASSERT_EQ(shared.size(), whole.size());
    for (size_t s = 0; s < whole.size(); ++s) {
      ASSERT_EQ(shared[s].size(), whole[s].size());
      for (size_t o = 0; o < whole[s].size(); ++o) EXPECT_EQ(to_npy(shared[s][o]), to_npy(whole[s][o]));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Shares, ::testing::Range(0U, 20U));

/// All three kinds of work; true if one was refused, and all are refused alike.
bool is_refused(Workers& workers) {
  const Case given(3);
  const Graph &golden = given.built.golden, &built = given.built.quantized;
  const ChosenSamples samples(given.samples, {0, 1});
  ReportCollector collected(built, layer_rows(golden, built));
  int refused = 0;
  const auto attempt = [&](const auto& work) {
    try {
      work();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::InvalidArgument) << error.what();
      ++refused;
    }
  };
  attempt([&] { calibrator_of(workers.share_out())(golden, samples, Detail::Extremes, {}); });
  attempt([&] { sums_in_shares(workers.share_out(), golden, built, given.arithmetic(), samples, &collected); });
  attempt([&] { trial_runner_of(workers.share_out())(built, given.arithmetic(), samples); });
  EXPECT_TRUE(refused == 0 || refused == 3) << refused;
  return refused == 3;
}

TEST(ShareAnswers, AreRefusedUnlessWhole) {
  Workers good;
  EXPECT_FALSE(is_refused(good));
  for (auto* damage :
       {+[](std::string part) { return part.substr(0, part.size() - 1); }, +[](std::string part) { return part + "x"; },
        +[](std::string part) { return "x" + part; }, +[](std::string) { return std::string(); }}) {
    Workers bad;
    bad.damage = damage;
    EXPECT_TRUE(is_refused(bad));
  }
}

TEST(ShareAnswers, WithCountsThatCannotBeAreRefused) {
  const Case given(3);
  const Graph &golden = given.built.golden, &built = given.built.quantized;
  const ChosenSamples samples(given.samples, {0});
  for (const unsigned char byte : {0x7f, 0x80, 0xff}) {
    for (size_t at = 0; at < 400; ++at) {  // the head, and sums of the first layers
      const ShareOut damaged = [&](const SharedWork& work, const Samples& some, const Progress&) {
        std::vector<std::string> parts = Workers().share_out()(work, some, {});
        if (at < parts[0].size()) parts[0][at] = static_cast<char>(byte);
        return parts;
      };
      ReportCollector collected(built, layer_rows(golden, built));
      try {  // some other number, or refused: never more
        sums_in_shares(damaged, golden, built, given.arithmetic(), samples, &collected);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::InvalidArgument) << error.what();
      }
    }
  }
}

TEST(ShareTasks, WithOperatorsOfTheUsersOwnAreRefusedByName) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[1,4]
%y = Custom(%x) {custom.type="cstMine", custom.outputs=["f32[1,4]"]} as mine
output %y
)");
  test::Dice dice(1);
  const test::MemorySamples samples = test::uniform_samples(graph, dice, 1);
  const auto expect_refusal = [](const auto& work) {
    try {
      work();
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::ConfigUnsupported);
      EXPECT_EQ(error.diagnostics.front().where.node, "mine (Custom)");
    }
  };
  Workers workers;
  expect_refusal([&] { calibrator_of(workers.share_out())(graph, samples, Detail::Extremes, {}); });
  expect_refusal([&] { sums_in_shares(workers.share_out(), graph, graph, {}, samples, nullptr); });
  expect_refusal([&] { trial_runner_of(workers.share_out())(graph, {}, samples); });
}

TEST(ShareTasks, AreReadAsAnythingFromAStranger) {
  Workers workers;
  EXPECT_FALSE(is_refused(workers));
  const Case given(3);
  ThreadPool pool(1);
  const auto refused = [&](const std::string& task) {
    try {
      compute_share(task, {0, hold(ChosenSamples(given.samples, {0}))}, pool);
      return false;
    } catch (const Error&) {
      return true;
    }
  };
  for (const std::string& task : workers.tasks) {
    EXPECT_FALSE(refused(task));
    for (size_t size = 0; size < task.size(); size += 1 + task.size() / 37) EXPECT_TRUE(refused(task.substr(0, size)));
    std::string other = task;
    other[other.size() / 2] ^= 0x10;
    EXPECT_TRUE(refused(other));  // the file has hashes
    other = task;
    other.replace(other.find(version()), version().size(), "0.0.1");
    EXPECT_TRUE(refused(other));
  }
  EXPECT_TRUE(refused("openrknn-share " + std::string(version()) + " dig \n"));
}

TEST(ShareTasks, WithSamplesThatDoNotFitAreRefused) {
  Workers workers;
  EXPECT_FALSE(is_refused(workers));
  ThreadPool pool(1);
  for (const std::string& task : workers.tasks) {
    for (const std::vector<Tensor>& arrays :
         {std::vector<Tensor>{}, {Tensor::zeros(DType::Float32, {1})}, std::vector<Tensor>(7)}) {
      try {
        compute_share(task, {0, HeldSamples({arrays}, {"sample"})}, pool);
        ADD_FAILURE();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::InvalidArgument);
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
