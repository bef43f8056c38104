// Rounding by data: the parts against brute force, and what it is for on correlated inputs.
#include <algorithm>

#include "compiler/corrections/input_moments.h"
#include "compiler/corrections/rounding.h"
#include "corrections_support.h"

namespace openrknn {
namespace {

using namespace corrections;
using test::Dice;

/// Moments of inputs with a common part, as neighbours in an image have.
SymmetricMatrix random_moments(Dice& dice, int64_t size) {
  SymmetricMatrix matrix{size, std::vector<float>(static_cast<size_t>(size * size), 0.0f)};
  for (int64_t sample = 0; sample < 3 * size; ++sample) {
    std::vector<double> x;
    const double common = dice.real();
    for (int64_t i = 0; i < size; ++i) x.push_back(common + 0.3 * dice.real());
    for (int64_t i = 0; i < size; ++i) {
      for (int64_t j = 0; j < size; ++j) {
        matrix.row(i)[j] += static_cast<float>(x[static_cast<size_t>(i)] * x[static_cast<size_t>(j)]);
      }
    }
  }
  for (int64_t i = 0; i < size; ++i) matrix.row(i)[i] += 0.01f;
  return matrix;
}

CodedRows random_rows(Dice& dice, int64_t count, int64_t depth, int32_t lowest, int32_t highest) {
  CodedRows rows{
      .count = count, .depth = depth, .wanted = {}, .scale = {}, .codes = {}, .lowest = lowest, .highest = highest};
  for (int64_t i = 0; i < count * depth; ++i) {
    rows.wanted.push_back(static_cast<float>(lowest + (highest - lowest) * (dice.real() + 2) / 4));
    rows.scale.push_back(static_cast<float>(0.5 + (dice.real() + 2) / 8));
    rows.codes.push_back(static_cast<int32_t>(std::nearbyint(rows.wanted.back())));
  }
  return rows;
}

/// The least error of all ways to round each weight up or down.
double least_error(const SymmetricMatrix& moments, CodedRows row, ThreadPool& pool) {
  double least = std::numeric_limits<double>::infinity();
  for (uint32_t choice = 0; choice < (1U << row.depth); ++choice) {
    for (size_t i = 0; i < row.codes.size(); ++i) {
      const auto code = static_cast<int32_t>(std::floor(row.wanted[i])) + static_cast<int32_t>(choice >> i & 1);
      row.codes[i] = std::clamp(code, row.lowest, row.highest);
    }
    least = std::min(least, squared_error(moments, row, pool));
  }
  return least;
}

TEST(Rounding, ComesCloseToTheBestOfAllWays) {
  ThreadPool pool(1);
  Dice dice(7);
  double nearest = 0, adaptive = 0, feedback = 0, best = 0;
  for (int net = 0; net < 40; ++net) {
    const SymmetricMatrix moments = random_moments(dice, 8);
    const CodedRows row = random_rows(dice, 1, 8, -8, 7);
    nearest += squared_error(moments, row, pool);
    best += least_error(moments, row, pool);
    CodedRows up_or_down = row, fed = row;
    descend(moments, up_or_down, true, 20, pool);
    adaptive += squared_error(moments, up_or_down, pool);
    for (size_t i = 0; i < row.codes.size(); ++i) {
      EXPECT_LT(std::abs(static_cast<float>(up_or_down.codes[i]) - row.wanted[i]), 1.0f) << "up or down";
    }
    SymmetricMatrix factor = moments;
    factorize(factor, 1e-6f, pool);
    round_with_feedback(factor, fed, pool);
    feedback += squared_error(moments, fed, pool);
  }
  EXPECT_GE(adaptive, best * 0.999);
  EXPECT_LT(adaptive, best * 2);
  EXPECT_LT(adaptive, nearest * 0.5);
  EXPECT_LT(feedback, nearest * 0.7);
}

TEST(Rounding, NoSingleCodeIsLeftToMove) {
  ThreadPool pool(2);
  Dice dice(8);
  const SymmetricMatrix moments = random_moments(dice, 40);
  CodedRows rows = random_rows(dice, 20, 40, -8, 7);
  descend(moments, rows, false, 100, pool);
  const double settled = squared_error(moments, rows, pool);
  for (const size_t i : {size_t{0}, size_t{17}, size_t{39}, size_t{333}, size_t{799}}) {
    for (const int step : {-1, 1}) {
      CodedRows moved = rows;
      moved.codes[i] = std::clamp(moved.codes[i] + step, -8, 7);
      EXPECT_GE(squared_error(moments, moved, pool), settled * 0.9999) << i;
    }
  }
}

TEST(Rounding, CodesStayInTheirType) {
  ThreadPool pool(1);
  Dice dice(9);
  const SymmetricMatrix moments = random_moments(dice, 24);
  CodedRows rows = random_rows(dice, 8, 24, -8, 7);
  for (float& w : rows.wanted) w *= 1.3f;
  SymmetricMatrix factor = moments;
  factorize(factor, 1e-6f, pool);
  round_with_feedback(factor, rows, pool);
  descend(moments, rows, false, 8, pool);
  EXPECT_GE(*std::ranges::min_element(rows.codes), -8);
  EXPECT_LE(*std::ranges::max_element(rows.codes), 7);
}

TEST(Rounding, FactorsAreThoseTheMatrixWasMadeOf) {
  constexpr int64_t kSize = 150;  // two whole blocks and a rest
  Dice dice(10);
  std::vector<double> l(kSize * kSize, 0.0), d(kSize);
  for (int64_t i = 0; i < kSize; ++i) {
    d[static_cast<size_t>(i)] = 1.5 + 0.5 * dice.real();
    for (int64_t j = 0; j < i; ++j) l[static_cast<size_t>(i * kSize + j)] = 0.1 * dice.real();
    l[static_cast<size_t>(i * kSize + i)] = 1;
  }
  SymmetricMatrix matrix{kSize, std::vector<float>(kSize * kSize)};
  for (int64_t i = 0; i < kSize; ++i) {
    for (int64_t j = 0; j < kSize; ++j) {
      double sum = 0;
      for (int64_t m = 0; m <= std::min(i, j); ++m) {
        sum +=
            l[static_cast<size_t>(i * kSize + m)] * l[static_cast<size_t>(j * kSize + m)] * d[static_cast<size_t>(m)];
      }
      matrix.row(i)[j] = static_cast<float>(sum);
    }
  }
  ThreadPool pool(2);
  factorize(matrix, 1e-6f, pool);
  for (int64_t i = 0; i < kSize; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      ASSERT_NEAR(static_cast<double>(matrix.row(i)[j]), l[static_cast<size_t>(i * kSize + j)], 1e-4) << i << ' ' << j;
    }
  }
}

// ---- layers as products ----

constexpr std::string_view kLayers[] = {
    "input %x : f32[2,6,6,4]\n%w : f32[8,3,3,2] = random(1)\n%y = Conv(%x, %w) {group=2, strides=[2,1], "
    "dilations=[1,2], pads=[1,0,2,1]}\n",
    "input %x : f32[1,5,9]\n%w : f32[4,5,3] = random(1)\n%y = Conv(%x, %w) {pads=[1,1]}\n",
    "input %x : f32[1,6,3,3]\n%w : f32[6,2,3,3] = random(1)\n%y = ConvTranspose(%x, %w) {group=3, strides=[2,3], "
    "pads=[1,0,0,1], dilations=[1,2], output_padding=[1,1]}\n",
    "input %x : f32[3,4,10]\n%w : f32[10,7] = random(1)\n%y = MatMul(%x, %w)\n",
    "input %x : f32[4,10]\n%w : f32[10] = random(1)\n%y = MatMul(%x, %w)\n",
};

TEST(ProductLayer, WeightsTimesColumnsAreTheResults) {
  for (const std::string_view text : kLayers) {
    const Graph graph = parse_graph("ir 1\n" + std::string(text) + "output %y\n");
    const NodeId id = graph.order()[0];
    const std::optional<ProductLayer> layer = product_layer(graph, id);
    ASSERT_TRUE(layer) << text;
    Dice dice(4);
    const std::vector<Tensor> input = {test::uniform_tensor(dice, graph[graph.inputs[0]].shape, -1, 1)};
    const std::vector<double> wanted = test::run_real(graph, input)[0];
    const std::span<const float> weights = graph[graph[id].inputs[1]].constant->values<float>();
    std::vector<int64_t> positions;
    for (int64_t p = 0; p < layer->positions(); ++p) positions.push_back(p);
    const std::vector<double> sums = input_sums(*layer, input[0].values<float>());
    const bool matrix = graph[id].op == "MatMul";
    for (int64_t g = 0; g < layer->groups; ++g) {
      std::vector<float> columns(static_cast<size_t>(layer->depth) * positions.size());
      gather_columns(*layer, input[0].values<float>(), g, positions, columns.data());
      for (int64_t k = 0; k < layer->depth; ++k) {
        double sum = 0;
        for (size_t p = 0; p < positions.size(); ++p) {
          sum += static_cast<double>(columns[static_cast<size_t>(k) * positions.size() + p]);
        }
        EXPECT_NEAR(sum, sums[static_cast<size_t>(g * layer->depth + k)], 1e-9) << text;
      }
      for (int64_t c = 0; c < layer->channels; ++c) {
        for (const int64_t p : positions) {
          double result = 0;
          for (int64_t k = 0; k < layer->depth; ++k) {
            result += static_cast<double>(weights[static_cast<size_t>(layer->weight(g, c, k))]) *
                      static_cast<double>(columns[static_cast<size_t>(k) * positions.size() + static_cast<size_t>(p)]);
          }
          const int64_t channel = g * layer->channels + c;
          const int64_t at = matrix
                                 ? p * layer->channels + c
                                 : (p / layer->places * layer->results() + channel) * layer->places + p % layer->places;
          ASSERT_NEAR(result, wanted[static_cast<size_t>(at)], 1e-5) << text << channel << ' ' << p;
        }
      }
    }
  }
}

TEST(ProductLayer, MomentsAreThoseOfAllColumns) {
  for (const std::string_view text : kLayers) {
    const Graph graph = parse_graph("ir 1\n" + std::string(text) + "output %y\n");
    const ProductLayer layer = *product_layer(graph, graph.order()[0]);
    Dice dice(4);
    ThreadPool pool(2);
    const Tensor input = test::uniform_tensor(dice, graph[graph.inputs[0]].shape, -1, 1);
    InputMoments moments(layer, 1, 1);
    moments.add(input.values<float>(), pool);
    const Moments& last = moments.groups().back();
    ASSERT_EQ(last.count, layer.positions()) << "so few are all looked at";
    std::vector<int64_t> positions;
    for (int64_t p = 0; p < layer.positions(); ++p) positions.push_back(p);
    std::vector<float> columns(static_cast<size_t>(layer.depth) * positions.size());
    gather_columns(layer, input.values<float>(), layer.groups - 1, positions, columns.data());
    for (int64_t i = 0; i < layer.depth; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (size_t p = 0; p < positions.size(); ++p) {
          sum += static_cast<double>(columns[static_cast<size_t>(i) * positions.size() + p]) *
                 static_cast<double>(columns[static_cast<size_t>(j) * positions.size() + p]);
        }
        ASSERT_NEAR(last.square[static_cast<size_t>(i * (i + 1) / 2 + j)], sum, 1e-4) << text << i << ' ' << j;
      }
    }
  }
}

