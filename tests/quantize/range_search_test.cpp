// Each range algorithm against brute force over the numbers themselves.
#include <limits>
#include <numeric>

#include "compiler/quantize/divergence.h"
#include "distributions.h"

namespace openrknn {
namespace {

using test::Distribution;

RangeSpec spec_of(RangeAlgorithm algorithm) {
  RangeSpec spec;
  spec.algorithm = algorithm;
  return spec;
}

class OfADistribution : public testing::TestWithParam<Distribution> {};
INSTANTIATE_TEST_SUITE_P(RangeAlgorithms, OfADistribution, testing::ValuesIn(test::distributions()),
                         [](const auto& row) {
                           std::string name = row.param.name;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

/// The least true error over ranges shrunk by steps of 2^(1/8), each side by itself.
double least_error_of_a_grid(const std::vector<float>& values, const Statistics& s, const RangeSpec& spec) {
  double least = std::numeric_limits<double>::infinity();
  const double low = std::min(0.0, static_cast<double>(s.lowest)), high = std::max(0.0, static_cast<double>(s.highest));
  const int octaves = high - low > 1e5 && high - low < 1e6 ? 18 : 6;
  for (int i = 0; i <= (low < 0 && !is_centred(spec) ? octaves * 8 : 0); ++i) {
    for (int j = 0; j <= (high > 0 ? octaves * 8 : 0); ++j) {
      const int lower = is_centred(spec) ? j : i;
      const QuantParams params = params_of_bounds({low * std::exp2(-lower / 8.0), high * std::exp2(-j / 8.0)}, spec);
      least = std::min(least, test::true_error(values, params, spec.dtype));
    }
  }
  return least;
}

TEST_P(OfADistribution, MmseIsWithinAFewPercentOfTheBestRange) {
  const std::vector<float>& values = GetParam().values;
  const Statistics s = test::statistics_of(values);
  for (const bool symmetric : {false, true}) {
    RangeSpec spec = spec_of(RangeAlgorithm::Mmse);
    spec.symmetric = symmetric;
    const double error = test::true_error(values, choose(s, spec));
    const double best = least_error_of_a_grid(values, s, spec);
    EXPECT_LE(error, 1.03 * best + 1e-10 * test::energy(values)) << (symmetric ? "symmetric" : "asymmetric");
    spec.algorithm = RangeAlgorithm::Normal;
    EXPECT_LE(error, 1.005 * test::true_error(values, choose(s, spec))) << "no worse than minimum to maximum";
  }
}

TEST_P(OfADistribution, MmseChoosesAmongPowersOfTwo) {
  const std::vector<float>& values = GetParam().values;
  const Statistics s = test::statistics_of(values);
  RangeSpec spec = spec_of(RangeAlgorithm::Mmse);
  spec.power_of_two = true;
  const double error = test::true_error(values, choose(s, spec));
  const QuantParams whole = choose(s, {.power_of_two = true});
  for (int shift = 0; shift < 20; ++shift) {
    const QuantParams finer{{std::ldexp(whole.scale[0], -shift)}, {0}};
    EXPECT_LE(error, 1.03 * test::true_error(values, finer) + 1e-10 * test::energy(values)) << shift;
  }
}

TEST_P(OfADistribution, AutoTakesTheBestWhereThatGainsSixDecibel) {
  const std::vector<float>& values = GetParam().values;
  const Statistics s = test::statistics_of(values);
  const auto error = [&](RangeAlgorithm algorithm) { return test::true_error(values, choose(s, spec_of(algorithm))); };
  const double chosen = error(RangeAlgorithm::Auto), whole = error(RangeAlgorithm::Normal);
  double best = whole;
  for (const RangeAlgorithm algorithm :
       {RangeAlgorithm::KlDivergence, RangeAlgorithm::Mmse, RangeAlgorithm::Percentile}) {
    best = std::min(best, error(algorithm));
  }
  if (best < 0.24 * whole) {
    EXPECT_LE(chosen, 1.03 * best);
  } else if (best > 0.26 * whole) {
    EXPECT_EQ(choose(s, spec_of(RangeAlgorithm::Auto)), choose(s, {}));
  }
}

TEST(Auto, CutsAFarOutlierOffAndKeepsTheTailsOfANormal) {
  const auto distributions = test::distributions();
  const auto named = [&](std::string_view name) {
    return *std::ranges::find_if(distributions, [&](const Distribution& d) { return d.name == name; });
  };
  const RangeSpec spec = spec_of(RangeAlgorithm::Auto);
  const Statistics tails = test::statistics_of(named("normal").values);
  EXPECT_EQ(choose(tails, spec), choose(tails, {}));
  // One in five million: its own error weighs less than what its range costs the others.
  const Statistics many = test::statistics_of(test::distributions(200000)[0].values);
  Statistics outlier = test::statistics_of(std::vector<float>{100.0f});
  for (int i = 0; i < 25; ++i) outlier.merge(many);
  EXPECT_LT(choose(outlier, spec).scale[0], 0.5 * choose(outlier, {}).scale[0]);
}

TEST_P(OfADistribution, PercentileCutsThatPartOff) {
  const std::vector<float>& values = GetParam().values;
  for (const double percent : {90.0, 99.0, 99.9}) {
    RangeSpec spec = spec_of(RangeAlgorithm::Percentile);
    spec.percentile = percent;
    const QuantParams params = choose(test::statistics_of(values), spec);
    const double low = params.scale[0] * (-128.5 - params.zero_point[0]),
                 high = params.scale[0] * (127.5 - params.zero_point[0]);
    const auto outside = [&](float v) { return static_cast<double>(v) < low || static_cast<double>(v) > high; };
    const auto cut = static_cast<double>(std::count_if(values.begin(), values.end(), outside));
    // A bucket of 1/256 and the rounding of the zero point decide about a few more.
    EXPECT_LE(cut, (1 - percent / 100) * 1.25 * static_cast<double>(values.size()) + 2) << percent;
  }
}

TEST_P(OfADistribution, TheErrorOfAHistogramIsThatOfItsNumbers) {
  const std::vector<float>& values = GetParam().values;
  const Statistics s = test::statistics_of(values);
  const Moments moments(s);
  EXPECT_EQ(moments.count(), static_cast<double>(values.size()));
  if (s.lowest == s.highest || std::string_view(GetParam().name) == "two values") return;  // an error of nothing
  if (s.highest < 1e-40f) return;                                                          // zeros to a histogram
  for (const double share : {1.0, 0.7, 0.4, 0.1}) {
    for (const DType dtype : {DType::Int8, DType::Int16}) {
      const QuantParams params =
          params_of_range(share * static_cast<double>(s.lowest), share * static_cast<double>(s.highest), dtype, false);
      const double error = test::true_error(values, params, dtype);
      EXPECT_NEAR(moments.quantization_error(params, dtype), error, 0.05 * error) << share;
    }
  }
}

TEST(Percentile, KeepsTheMiddleOfBothSides) {
  std::vector<float> values;
  for (int i = 1; i <= 10000; ++i) values.push_back(static_cast<float>(i % 2 == 0 ? i : -i) / 100.0f);
  RangeSpec spec = spec_of(RangeAlgorithm::Percentile);
  spec.percentile = 90;  // a twentieth at each end: beyond ±90
  const QuantParams params = choose(test::statistics_of(values), spec);
  EXPECT_NEAR(params.scale[0], 180.0 / 255, 0.005);
  EXPECT_NEAR(params.zero_point[0], 0, 1);
}

// ---- kl_divergence

/// The definition, bin by bin.
double plain_divergence(const std::vector<double>& bins, double under, double over, int64_t levels) {
  const auto count = static_cast<int64_t>(bins.size());
  const auto level_of = [&](size_t i) { return static_cast<size_t>(static_cast<int64_t>(i) * levels / count); };
  std::vector<double> reference = bins;
  reference.front() += under;
  reference.back() += over;
  std::vector<double> mass(static_cast<size_t>(levels)), filled(static_cast<size_t>(levels));
  for (size_t i = 0; i < bins.size(); ++i) {
    mass[level_of(i)] += bins[i];
    filled[level_of(i)] += reference[i] > 0;
  }
  for (const size_t end : {size_t{0}, mass.size() - 1}) mass[end] = mass[end] > 0 ? mass[end] : 0.5;
  const double all = std::accumulate(reference.begin(), reference.end(), 0.0);
  const double inside = std::accumulate(bins.begin(), bins.end(), 0.0);
  double divergence = 0;
  for (size_t i = 0; i < bins.size(); ++i) {
    if (reference[i] == 0) continue;
    const double quantized = mass[level_of(i)] / filled[level_of(i)] / inside;
    divergence += reference[i] / all * std::log(reference[i] / all / quantized);
  }
  return divergence;
}

struct Binned {
  std::vector<double> bins;
  double under = 0, over = 0;
};
Binned binned(const std::vector<float>& values, double width, int64_t first, int64_t last) {
  Binned result{std::vector<double>(static_cast<size_t>(last - first)), 0, 0};
  for (const float v : values) {
    if (v == 0) continue;
    const double bin = std::floor(static_cast<double>(v) / width);
    if (bin < static_cast<double>(first)) {
      ++result.under;
    } else if (bin >= static_cast<double>(last)) {
      ++result.over;
    } else {
      ++result.bins[static_cast<size_t>(static_cast<int64_t>(bin) - first)];
    }
  }
  return result;
}

TEST(KlDivergence, IsThatOfThePlainDefinition) {
  // Numbers that a bucket holds exactly: integers up to 511, one a bin of width 1.
  std::vector<float> values;
  for (int i = -500; i <= 500; ++i)
    values.insert(values.end(), static_cast<size_t>(1 + (i * i) % 37), test::number(i + 0.5));
  Statistics s = test::statistics_of(values);
  const double width = 0.5;
  const Divergence fast(Moments(s), width, 256);
  for (const auto& [first, last] : {std::pair<int64_t, int64_t>{-1024, 1024}, {-600, 601}, {-512, 512}, {-300, 1000}}) {
    const Moments moments(s);
    Binned exact{{}, 0, 0};
    for (int64_t i = first; i < last; ++i) {
      const double from = static_cast<double>(i) * width, to = static_cast<double>(i + 1) * width;
      const double bin = i < 0 ? moments.negative.up_to(-from).count - moments.negative.up_to(-to).count
                               : moments.positive.up_to(to).count - moments.positive.up_to(from).count;
      exact.bins.push_back(bin < 1e-6 ? 0 : bin);  // what is left of a difference of sums
    }
    exact.under = moments.negative.all().count - moments.negative.up_to(-static_cast<double>(first) * width).count;
    exact.over = moments.positive.all().count - moments.positive.up_to(static_cast<double>(last) * width).count;
    const double plain = plain_divergence(exact.bins, exact.under, exact.over, 256);
    EXPECT_NEAR(fast.of(first, last), plain, 1e-9) << first << " to " << last;
    EXPECT_GT(plain, 1e-4);
  }
}

TEST(KlDivergence, ChoosesTheBestRangeOfTheNumbersThemselves) {
  for (const Distribution& d : test::distributions(100000)) {
    const std::string_view name = d.name;
    const bool smooth = name == "normal" || name == "shifted normal" || name == "laplace" || name == "relu" ||
                        name == "relu of laplace" || name == "heavy tail" || name == "one outlier" ||
                        name == "far outlier" || name == "outliers on both sides";
    if (!smooth) continue;
    const Statistics s = test::statistics_of(d.values);
    const RangeSpec spec = spec_of(RangeAlgorithm::KlDivergence);
    const Bounds widest{std::min(0.0, static_cast<double>(s.lowest)), std::max(0.0, static_cast<double>(s.highest))};
    const Bounds chosen = least_divergence_bounds(Moments(s), widest, spec);
    const double width = divergence_bin(Moments(s), false);
    const auto divergence = [&](const Bounds& b) {
      const Binned numbers = binned(d.values, width, static_cast<int64_t>(std::floor(b.lowest / width)),
                                    static_cast<int64_t>(std::ceil(b.highest / width)));
      return plain_divergence(numbers.bins, numbers.under, numbers.over, 256);
    };
    double best = std::numeric_limits<double>::infinity();
    const int steps = 20;
    const double reach = 4096 * width;
    for (int i = 0; i <= (widest.lowest < 0 ? steps : 0); ++i) {
      for (int j = 1; j <= steps; ++j) {
        best = std::min(best, divergence({std::max(widest.lowest, -reach * i * i / steps / steps),
                                          std::min(widest.highest, reach * j * j / steps / steps)}));
      }
    }
    // A bucket is as wide as a few bins far from zero: what differs between these is noise of the draw.
    EXPECT_LE(divergence(chosen), 1.15 * best + 1e-4) << name;
  }
}

TEST(KlDivergence, CutsOutliersOffAndKeepsWhatIsAllThere) {
  for (const Distribution& d : test::distributions(50000)) {
    const std::string_view name = d.name;
    const QuantParams params = choose(test::statistics_of(d.values), spec_of(RangeAlgorithm::KlDivergence));
    const QuantParams whole = choose(test::statistics_of(d.values), {});
    ASSERT_TRUE(std::isfinite(params.scale[0])) << name;
    ASSERT_GT(params.scale[0], 0) << name;
    if (name.find("outlier") != std::string_view::npos) {
      EXPECT_LT(params.scale[0] * 255, 12) << name;
      EXPECT_GT(params.scale[0] * 255, 4) << name;
    }
    if (name == "constant" || name == "all zero" || name == "two values") {
      EXPECT_EQ(params, whole) << name;
    }
  }
}

// ---- the door

TEST(Choose, IsPureAndNeedsAHistogramForEverythingButNormal) {
  Statistics s;
  s.observe(0, std::vector<float>{-1, 2});
  for (const RangeAlgorithm algorithm :
       {RangeAlgorithm::KlDivergence, RangeAlgorithm::Mmse, RangeAlgorithm::Percentile, RangeAlgorithm::Auto}) {
    try {
      choose(s, spec_of(algorithm));
      ADD_FAILURE() << static_cast<int>(algorithm);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::QuantizeNoStatistics);
    }
    EXPECT_EQ(choose(Statistics{}, spec_of(algorithm)), (QuantParams{{1.0}, {-128}}));
  }
}

TEST(Choose, EveryAlgorithmStaysWithinTheNaturalRange) {
  std::vector<float> values = test::distributions(1000)[0].values;
  for (const RangeAlgorithm algorithm :
       {RangeAlgorithm::KlDivergence, RangeAlgorithm::Mmse, RangeAlgorithm::Percentile, RangeAlgorithm::Auto}) {
    RangeSpec spec = spec_of(algorithm);
    spec.natural = {0.0, 1.0};
    const QuantParams params = choose(test::statistics_of(values), spec);
    EXPECT_EQ(params.zero_point[0], -128);
    EXPECT_LE(params.scale[0], 1.0 / 255);
    EXPECT_GT(params.scale[0], 0.4 / 255);
  }
}

TEST(Choose, SixteenBitsClipNothingWorthKeeping) {
  for (const Distribution& d : test::distributions(2000)) {
    for (const RangeAlgorithm algorithm : {RangeAlgorithm::KlDivergence, RangeAlgorithm::Mmse, RangeAlgorithm::Auto}) {
      RangeSpec spec = spec_of(algorithm);
      spec.dtype = DType::Int16;
      const Statistics s = test::statistics_of(d.values);
      const double error = test::true_error(d.values, choose(s, spec), DType::Int16);
      spec.algorithm = RangeAlgorithm::Normal;
      EXPECT_LE(error,
                1.05 * test::true_error(d.values, choose(s, spec), DType::Int16) + 1e-14 * test::energy(d.values))
          << d.name;
    }
  }
}

TEST(Quantize, TakesEachClassByTheAlgorithmAndWhatIsFedByItsWholeRange) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,4,32,32]
%y = Neg(%x)
%z = Relu(%y)
%s = Sigmoid(%z)
output %s
)");
  const std::vector<float> values =
      test::drawn(4 * 1024, [](double n, double u, int) { return test::number(std::copysign(std::log(u), n)); });
  const test::MemorySamples samples({{Tensor::from<float>({1, 4, 32, 32}, values)}});
  ThreadPool pool(1);
  const Calibration calibration = calibrate(golden, samples, pool, {}, {}, Detail::Histograms);
  QuantizeOptions options;
  options.activations.algorithm = RangeAlgorithm::Percentile;
  options.activations.percentile = 95;
  const Graph quantized = quantize(golden, assign_precision(golden, test::target(), {}), calibration, options);
  EXPECT_EQ(test::value_of(quantized, "x").quant, choose(calibration.at("x"), {}));
  // What the Relu cuts off has no say: y has the range of z.
  EXPECT_EQ(test::value_of(quantized, "z").quant, choose(calibration.at("z"), options.activations));
  EXPECT_EQ(test::value_of(quantized, "y").quant, test::value_of(quantized, "z").quant);
  EXPECT_LT(test::value_of(quantized, "z").quant->scale[0], 0.7 * choose(calibration.at("z"), {}).scale[0]);

