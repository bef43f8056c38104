#include "core/base/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "core/base/error.h"

namespace openrknn {
namespace {

TEST(Tensor, CopiesShareBytesUntilOneIsWritten) {
  Tensor a = Tensor::from<float>({2}, {1, 2});
  Tensor b = a;
  EXPECT_EQ(a.bytes().data(), b.bytes().data());
  b.mutable_values<float>()[0] = 5;
  EXPECT_NE(a.bytes().data(), b.bytes().data());
  EXPECT_EQ(a.values<float>()[0], 1);
  EXPECT_EQ(b.values<float>()[0], 5);
}

TEST(Tensor, WritingAViewLeavesTheOwnersBytesAlone) {
  const auto owner = std::make_shared<std::vector<int32_t>>(std::vector<int32_t>{1, 2, 3});
  Tensor view = Tensor::view(DType::Int32, {3}, std::as_bytes(std::span(*owner)), owner);
  view.mutable_values<int32_t>()[1] = 9;
  EXPECT_EQ((*owner)[1], 2);
}

TEST(Tensor, ViewOfTooFewBytesIsRefused) {
  const auto owner = std::make_shared<std::vector<int32_t>>(3);
  EXPECT_THROW(Tensor::view(DType::Int32, {4}, std::as_bytes(std::span(*owner)), owner), Error);
}

TEST(Tensor, IsAlignedAndReadableBeyondItsEnd) {
  const Tensor tensor = Tensor::zeros(DType::Int8, {3});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes().data()) % 64, 0u);
  int sum = 0;
  for (int i = 0; i < 64; ++i) sum += static_cast<int>(tensor.bytes().data()[3 + i]);
  EXPECT_EQ(sum, 0);
}

TEST(Tensor, AbsurdSizesAreErrorsThatNameTheAmount) {
  try {
    Tensor(DType::Float32, {int64_t{1} << 40, 1 << 10});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::OutOfMemory);
    EXPECT_NE(std::string(error.what()).find("MiB"), std::string::npos);
  }
  EXPECT_THROW(Tensor(DType::Float32, {int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_THROW(Tensor(DType::Float32, {-1}), Error);
}

TEST(Cast, TruncatesAndSaturatesToIntegersAndTurnsNanToZero) {
  const Tensor in = Tensor::from<float>({5}, {1.9f, -1.9f, 1e9f, -1e9f, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_EQ(to_ints(cast(in, DType::Int8)), (std::vector<int64_t>{1, -1, 127, -128, 0}));
  EXPECT_EQ(to_ints(cast(in, DType::UInt8)), (std::vector<int64_t>{1, 0, 255, 0, 0}));
  EXPECT_EQ(to_ints(cast(in, DType::Bool)), (std::vector<int64_t>{1, 1, 1, 1, 1}));
}

TEST(Cast, PacksFourBitCodesLowNibbleFirst) {
  const Tensor packed = cast(Tensor::from<int32_t>({3}, {-8, 7, -1}), DType::Int4);
  EXPECT_EQ(packed.bytes().size(), 2u);
  EXPECT_EQ(static_cast<int>(packed.bytes()[0]), 0x78);
  EXPECT_EQ(to_ints(packed), (std::vector<int64_t>{-8, 7, -1}));
  EXPECT_EQ(to_ints(cast(Tensor::from<int32_t>({2}, {15, 3}), DType::UInt4)), (std::vector<int64_t>{15, 3}));
}

TEST(Transpose, MovesDimensionsForEveryOrderAndElementSize) {
  Tensor in(DType::Int64, {2, 3, 4, 5});
  for (int64_t i = 0; i < in.size(); ++i) in.mutable_values<int64_t>()[static_cast<size_t>(i)] = i;
  for (const DType dtype : {DType::Int8, DType::Int16, DType::Int32, DType::Int64}) {
    const Tensor typed = cast(in, dtype);
    std::vector<int> order = {0, 1, 2, 3};
    do {
      const Tensor out = transpose(typed, order);
      const Shape strides = strides_of(typed.shape());
      const std::vector<int64_t> got = to_ints(out);
      int64_t at = 0;
      for (int64_t a = 0; a < out.shape()[0]; ++a) {
        for (int64_t b = 0; b < out.shape()[1]; ++b) {
          for (int64_t c = 0; c < out.shape()[2]; ++c) {
            for (int64_t d = 0; d < out.shape()[3]; ++d) {
              const int64_t source =
                  a * strides[static_cast<size_t>(order[0])] + b * strides[static_cast<size_t>(order[1])] +
                  c * strides[static_cast<size_t>(order[2])] + d * strides[static_cast<size_t>(order[3])];
              ASSERT_EQ(got[static_cast<size_t>(at++)], source);
            }
          }
        }
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(Shape, BroadcastsAsNumpyDoes) {
  EXPECT_EQ(broadcast({2, 1, 3}, {4, 1}), (Shape{2, 4, 3}));
  EXPECT_EQ(broadcast({}, {2}), (Shape{2}));
  EXPECT_EQ(broadcast({0, 3}, {1, 3}), (Shape{0, 3}));
  EXPECT_FALSE(broadcast({2}, {3}).has_value());
}

}  // namespace
}  // namespace openrknn