TEST(ProductLayer, ComputedWeightsAreNone) {
  const Graph graph = parse_graph("ir 1\ninput %x : f32[4,4]\ninput %w : f32[4,4]\n%y = MatMul(%x, %w)\noutput %y\n");
  EXPECT_FALSE(product_layer(graph, graph.order()[0]));
}

// ---- whole networks ----

constexpr std::string_view kThreeConvolutions = R"(ir 1
input %x : f32[1,16,16,16]
%w0 : f32[32,16,3,3] = random(1)
%b0 : f32[32] = random(2)
%y0 = Conv(%x, %w0, %b0) {pads=[1,1,1,1], activation="Relu"}
%w1 : f32[32,1,3,3] = random(3)
%y1 = Conv(%y0, %w1) {group=32, pads=[1,1,1,1], activation="Relu"}
%w2 : f32[24,32,1,1] = random(4)
%y = Conv(%y1, %w2)
output %y
)";
constexpr std::string_view kOneLayer = R"(ir 1
input %x : f32[1,16,16,16]
%w0 : f32[32,16,3,3] = random(1)
%y = Conv(%x, %w0) {pads=[1,1,1,1]}
output %y
)";

/// Squared error over other images than those the codes were chosen by.
double error_on_other_images(const Graph& golden, const Graph& graph) {
  Dice dice(77);
  const test::MemorySamples samples = test::smooth_samples(golden, dice, 4);
  double error = 0;
  for (int64_t i = 0; i < samples.count(); ++i) {
    const std::vector<Tensor> input = samples.get(i);
    const auto exact = test::run_real(golden, input)[0],
               got = test::run_real(graph, input, false, test::target("rk3576"))[0];
    for (size_t e = 0; e < exact.size(); ++e) error += (exact[e] - got[e]) * (exact[e] - got[e]);
  }
  return error;
}