  const Calibration extremes = calibrate(golden, samples, pool);
  EXPECT_THROW(quantize(golden, assign_precision(golden, test::target(), {}), extremes, options), Error);
}

TEST(Moments, StopsOnlyWhereTheErrorIsKnownToBeEnough) {
  int stopped = 0;
  for (const test::Distribution& d : test::distributions()) {
    const Moments moments(test::statistics_of(d.values));
    for (const double share : {1.0, 0.5, 0.1, 0.01}) {
      const QuantParams params = params_of_range(-share * 3, share * 4, DType::Int8, false);
      const double error = moments.quantization_error(params, DType::Int8);
      if (error == 0) continue;  // any part of it is enough
      for (const double part : {0.5, 0.99, 1.01, 2.0}) {
        const double found = moments.quantization_error(params, DType::Int8, part * error);
        if (part > 1) {
          EXPECT_EQ(found, error) << d.name << ", " << part;
        } else {
          EXPECT_TRUE(found == error || std::isinf(found)) << d.name << ", " << part;
          stopped += std::isinf(found);
        }
      }
    }
  }
  EXPECT_GT(stopped, 50);
}

TEST(Quantize, ConstantsAndFillsOfAClassAreCountedToo) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,2,16,16]
%y = Neg(%x)
%p = Pad(%y) {pads=[0,0,1,1,0,0,1,1], mode="constant", value=2.5}
%k : f32[1,1,18,18] = random(3)
%c = Concat(%p, %k) {axis=1}
output %c
)");
  test::Dice dice(4);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 2);
  ThreadPool pool(1);
  const Calibration calibration = calibrate(golden, samples, pool, {}, {}, Detail::Histograms);
  QuantizeOptions options;
  options.activations.algorithm = RangeAlgorithm::Mmse;
  const Graph quantized = quantize(golden, assign_precision(golden, test::target(), {}), calibration, options);
  EXPECT_GE(test::value_of(quantized, "c").quant->scale[0] * 255, 3.4) << "from -1 to the fill of 2.5";
}

}  // namespace
}  // namespace openrknn
