// What tests of corrections share: samples that a correction may look at, and the same function before and after.
#pragma once

#include "compiler/corrections/float_corrections.h"
#include "quantize/support.h"

namespace openrknn::test {

/// One worker over samples in memory.
struct Observed {
  MemorySamples samples;
  ThreadPool pool{1};
  Observations observations{samples, pool};
  std::vector<std::string> notes, warnings;
  CorrectionContext context{
      .observations = &observations,
      .note = [this](std::string_view line) { notes.emplace_back(line); },
      .warn = [this](std::string_view line) { warnings.emplace_back(line); },
  };

  explicit Observed(MemorySamples given) : samples(std::move(given)) {}
};

/// Uniform in [low, high], another stream of numbers for another seed.
inline MemorySamples samples_for(const Graph& graph, uint64_t seed, double low = -1, double high = 1) {
  Dice dice(seed);
  return uniform_samples(graph, dice, 8, low, high);
}

/// Every output for every sample, within `tolerance` of its range.
inline void expect_same_function(const Graph& before, const Graph& after, const MemorySamples& samples,
                                 double tolerance = 1e-5) {
  for (int64_t s = 0; s < samples.count(); ++s) {
    const std::vector<std::vector<double>> expected = run_real(before, samples.get(s)),
                                           got = run_real(after, samples.get(s));
    for (size_t o = 0; o < expected.size(); ++o) {
      const auto [low, high] = std::minmax_element(expected[o].begin(), expected[o].end());
      for (size_t i = 0; i < got[o].size(); ++i) {
        ASSERT_NEAR(got[o][i], expected[o][i], tolerance * (*high - *low)) << "output " << o << " element " << i;
      }
    }
  }
}

/// SQNR of an int8 build in dB, over samples of another seed.
inline double int8_sqnr(const Graph& golden, const MemorySamples& calibration, const MemorySamples& evaluation,
                        QuantizedMethod method = QuantizedMethod::Channel, size_t output = 0) {
  const Built built = build(golden, calibration, {.method = method});
  std::vector<double> expected, got;
  for (int64_t s = 0; s < evaluation.count(); ++s) {
    const std::vector<double> e = run_real(golden, evaluation.get(s))[output],
                              g = run_real(built.quantized, evaluation.get(s))[output];
    expected.insert(expected.end(), e.begin(), e.end());
    got.insert(got.end(), g.begin(), g.end());
  }
  return sqnr_db(expected, got);
}

}  // namespace openrknn::test
