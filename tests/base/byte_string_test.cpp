// Numbers in strings of bytes.
#include "core/base/byte_string.h"

#include <gtest/gtest.h>

#include <limits>

namespace openrknn {
namespace {

TEST(ByteString, TheLowByteComesFirst) {
  std::string bytes;
  append_number(bytes, uint32_t{0x01020304});
  EXPECT_EQ(bytes, "\x04\x03\x02\x01");
  append_number(bytes, int64_t{-2});
  EXPECT_EQ(bytes.substr(4), "\xfe\xff\xff\xff\xff\xff\xff\xff");
}

TEST(ByteString, NumbersComeBackAndTooFewBytesAreNone) {
  std::string bytes;
  append_number(bytes, 0.1);
  append_number(bytes, -0.5f);
  append_number(bytes, std::numeric_limits<int64_t>::min());
  std::string_view rest = bytes;
  EXPECT_EQ(take_number<double>(rest), 0.1);
  EXPECT_EQ(take_number<float>(rest), -0.5f);
  EXPECT_EQ(take_number<int64_t>(rest), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(take_number<uint32_t>(rest), std::nullopt);
  rest = std::string_view("abc");
  EXPECT_EQ(take_number<uint32_t>(rest), std::nullopt);
  EXPECT_EQ(rest, "abc") << "nothing is taken";
}

}  // namespace
}  // namespace openrknn
