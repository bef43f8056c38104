// Sets that are no good are noticed, each for its own reason; a good one is not.
#include "compiler/analysis/calibration_set.h"

#include "quantize/support.h"

namespace openrknn {
namespace {

using test::Dice;
using test::MemorySamples;

constexpr std::string_view kConvolutionsAndRelu = R"(ir 1
input %x : f32[1,3,8,8]
%w0 : f32[8,3,3,3] = random(1)
%c0 = Conv(%x, %w0) {pads=[1,1,1,1]}
%w1 : f32[8,8,3,3] = random(2)
%c1 = Conv(%c0, %w1) {pads=[1,1,1,1]}
%y = Relu(%c1)
output %y
)";

struct Seen {
  Calibration calibration;
  SampleRecord record;
};

Seen calibrated(const Samples& samples, int threads = 2) {
  ThreadPool pool(threads);
  Seen seen;
  seen.calibration =
      calibrate(parse_graph(kConvolutionsAndRelu), samples, pool, {}, {}, Detail::Extremes, &seen.record);
  return seen;
}

std::vector<std::vector<Tensor>> arrays(int count, double low = -1, double high = 1, uint64_t seed = 3) {
  Dice dice(seed);
  std::vector<std::vector<Tensor>> result;
  for (int i = 0; i < count; ++i) result.push_back({test::uniform_tensor(dice, {1, 3, 8, 8}, low, high)});
  return result;
}

std::vector<SetFinding> check(std::vector<std::vector<Tensor>> set, Port port = {.name = "x"}) {
  const MemorySamples samples(std::move(set));
  return check_calibration_set(calibrated(samples).record, std::span(&port, 1), samples);
}

std::string names(const std::vector<SetFinding>& found) {
  std::string text;
  for (const SetFinding& finding : found) text += std::string(name(finding.problem)) + ";";
  return text;
}

TEST(CalibrationSet, OfDifferentSamplesHasNothingWrong) { EXPECT_EQ(names(check(arrays(12))), ""); }

TEST(CalibrationSet, EqualSamplesAreNamed) {
  std::vector<std::vector<Tensor>> set = arrays(12);
  set[7] = set[2];
  set[9] = set[2];
  const std::vector<SetFinding> found = check(set);
  ASSERT_EQ(names(found), "duplicate samples;");
  EXPECT_EQ(found[0].samples, (std::vector<int64_t>{2, 7, 9}));
  EXPECT_TRUE(found[0].is_certain);
  EXPECT_EQ(to_string(found[0]),
            "calibration set: duplicate samples: 3 samples are equal: memory:3, memory:8, memory:10; keep one of them: "
            "the others tell nothing new");
}

TEST(CalibrationSet, SamplesOfOneColourAreNamed) {
  std::vector<std::vector<Tensor>> set = arrays(12);
  for (float& v : set[4][0].mutable_values<float>()) v = 0;
  const std::span<float> colour = set[6][0].mutable_values<float>();
  for (size_t i = 0; i < colour.size(); ++i) colour[i] = static_cast<float>(i / 64) * 0.3f;  // by channel
  const std::vector<SetFinding> found = check(set);
  ASSERT_EQ(names(found), "constant samples;");
  EXPECT_EQ(found[0].samples, (std::vector<int64_t>{4, 6}));
}

TEST(CalibrationSet, OneSampleThatStretchesTheRangesIsNamed) {
  std::vector<std::vector<Tensor>> set = arrays(12);
  for (float& v : set[5][0].mutable_values<float>()) v *= 40;
  const std::vector<SetFinding> found = check(set);
  ASSERT_EQ(names(found), "outlier sample;");
  EXPECT_EQ(found[0].samples, (std::vector<int64_t>{5}));
  EXPECT_NE(found[0].sentence.find("memory:6 alone widens the ranges of 4 of 4 tensors"), std::string::npos)
      << found[0].sentence;
  EXPECT_FALSE(found[0].is_certain);  // it may be what the model will see
}

TEST(CalibrationSet, FewSamplesAreSaidToBeFew) {
  EXPECT_EQ(names(check(arrays(7))), "few samples;");
  EXPECT_EQ(names(check(arrays(8))), "");
}

TEST(CalibrationSet, WhatWasNormalisedBeforeIsNoticed) {
  const Port pixels{.name = "x", .mean = {123.7f, 116.3f, 103.5f}, .std = {58.4f, 57.1f, 57.4f}};
  const auto given = [&](double low, double high) {  // as the dataset applies mean and std
    std::vector<std::vector<Tensor>> set = arrays(12, low, high);
    for (std::vector<Tensor>& sample : set) {
      const std::span<float> v = sample[0].mutable_values<float>();
      for (size_t i = 0; i < v.size(); ++i) v[i] = (v[i] - pixels.mean[i / 64]) / pixels.std[i / 64];
    }
    return set;
  };
  EXPECT_EQ(names(check(given(0, 1), pixels)), "already normalised;");
  EXPECT_EQ(names(check(given(-2, 2), pixels)), "already normalised;");
  EXPECT_EQ(names(check(given(0, 255), pixels)), "");
  EXPECT_EQ(names(check(given(0, 60), pixels)), "");  // dark pictures
  EXPECT_EQ(names(check(arrays(12, 0, 1), {.name = "x", .mean = {0.5f, 0.5f, 0.5f}, .std = {0.2f, 0.2f, 0.2f}})), "");
}

TEST(CalibrationSet, OtherSamplesShowRangesThatDoNotFit) {
  const Calibration ordinary = calibrated(MemorySamples(arrays(8))).calibration;
  const Calibration others = calibrated(MemorySamples(arrays(8, -1, 1, 77))).calibration;
  const Calibration loud = calibrated(MemorySamples(arrays(8, -5, 5, 77))).calibration;
  EXPECT_EQ(names(compare_ranges(ordinary, others)), "");
  EXPECT_EQ(names(compare_ranges(ordinary, loud)), "ranges too narrow;");
  EXPECT_EQ(names(compare_ranges(loud, ordinary)), "ranges too wide;");
}

TEST(CalibrationSet, TheNumberOfWorkersDoesNotShow) {
  const MemorySamples samples(arrays(12));
  const SampleRecord one = calibrated(samples, 1).record, four = calibrated(samples, 4).record;
  ASSERT_EQ(one.extents.size(), 12u);
  ASSERT_EQ(one.values, four.values);
  for (size_t s = 0; s < 12; ++s) {
    EXPECT_EQ(one.facts[s].hash, four.facts[s].hash);
    for (size_t v = 0; v < one.values.size(); ++v) {
      EXPECT_EQ(one.extents[s][v].lowest, four.extents[s][v].lowest);
      EXPECT_EQ(one.extents[s][v].highest, four.extents[s][v].highest);
    }
  }
}

}  // namespace
}  // namespace openrknn
