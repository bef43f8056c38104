// What several processes saw adds up to what one sees, and travels as bytes nobody has to trust.
#include <span>

#include "support.h"

namespace openrknn {
namespace {

using test::Dice;

Calibration seen(std::span<const Tensor> samples, int64_t first) {
  BucketCounter counter;
  Calibration calibration;
  for (size_t i = 0; i < samples.size(); ++i) {
    const int64_t sample = first + static_cast<int64_t>(i);
    calibration["x"].observe(sample, samples[i], &counter);
    if (sample % 2 == 0) calibration["every other"].observe(sample, samples[i]);
  }
  return calibration;
}

std::vector<Tensor> random_samples(Dice& dice, size_t count) {
  std::vector<Tensor> samples;
  for (size_t i = 0; i < count; ++i) samples.push_back(test::uniform_tensor(dice, {dice.between(1, 50)}, -1, 3));
  return samples;
}

TEST(CalibrationBytes, PartsAddUpToTheWholeWhereverItIsCut) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Dice dice(seed);
    const std::vector<Tensor> samples = random_samples(dice, 12);
    const std::string whole = to_bytes(seen(samples, 0));
    for (const size_t cut : {size_t{1}, size_t{5}, size_t{11}}) {
      // A worker counts its samples from 0.
      Calibration second = seen(std::span(samples).subspan(cut), static_cast<int64_t>(cut) % 2);
      shift_samples(second, static_cast<int64_t>(cut) - static_cast<int64_t>(cut) % 2);
      Calibration sum = calibration_from_bytes(to_bytes(second));
      merge(sum, seen(std::span(samples).first(cut), 0));
      EXPECT_EQ(to_bytes(sum), whole) << "cut at " << cut;
    }
  }
}

TEST(CalibrationBytes, RefuseEveryTruncation) {
  Dice dice(4);
  const std::vector<Tensor> samples = random_samples(dice, 2);
  const std::string bytes = to_bytes(seen(samples, 0));
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW(calibration_from_bytes(bytes.substr(0, length)), Error) << "of length " << length;
  }
  EXPECT_THROW(calibration_from_bytes(bytes + "x"), Error);
}

TEST(CalibrationBytes, SurviveDamageAnywhere) {
  Dice dice(5);
  const std::string good = to_bytes(seen(random_samples(dice, 2), 0));
  for (int trial = 0; trial < 2000; ++trial) {
    std::string bytes = good;
    bytes[static_cast<size_t>(dice.between(0, static_cast<int64_t>(bytes.size()) - 1))] =
        static_cast<char>(dice.between(0, 255));
    try {
      const Calibration read = calibration_from_bytes(bytes);
      EXPECT_EQ(to_bytes(read), bytes);  // numbers may differ, never what they are
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace openrknn
