// Calls that make no sense: an error each, never a crash.
#include "capi/fixture.h"

namespace openrknn::test {
namespace {

TEST_F(Capi, WhatIsNotBuiltFailsByName) {
  const rknn_context context = open(int8_model());
  EXPECT_EQ(rknn_create_mem_from_mb_blk(context, nullptr, 0), nullptr);
}

}  // namespace
}  // namespace openrknn::test
