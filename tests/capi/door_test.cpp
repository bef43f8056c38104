// The private door.
#include "capi/fixture.h"

namespace openrknn::test {
namespace {

TEST_F(Capi, TheDoorTellsWhatTheFunctionsCannot) {
  const openrknn_functions* door = nullptr;
  ASSERT_EQ(rknn_query(0, static_cast<rknn_query_cmd>(RKNN_QUERY_OPENRKNN), &door, sizeof door), RKNN_SUCC);
  ASSERT_EQ(door->size, sizeof(openrknn_functions));
  const rknn_context context = open(int8_model());

  const char* text = nullptr;
  ASSERT_EQ(door->arithmetic(context, &text), RKNN_SUCC);
  EXPECT_STREQ(text, "rk3588/1");
  int32_t threads = 0;
  ASSERT_EQ(door->thread_count(context, &threads), RKNN_SUCC);
  EXPECT_GE(threads, 1);
  std::string author;
  ASSERT_EQ(door->metadata(
                context,
                [](void* user, const char* key, size_t, const char* value, size_t) {
                  if (std::string(key) == "author") *static_cast<std::string*>(user) = value;
                },
                &author),
            RKNN_SUCC);
  EXPECT_EQ(author, "nobody");

  ASSERT_EQ(door->set_keep_values(context, 1), RKNN_SUCC);
  ASSERT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  std::vector<int8_t> read;
  ASSERT_EQ(door->read_value(
                context, "positive",
                [](void* user, const openrknn_value* value) {
                  const auto* data = static_cast<const int8_t*>(value->data);
                  static_cast<std::vector<int8_t>*>(user)->assign(data, data + value->size);
                },
                &read),
            RKNN_SUCC);
  EXPECT_EQ(read, expected_codes());

  EXPECT_LT(door->read_value(
                context, "nobody", [](void*, const openrknn_value*) {}, nullptr),
            0);
  EXPECT_NE(std::string(door->last_diagnostic()).find("nobody"), std::string::npos);

  float mean[4] = {}, std[4] = {};
  uint32_t channels = 0;
  ASSERT_EQ(door->normalization(context, 0, mean, std, 2, &channels), RKNN_SUCC);
  EXPECT_EQ(channels, 3u);
  EXPECT_EQ(std::vector<float>(mean, mean + 3), (std::vector<float>{1, 2, 0})) << "no more than there is room for";
  EXPECT_LT(door->normalization(context, 1, mean, std, 4, &channels), 0);

  double scale = 0;
  ASSERT_EQ(door->scale(context, 0, 0, &scale), RKNN_SUCC);
  EXPECT_EQ(scale, 0.5);
  EXPECT_LT(door->scale(context, 1, 1, &scale), 0);

  openrknn_core_counters counters[8] = {};
  uint32_t cores = 0;
  ASSERT_EQ(door->core_counters(context, counters, 8, &cores), RKNN_SUCC);
  EXPECT_EQ(cores, 3u);
}

}  // namespace
}  // namespace openrknn::test
