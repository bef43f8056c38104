// Calls that make no sense: an error each, never a crash.
#include "capi/fixture.h"

namespace openrknn::test {
namespace {

TEST_F(Capi, WhatIsNotBuiltFailsByName) {
  const rknn_context context = open(int8_model());
  rknn_matmul_ctx matmul = 0;
  EXPECT_EQ(rknn_matmul_create(&matmul, nullptr, nullptr), RKNN_ERR_FAIL);
  EXPECT_EQ(rknn_create_mem_from_mb_blk(context, nullptr, 0), nullptr);
}

}  // namespace
}  // namespace openrknn::test
