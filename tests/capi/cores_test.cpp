// Cores and contexts that run at the same time.
#include "capi/fixture.h"

#include <thread>

namespace openrknn::test {
namespace {

TEST_F(Capi, CoreMasksFollowTheTarget) {
  const rknn_context three = open(int8_model());
  for (const int mask : {0, 1, 2, 4, 3, 7, 0xffff}) {
    EXPECT_EQ(rknn_set_core_mask(three, static_cast<rknn_core_mask>(mask)), RKNN_SUCC) << mask;
  }
  EXPECT_EQ(rknn_set_core_mask(three, static_cast<rknn_core_mask>(6)), RKNN_ERR_FAIL);
  Model model = int8_model();
  model.target = "rk3566";
  EXPECT_EQ(rknn_set_core_mask(open(model), RKNN_NPU_CORE_AUTO), RKNN_ERR_TARGET_PLATFORM_UNMATCH);
  model.target = "rk3576";
  EXPECT_EQ(rknn_set_core_mask(open(model), RKNN_NPU_CORE_0_1_2), RKNN_ERR_FAIL);
}

TEST_F(Capi, ContextsRunAtTheSameTime) {
  rknn_context first = open(int8_model());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    rknn_context copy = 0;
    ASSERT_EQ(rknn_dup_context(&first, &copy), RKNN_SUCC);
    threads.emplace_back([copy] {
      for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(set(copy, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
        ASSERT_EQ(rknn_run(copy, nullptr), RKNN_SUCC);
        ASSERT_EQ(get<int8_t>(copy, false), expected_codes());
      }
      EXPECT_EQ(rknn_destroy(copy), RKNN_SUCC);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace openrknn::test