TEST(Rounding, FourBitsLoseAThirdLessThanNearest) {
  const Graph golden = parse_graph(kOneLayer);
  Dice dice(5);
  const test::MemorySamples samples = test::smooth_samples(golden, dice, 8);
  for (const int64_t group : {int64_t{0}, int64_t{32}}) {
    const auto error = [&](Rounding rounding) {
      return error_on_other_images(
          golden, test::corrected(golden, samples, {.scheme = Scheme::W4A16, .rounding = rounding, .group = group}));
    };
    const double nearest = error(Rounding::Nearest);
    EXPECT_LT(error(Rounding::Adaptive), nearest * 0.7) << group;
    EXPECT_LT(error(Rounding::ErrorFeedback), nearest * 0.7) << group;
  }
}

TEST(Rounding, ChangesWeightsAlone) {
  const Graph golden = parse_graph(kThreeConvolutions);
  Dice dice(5);
  const test::MemorySamples samples = test::smooth_samples(golden, dice, 3);
  const auto before = test::constants_of(test::corrected(golden, samples, {}));
  const auto after = test::constants_of(test::corrected(golden, samples, {.rounding = Rounding::Adaptive}));
  ASSERT_EQ(before.size(), after.size());
  for (const auto& [name, bytes] : before) EXPECT_EQ(bytes != after.at(name), name[0] == 'w') << name;
}

