#include "core/base/byte_tables.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace openrknn {
namespace {

TEST(ByteTables, EveryByteIsWhatItsChannelsTableHas) {
  std::mt19937 random(3);
  for (const size_t channels : {1, 2, 3, 4, 97, 100}) {
    std::vector<uint8_t> tables(channels * 256);
    for (uint8_t& entry : tables) entry = static_cast<uint8_t>(random());
    for (const size_t count : {0, 1, 63, 64, 191, 192, 193, 700, 5000}) {
      std::vector<uint8_t> in(count), out(count + 1, 77);
      for (uint8_t& byte : in) byte = static_cast<uint8_t>(random());
      look_up_bytes(in, tables, out.data());
      for (size_t i = 0; i < count; ++i) {
        ASSERT_EQ(out[i], tables[i % channels * 256 + in[i]]) << i << " of " << count << ", " << channels << " tables";
      }
      EXPECT_EQ(out[count], 77) << "written past the end";
    }
  }
}

}  // namespace
}  // namespace openrknn
