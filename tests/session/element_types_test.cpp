#include "runtime/session/element_types.h"

#include <gtest/gtest.h>

namespace openrknn {
namespace {

TEST(ElementTypes, EveryTypeOfAnArrayIsADtypeOfItsSize) {
  for (int number = 0; number <= RKNN_TENSOR_BOOL; ++number) {
    const auto type = static_cast<ElementType>(number);
    const std::optional<DType> dtype = dtype_of(type);
    ASSERT_TRUE(dtype) << number;
    EXPECT_EQ(dtype_of(static_cast<rknn_tensor_type>(number)), dtype);
    EXPECT_EQ(element_type_of(*dtype), type);
    EXPECT_EQ(bit_width(*dtype), static_cast<int>(element_bytes(type)) * 8);
  }
  EXPECT_EQ(dtype_of(ElementType::Float16), DType::Float16);
  EXPECT_EQ(dtype_of(ElementType::UInt8), DType::UInt8);
  EXPECT_EQ(dtype_of(RKNN_TENSOR_INT32), DType::Int32);
}

TEST(ElementTypes, OthersHaveNone) {
  EXPECT_FALSE(dtype_of(RKNN_TENSOR_INT4));
  EXPECT_FALSE(dtype_of(RKNN_TENSOR_BFLOAT16));
  EXPECT_FALSE(dtype_of(static_cast<ElementType>(255)));
  for (const DType dtype : {DType::Float64, DType::UInt64, DType::BFloat16, DType::Int4}) {
    EXPECT_FALSE(element_type_of(dtype));
  }
}

}  // namespace
}  // namespace openrknn