TEST(Rounding, WeightsThatTwoLayersShareAreChosenForBoth) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,8,8,8]
%w : f32[8,8,3,3] = random(1)
%y0 = Conv(%x, %w) {pads=[1,1,1,1]}
%y1 = Conv(%y0, %w) {pads=[1,1,1,1]}
output %y1
)");
  Dice dice(5);
  const test::MemorySamples samples = test::smooth_samples(golden, dice, 3);
  const Graph graph = test::corrected(golden, samples, {.scheme = Scheme::W4A16, .rounding = Rounding::ErrorFeedback});
  EXPECT_EQ(test::producer_of(graph, "y0").inputs[1], test::producer_of(graph, "y1").inputs[1]);
}

TEST(Rounding, NeitherThreadsNorTheOrderOfSamplesShows) {
  const Graph golden = parse_graph(kThreeConvolutions);
  Dice dice(5);
  const test::MemorySamples samples = test::smooth_samples(golden, dice, 7);
  std::vector<std::vector<Tensor>> list;
  for (const int64_t i : {4, 0, 2, 6, 1, 3, 5}) list.push_back(samples.get(i));
  const test::MemorySamples shuffled(std::move(list));
  for (const auto& [scheme, rounding] :
       {std::pair(Scheme::W8A8, Rounding::Adaptive), std::pair(Scheme::W4A16, Rounding::ErrorFeedback)}) {
    const auto wanted = test::constants_of(test::corrected(golden, samples, {.scheme = scheme, .rounding = rounding}));
    for (const int threads : {1, 2, 4}) {
      const Graph graph = test::corrected(golden, threads == 1 ? shuffled : samples,
                                          {.scheme = scheme, .rounding = rounding, .threads = threads});
      EXPECT_EQ(test::constants_of(graph), wanted) << threads;
    }
  }
}

}  // namespace
}  // namespace openrknn
