// Calls that make no sense: an error each, never a crash.
#include "capi/fixture.h"

namespace openrknn::test {
namespace {

TEST_F(Capi, WhatIsNotBuiltFailsByName) {
  const rknn_context context = open(int8_model());
  rknn_custom_op op{};
  EXPECT_EQ(rknn_register_custom_ops(context, &op, 1), RKNN_ERR_FAIL);
  rknn_matmul_ctx matmul = 0;
  EXPECT_EQ(rknn_matmul_create(&matmul, nullptr, nullptr), RKNN_ERR_FAIL);
  EXPECT_EQ(rknn_create_mem_from_mb_blk(context, nullptr, 0), nullptr);
  rknn_custom_op_attr attribute;
  std::memset(&attribute, 0xee, sizeof attribute);
  rknn_custom_op_get_op_attr(nullptr, "x", &attribute);
  EXPECT_EQ(attribute.n_elems, 0u);
}

}  // namespace
}  // namespace openrknn::test
