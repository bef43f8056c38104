#include "compiler/dataset/samples.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/base/error.h"

namespace openrknn {
namespace {

Tensor zeros(Shape shape, DType dtype = DType::Float32) { return Tensor::zeros(dtype, std::move(shape)); }

std::string refused(std::vector<std::vector<Tensor>> samples, std::vector<SampleSpec> specs) {
  try {
    samples_from_arrays(std::move(samples), std::move(specs));
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing is wrong";
}

TEST(SamplesFromArrays, AreRawAndInSourceOrder) {
  SampleSpec spec{.port = {"x", DType::Float32, {0, 2, 3, 1}, {1, 2}, {2, 4}}, .shape = {1, 2, 1, 2}};
  const auto samples = samples_from_arrays({{Tensor::from<uint8_t>({1, 1, 2, 2}, {11, 22, 31, 42})}}, {spec});
  EXPECT_EQ(samples->count(), 1);
  EXPECT_EQ(samples->describe(0), "sample 0");
  EXPECT_TRUE(identical(samples->get(0)[0], Tensor::from<float>({1, 2, 1, 2}, {5, 15, 5, 10})));
}

TEST(SamplesFromArrays, ABatchOfOneMayBeLeftOut) {
  const auto samples = samples_from_arrays({{zeros({3, 4, 4})}}, {{.port = {"x"}, .shape = {1, 3, 4, 4}}});
  EXPECT_EQ(samples->get(0)[0].shape(), (Shape{1, 3, 4, 4}));
}

TEST(SamplesFromArrays, LayoutsAreNotGuessed) {
  EXPECT_EQ(
      refused({{zeros({1, 4, 4, 3})}}, {{.port = {"x"}, .shape = {1, 3, 4, 4}}}),
      "sample 0, tensor 'x': E0305 dataset.bad-array: the array's shape is [1, 4, 4, 3], input 'x' takes [1, 3, 4, "
      "4]; this looks like NHWC: numpy.transpose(array, (0, 3, 1, 2)) makes it NCHW");
  EXPECT_EQ(
      refused({{zeros({1, 3, 4, 4})}}, {{.port = {"x", DType::Float32, {0, 2, 3, 1}}, .shape = {1, 3, 4, 4}}}),
      "sample 0, tensor 'x': E0305 dataset.bad-array: the array's shape is [1, 3, 4, 4], input 'x' takes [1, 4, 4, "
      "3]; this looks like NCHW: numpy.transpose(array, (0, 2, 3, 1)) makes it NHWC, the model's layout");
}

TEST(SamplesFromArrays, AllProblemsAreReportedTogether) {
  const SampleSpec spec{.port = {"x"}, .shape = {2}};
  EXPECT_EQ(refused({{zeros({2})}, {}, {zeros({3})}}, {spec}),
            "sample 1: E0305 dataset.bad-array: 0 arrays for 1 input ('x'); give one array per input\n"
            "sample 2, tensor 'x': E0305 dataset.bad-array: the array's shape is [3], input 'x' takes [2]");
  EXPECT_EQ(refused({}, {spec}), "E0306 dataset.empty: the dataset has no samples; give at least one array per input");
}

TEST(SamplesFromArrays, ValuesThatAreNotFiniteNameTheSample) {
  const auto samples =
      samples_from_arrays({{zeros({1})}, {Tensor::from<float>({1}, {-std::numeric_limits<float>::infinity()})}},
                          {{.port = {"x"}, .shape = {1}}});
  EXPECT_NO_THROW(samples->get(0));
  try {
    samples->get(1);
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::DatasetNotFinite);
    EXPECT_NE(std::string(error.what()).find("sample 1, tensor 'x': E0307 dataset.not-finite: element 0 is -inf"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace openrknn
