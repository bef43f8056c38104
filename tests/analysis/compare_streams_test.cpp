// The comparison over streams that compute nothing: it knows no golden, no simulator and no device.
#include "compiler/analysis/compare_streams.h"

#include <gtest/gtest.h>

#include <map>

#include "support/special_numbers.h"

namespace openrknn {
namespace {

using test::kNan;

/// Numbers of the layers, by sample; notes what was asked of it.
class Recited : public LayerStream {
 public:
  explicit Recited(std::vector<std::map<std::string, std::vector<float>>> samples) : samples_(std::move(samples)) {}
  void start(std::span<const Tensor> inputs) override {
    sample_ = static_cast<size_t>(inputs[0].values<float>()[0]);
    calls += "start ";
  }
  void advance(std::string_view layer) override {
    const std::vector<float>& numbers = samples_[sample_].at(std::string(layer));
    now_ = Tensor::from<float>({static_cast<int64_t>(numbers.size())}, numbers);
    calls += std::string(layer) + ' ';
  }
  LayerValues values(std::string_view) const override {
    return {.shape = now_.shape(), .form = {Layout::Logical, 1}, .bytes = now_.bytes()};
  }
  void replace(std::string_view layer, const LayerValues& real) override {
    calls += std::string(layer) + '=' + std::to_string(static_cast<int>(real_numbers(real, 0, 1)[0])) + ' ';
  }
  std::string calls;

 private:
  std::vector<std::map<std::string, std::vector<float>>> samples_;
  size_t sample_ = 0;
  Tensor now_;
};

class Numbers : public Samples {
 public:
  explicit Numbers(int64_t count) : count_(count) {}
  int64_t count() const override { return count_; }
  std::vector<Tensor> get(int64_t i) const override { return {Tensor::from<float>({1}, {static_cast<float>(i)})}; }
  std::string describe(int64_t i) const override { return "sample " + std::to_string(i); }

 private:
  int64_t count_;
};

const std::vector<LayerPair> kPairs = {{"a_int8", "a"}, {"b", "b"}};

TEST(CompareStreams, PairsByNameAndFeedsOnlyWhoIsFed) {
  ThreadPool pool(2);
  Recited reference({{{"a", {7, 1}}, {"b", {8, 1}}}});
  Recited entire({{{"a_int8", {7, 1}}, {"b", {8, 3}}}}), single({{{"a_int8", {7, 2}}, {"b", {8, 1}}}});
  const Candidate candidates[] = {{entire, false}, {single, true}};
  const StreamComparison result = compare_streams(reference, candidates, kPairs, Numbers(1), pool);
  EXPECT_EQ(reference.calls, "start a b ");
  EXPECT_EQ(entire.calls, "start a_int8 b ");
  EXPECT_EQ(single.calls, "start a_int8 a_int8=7 b b=8 ");
  EXPECT_EQ(result.sums[0][0].error().euclidean, 0);
  EXPECT_EQ(result.sums[0][1].error().euclidean, 2);
  EXPECT_EQ(result.sums[1][0].error().euclidean, 1);
  EXPECT_EQ(result.sums[1][1].error().euclidean, 0);
}

TEST(CompareStreams, NamesTheWorstSampleAndTheFirstNotFiniteLayer) {
  ThreadPool pool(2);
  Recited reference(
      {{{"a", {1, 1}}, {"b", {1, 1}}}, {{"a", {1, 1}}, {"b", {1, 1}}}, {{"a", {1, 1}}, {"b", {kNan, 1}}}});
  Recited other({{{"a_int8", {1, 1}}, {"b", {1, 1}}},
                 {{"a_int8", {1, 0}}, {"b", {kNan, kNan}}},
                 {{"a_int8", {1, 0.5F}}, {"b", {kNan, kNan}}}});
  const Candidate candidates[] = {{other, false}};
  const StreamComparison result = compare_streams(reference, candidates, kPairs, Numbers(3), pool);
  EXPECT_EQ(result.worst_sample, (std::vector<int64_t>{1, 1}));
  ASSERT_TRUE(result.candidate_not_finite[0]);
  EXPECT_EQ(result.candidate_not_finite[0]->pair, 1U);
  EXPECT_EQ(result.candidate_not_finite[0]->sample, 1);
  EXPECT_EQ(result.candidate_not_finite[0]->elements, 2);
  ASSERT_TRUE(result.reference_not_finite);
  EXPECT_EQ(result.reference_not_finite->sample, 2);
  EXPECT_EQ(result.reference_not_finite->elements, 1);
}

TEST(CompareStreams, TellsProgressAndShowsEachLayerBeforeItGoes) {
  ThreadPool pool(2);
  Recited reference({{{"a", {1}}, {"b", {2}}}}), other({{{"a_int8", {3}}, {"b", {4}}}});
  const Candidate candidates[] = {{other, true}};
  std::string told, shown;
  compare_streams(
      reference, candidates, kPairs, Numbers(1), pool,
      [&](std::string_view, int64_t done, int64_t total) { told += std::to_string(done * 10 + total) + ' '; },
      [&](size_t pair, const LayerValues& wanted, std::span<const LayerValues> got) {
        shown += std::to_string(pair) + std::to_string(static_cast<int>(real_numbers(wanted, 0, 1)[0])) +
                 std::to_string(static_cast<int>(real_numbers(got[0], 0, 1)[0])) + ' ';
      });
  EXPECT_EQ(told, "12 22 ");
  EXPECT_EQ(shown, "013 124 ");
}

TEST(CompareStreams, NeedsASample) {
  ThreadPool pool(2);
  Recited reference({});
  EXPECT_THROW(compare_streams(reference, {}, kPairs, Numbers(0), pool), Error);
}

}  // namespace
}  // namespace openrknn
