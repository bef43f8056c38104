// Histograms of activations: counts that no order of samples, split of the work or thread count changes.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "support.h"
#include "support/special_numbers.h"

namespace openrknn {
namespace {

using test::Dice;
using test::kInfinity;

int64_t count_at(const Histogram& histogram, float value) {
  const uint32_t bucket = std::bit_cast<uint32_t>(value) >> Histogram::kDroppedBits;
  for (const Histogram::Block& block : histogram.blocks()) {
    if (block.index == bucket / Histogram::kBlockSize) return block.counts[bucket % Histogram::kBlockSize];
  }
  return 0;
}

Statistics seen(std::span<const float> values, int64_t sample = 0) {
  BucketCounter counter;
  Statistics s;
  s.observe(sample, values, &counter);
  return s;
}

TEST(Histogram, CountsByTheUpperBitsOfTheNumber) {
  const Histogram h = seen(std::vector<float>{1.0f, 1.001f, -1.0f, 1.5f, 0.0f, -0.0f, 0.0f, 3e38f, -1e-30f}).histogram;
  EXPECT_EQ(h.total(), 9);
  EXPECT_EQ(h.zeros(), 3);
  EXPECT_EQ(count_at(h, 1.0f), 2) << "a bucket is 1/256 wide";
  EXPECT_EQ(count_at(h, 1.005f), 0);
  EXPECT_EQ(count_at(h, -1.0f), 1);
  EXPECT_EQ(count_at(h, 1.5f), 1);
  EXPECT_EQ(count_at(h, 3e38f), 1);
  EXPECT_EQ(count_at(h, -1e-30f), 1);
}

TEST(Histogram, HoldsEveryFiniteNumberOfAnySizeOfTensor) {
  Dice dice(31);
  BucketCounter counter;  // one for all: what a tensor leaves behind would be found by the next
  for (const int64_t size : {1, 3, 4, 7, 64, 4095, 100000}) {
    std::vector<float> values;
    for (int64_t i = 0; i < size; ++i) {
      const auto bits = static_cast<uint32_t>(dice.up_to(1 << 30)) * 4u + static_cast<uint32_t>(dice.up_to(4));
      values.push_back(std::bit_cast<float>(bits));
    }
    Statistics s;
    s.observe(0, values, &counter);
    int64_t zeros = 0;
    for (const float v : values) zeros += std::abs(v) < std::ldexp(1.0f, -134);
    EXPECT_EQ(s.histogram.zeros(), zeros);
    EXPECT_TRUE(s.has_histogram()) << size << " numbers, " << s.not_finite << " of them not finite";
    int64_t total = zeros;
    for (const Histogram::Block& b : s.histogram.blocks()) {
      total += std::accumulate(b.counts.begin(), b.counts.end(), int64_t{0});
    }
    EXPECT_EQ(total, s.histogram.total());
  }
}

TEST(Histogram, CountsAnyNumberOfEqualNumbers) {
  std::vector<float> values(3 * (size_t{1} << 18) + 5, 0.0f);
  std::fill(values.begin() + 9, values.begin() + 300010, 1.5f);
  const Histogram h = seen(values).histogram;
  EXPECT_EQ(count_at(h, 1.5f), 300001);
  EXPECT_EQ(h.zeros(), static_cast<int64_t>(values.size()) - 300001);
}

TEST(Histogram, LeavesOutWhatIsNotFinite) {
  const Statistics s = seen(std::vector<float>{kInfinity, 2.0f, std::nanf(""), -kInfinity});
  EXPECT_EQ(s.histogram.total(), 1);
  EXPECT_TRUE(s.has_histogram());
  EXPECT_TRUE(seen(std::vector<float>{kInfinity}).has_histogram());
}

TEST(Histogram, IsNotThereUnlessAskedFor) {
  Statistics s;
  s.observe(0, std::vector<float>{1, 2, 3});
  EXPECT_FALSE(s.has_histogram());
  s.merge(seen(std::vector<float>{4}));
  EXPECT_FALSE(s.has_histogram()) << "half the numbers are not all";
}

std::vector<Statistics> random_pieces(uint64_t seed, size_t count) {
  std::mt19937 random(static_cast<unsigned>(seed));
  std::vector<Statistics> pieces;
  for (size_t i = 0; i < count; ++i) {
    std::vector<float> values(1 + random() % 500);
    const float scale = std::ldexp(1.0f, static_cast<int>(random() % 60) - 30);
    for (float& v : values) v = scale * (static_cast<float>(random() % 4096) / 2048.0f - 1.0f);
    pieces.push_back(seen(values, static_cast<int64_t>(i)));
  }
  return pieces;
}

TEST(Histogram, MergingIsAssociativeAndCommutative) {
  for (uint64_t seed = 1; seed < 30; ++seed) {
    const std::vector<Statistics> p = random_pieces(seed, 3);
    Statistics left = p[0], right = p[1], swapped = p[1];
    left.merge(p[1]);
    swapped.merge(p[0]);
    EXPECT_EQ(left, swapped) << "seed " << seed;
    left.merge(p[2]);
    right.merge(p[2]);
    Statistics whole = p[0];
    whole.merge(right);
    EXPECT_EQ(left, whole) << "seed " << seed;
    EXPECT_EQ(left.bytes(), whole.bytes()) << "seed " << seed;
  }
}

TEST(Histogram, DoesNotDependOnHowTheSamplesAreSplit) {
  const std::vector<Statistics> pieces = random_pieces(5, 40);
  Statistics all;
  for (const Statistics& s : pieces) all.merge(s);
  std::mt19937 random(9);
  for (int round = 0; round < 20; ++round) {
    std::vector<size_t> order(pieces.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    std::vector<Statistics> workers(1 + random() % 7);
    for (const size_t i : order) workers[random() % workers.size()].merge(pieces[i]);
    Statistics merged;
    for (const Statistics& worker : workers) merged.merge(worker);
    ASSERT_EQ(merged.bytes(), all.bytes());
  }
}

TEST(Histogram, CopiesDoNotWriteIntoEachOther) {
  const Statistics one = seen(std::vector<float>{1, 2}), other = seen(std::vector<float>{1, 1});
  Statistics copy = one;
  copy.merge(other);
  EXPECT_EQ(count_at(one.histogram, 1), 1);
  EXPECT_EQ(count_at(copy.histogram, 1), 3);
  EXPECT_EQ(count_at(other.histogram, 1), 2);
  Statistics first;
  first.merge(other);
  first.merge(other);
  EXPECT_EQ(count_at(other.histogram, 1), 2);
}

TEST(Histogram, SurvivesSerialisation) {
  const Statistics s = random_pieces(3, 1)[0];
  const std::string bytes = s.bytes();
  EXPECT_EQ(Statistics::from_bytes(bytes), s);
  EXPECT_EQ(Statistics::from_bytes(bytes).bytes(), bytes);
  for (const size_t length : {size_t{0}, size_t{3}, size_t{60}, size_t{61}, bytes.size() / 2, bytes.size() - 1}) {
    EXPECT_THROW(Statistics::from_bytes(std::string_view(bytes).substr(0, length)), Error) << length;
  }
  EXPECT_THROW(Statistics::from_bytes(bytes + "x"), Error);
}

TEST(Histogram, DamagedBytesAreRefusedOrAreStatistics) {
  const std::string good = random_pieces(4, 1)[0].bytes();
  std::mt19937 random(77);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = good;
    bytes[random() % (round % 2 == 0 ? 120 : bytes.size())] = static_cast<char>(random());
    try {
      const Statistics s = Statistics::from_bytes(bytes);
      EXPECT_GE(s.histogram.total(), s.histogram.zeros());
      EXPECT_EQ(s.bytes(), bytes);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::InvalidArgument);
    }
  }
}

TEST(Histogram, StatisticsOfTheFirstVersionAreReadWithoutOne) {
  Statistics s;
  s.observe(3, std::vector<float>{-2.5f, 7.25f});
  std::string bytes = s.bytes();
  bytes[0] = 1;
  bytes.resize(bytes.size() - 16);  // no zeros, no blocks
  EXPECT_EQ(Statistics::from_bytes(bytes), s);
}

constexpr const char* kTwoWays = R"(ir 1
input %x : f32[1,3,8,8]
%t = Transpose(%x) {perm=[0,2,3,1]}
%n = Neg(%x)
%r = Relu(%n)
output %r
output %t
)";

TEST(Calibrate, HistogramsDoNotDependOnThreadsAndCountEveryNumberOnce) {
  const Graph golden = parse_graph(kTwoWays);
  Dice dice(2);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 9);
  ThreadPool one(1), three(3);
  const Calibration a = calibrate(golden, samples, one, {}, {}, Detail::Histograms);
  const Calibration b = calibrate(golden, samples, three, {}, {}, Detail::Histograms);
  EXPECT_EQ(a, b);
  const Calibration plain = calibrate(golden, samples, one);
  for (const auto& [name, s] : a) {
    EXPECT_TRUE(s.has_histogram()) << name;
    Statistics without = s;
    without.histogram = {};
    EXPECT_EQ(without, plain.at(name)) << name;
  }
  EXPECT_EQ(a.at("t").histogram, a.at("x").histogram) << "a Transpose holds the same numbers";
  EXPECT_GE(a.at("r").histogram.zeros(), 9 * 3 * 64 / 4);
}

}  // namespace
}  // namespace openrknn
