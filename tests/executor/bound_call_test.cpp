#include "core/executor/bound_call.h"

#include <gtest/gtest.h>

namespace openrknn {
namespace {

using Ints = std::vector<int64_t>;
const std::vector<int> kNchw = {0, 1, 2, 3}, kNhwc = {0, 2, 3, 1};

template <class T>
T permuted(T attribute, std::string_view kind, const std::vector<int>& in = kNhwc,
           const std::vector<int>& out = kNhwc) {
  Attributes attributes = {{"a", std::move(attribute)}, {"other", int64_t{1}}};
  permute_attributes(attributes, "missing:one,a:" + std::string(kind), in, out);
  EXPECT_EQ(std::get<int64_t>(attributes["other"]), 1);
  return std::get<T>(attributes["a"]);
}

TEST(PermuteAttributes, MovesAnAxisToItsPlaceInMemory) {
  EXPECT_EQ(permuted(int64_t{1}, "one"), 3);
  EXPECT_EQ(permuted(int64_t{-1}, "one"), 2);
  EXPECT_EQ(permuted(int64_t{2}, "one", kNchw, kNchw), 2);
}

TEST(PermuteAttributes, SortsListsOfAxesAgain) { EXPECT_EQ(permuted(Ints{1, 2}, "list"), (Ints{1, 3})); }

TEST(PermuteAttributes, MovesEntriesPerDimension) {
  EXPECT_EQ(permuted(Ints{10, 11, 12, 13}, "per dimension"), (Ints{10, 12, 13, 11}));
  EXPECT_EQ(permuted(std::vector<double>{1, 2, 3, 4}, "per dimension"), (std::vector<double>{1, 3, 4, 2}));
  EXPECT_EQ(permuted(Ints{0, 1, 2, 3, 4, 5, 6, 7}, "begin-end per dimension"), (Ints{0, 2, 3, 1, 4, 6, 7, 5}));
}

TEST(PermuteAttributes, ComposesAPermutationWithBothLayouts) {
  const Ints to_nhwc = {0, 2, 3, 1};
  EXPECT_EQ(permuted(to_nhwc, "permutation", kNhwc, kNchw), (Ints{0, 1, 2, 3}));  // nothing left to do
  EXPECT_EQ(permuted(to_nhwc, "permutation", kNchw, kNchw), to_nhwc);
  EXPECT_EQ(permuted(Ints{0, 1, 3, 2}, "permutation", kNhwc, kNhwc), (Ints{0, 2, 1, 3}));
}

TEST(PermuteAttributes, RefusesWhatNamesNoDimension) {
  EXPECT_THROW(permuted(int64_t{4}, "one"), Error);
  EXPECT_THROW(permuted(Ints{1, 2, 3}, "per dimension"), Error);
  EXPECT_THROW(permuted(std::string("x"), "one"), Error);
}

TEST(ConstantInForm, PermutesOncePerWeights) {
  Weights weights;
  const Tensor tensor = Tensor::from<float>({2, 1, 2}, {1, 2, 3, 4});  // as [1, 1, 2, 2]
  const Form form{Layout::ChannelsLast, 4};
  const Tensor first = constant_in_form(tensor, form, weights), second = constant_in_form(tensor, form, weights);
  EXPECT_EQ(first.shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(std::vector<float>(first.values<float>().begin(), first.values<float>().end()),
            (std::vector<float>{1, 3, 2, 4}));
  EXPECT_EQ(first.bytes().data(), second.bytes().data());
}

TEST(ConstantInForm, SharesBytesThatLieRightAlready) {
  Weights weights;
  const Tensor tensor = Tensor::from<float>({4, 1, 1}, {1, 2, 3, 4});
  const Tensor raised = constant_in_form(tensor, {Layout::ChannelsLast, 4}, weights);
  EXPECT_EQ(raised.shape(), (Shape{1, 1, 1, 4}));
  EXPECT_EQ(raised.bytes().data(), tensor.bytes().data());
  EXPECT_EQ(weights.bytes(), 0);
}

TEST(ReadableConstant, AlignsWhatAMappedFileHolds) {
  Weights weights;
  const auto file = std::make_shared<std::vector<std::byte>>(100, std::byte{7});
  const Tensor view = Tensor::view(DType::Float32, {16}, std::span(*file).subspan(3), file);
  const Tensor readable = readable_constant(view, weights);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(readable.bytes().data()) % 64, 0u);
  EXPECT_TRUE(identical(readable, view));
}

}  // namespace
}  // namespace openrknn
