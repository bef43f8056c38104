#include "core/base/text.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/base/environment.h"

namespace openrknn {
namespace {

TEST(Text, LowerCaseIsOfLettersAlone) {
  EXPECT_EQ(lower_case("RK3588 [Conv_1].NPY"), "rk3588 [conv_1].npy");
  EXPECT_EQ(lower_case("\xc3\x84"), "\xc3\x84");  // bytes of UTF-8 stay as they are
  EXPECT_EQ(lower_case(""), "");
}

TEST(Text, HexDigitsAreOfEitherCase) {
  const std::string_view digits = "0123456789abcdef";
  for (size_t i = 0; i < digits.size(); ++i) EXPECT_EQ(hex_digit(digits[i]), static_cast<int>(i));
  EXPECT_EQ(hex_digit('A'), 10);
  EXPECT_EQ(hex_digit('F'), 15);
  for (const char other : {'g', 'G', '/', ':', '@', '`', '\0', '\xff'}) EXPECT_EQ(hex_digit(other), -1);
}

TEST(Environment, AVariableThatIsNotSetIsAnEmptyOne) {
  constexpr const char* kName = "OPENRKNN_TEST_VARIABLE";
  unsetenv(kName);
  EXPECT_EQ(environment_variable(kName), "");
  setenv(kName, "", 1);
  EXPECT_EQ(environment_variable(kName), "");
  setenv(kName, "a value", 1);
  EXPECT_EQ(environment_variable(kName), "a value");
  unsetenv(kName);
}

}  // namespace
}  // namespace openrknn
