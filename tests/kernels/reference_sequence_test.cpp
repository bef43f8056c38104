// Operators along a sequence on numbers small enough to check by hand. The functions of the gates are straight lines.
#include "op_cases.h"

namespace openrknn {
namespace {

using op_cases::expect_result;

TEST(ReferenceSequence, RunningSumsAndProducts) {
  const std::string x = "%x : f32[2,3] = {1, 2, 3, 4, 5, 6}\n";
  expect_result(x + "%y = CumSum(%x) {axis=1}\n%e : f32[2,3] = {1, 3, 6, 4, 9, 15}");
  expect_result(x + "%y = CumSum(%x) {axis=0, exclusive=1}\n%e : f32[2,3] = {0.0, 0.0, 0.0, 1, 2, 3}");
  expect_result(x + "%y = CumSum(%x) {axis=1, reverse=1, exclusive=1}\n%e : f32[2,3] = {5, 3, 0.0, 11, 6, 0.0}");
  expect_result(x + "%y = CumProd(%x) {axis=1, reverse=1}\n%e : f32[2,3] = {6, 6, 3, 120, 30, 6}");
  expect_result(
      "%x : i32[3] = {2147483647, 1, 1}\n%y = CumSum(%x) {axis=0}\n%e : i32[3] = {2147483647, -2147483648, "
      "-2147483647}");
}
TEST(ReferenceSequence, RunningSumsOfHalfFloatsAreRoundedWhenStored) {
  // 2048 + 1 rounds to 2048; the accumulator keeps 2049, then 2050.
  expect_result("%x : f16[3] = {2048, 1, 1}\n%y = CumSum(%x) {axis=0}\n%e : f16[3] = {2048, 2048, 2050}");
}
TEST(ReferenceSequence, ReversesTheFirstElementsOfEachSequence) {
  expect_result(R"(
%x : f32[3,2] = {1, 2, 3, 4, 5, 6}
%n : i64[2] = {2, 3}
%y = ReverseSequence(%x, %n) {batch_axis=1, time_axis=0}
%e : f32[3,2] = {3, 6, 1, 4, 5, 2})");
  expect_result(R"(
%x : i8[2,3] = {1, 2, 3, 4, 5, 6}
%n : i32[2] = {0, 2}
%y = ReverseSequence(%x, %n) {batch_axis=0, time_axis=1}
%e : i8[2,3] = {1, 2, 3, 5, 4, 6})");
}

const std::string kLine = R"(activations=["Affine"], activation_alpha=[1.0], activation_beta=[0.0])";
TEST(ReferenceSequence, RnnAddsInputBiasAndState) {
  // h = 2 x + 1 + 10 h
  const std::string start = R"(
%x : f32[3,1,1] = {1, 2, 3}
%w : f32[1,1,1] = {2}
%r : f32[1,1,1] = {10}
%b : f32[1,2] = {0.25, 0.75}
)";
  expect_result(start + "%y, %h = RNN(%x, %w, %r, %b) {" + kLine +
                "}\n%e : f32[3,1,1,1] = {3, 35, 357}\n%f : f32[1,1,1] = {357}");
  expect_result(start + "%y, %h = RNN(%x, %w, %r, %b) {" + kLine +
                ", direction=\"reverse\"}\n%e : f32[3,1,1,1] = {753, 75, 7}\n%f : f32[1,1,1] = {753}");
  expect_result(start + "%n : i32[1] = {2}\n%i : f32[1,1,1] = {100}\n%y, %h = RNN(%x, %w, %r, %b, %n, %i) {" + kLine +
                "}\n%e : f32[3,1,1,1] = {1003, 10035, 0.0}\n%f : f32[1,1,1] = {10035}");
  expect_result(start + "%y, %h = RNN(%x, %w, %r, %b) {" + kLine +
                ", clip=30.0}\n%e : f32[3,1,1,1] = {3, 30, 30}\n%f : f32[1,1,1] = {30}");
}
TEST(ReferenceSequence, GruMixesStateAndCandidate) {
  // z = x, r = 2 x, n = x + 3 (r h) before the reset or r (3 h + 1) after it; h = (1 - z) n + z h
  const std::string start = R"(
%x : f32[2,1,1] = {0.5, 0.25}
%w : f32[1,3,1] = {1, 2, 1}
%r : f32[1,3,1] = {0, 0, 3}
%b : f32[1,6] = {0, 0, 0, 0, 0, 1}
%i : f32[1,1,1] = {4}
)";
  const std::string lines = R"(activations=["Affine","Affine"], activation_alpha=[1.0,1.0], activation_beta=[0.0,0.0])";
  // Step 1: r h = 4, n = 0.5 + 1 + 12 = 13.5, h = 6.75 + 2 = 8.75. Step 2: r h = 4.375, n = 14.375, h = 12.96875.
  expect_result(start + "%y, %h = GRU(%x, %w, %r, %b, _, %i) {" + lines +
                "}\n%e : f32[2,1,1,1] = {8.75, 12.96875}\n%f : f32[1,1,1] = {12.96875}");
  // Step 1: n = 0.5 + 1 · 13 = 13.5, h = 8.75. Step 2: n = 0.25 + 0.5 · 27.25 = 13.875, h = 12.59375.
  expect_result(start + "%y, %h = GRU(%x, %w, %r, %b, _, %i) {" + lines +
                ", linear_before_reset=1}\n%e : f32[2,1,1,1] = {8.75, 12.59375}\n%f : f32[1,1,1] = {12.59375}");
}
TEST(ReferenceSequence, LstmUsesItsGatesInTheirOrder) {
  // One step with h = 0, c = 2: gates i, o, f, g are 1, 2, 3, 4 times x; c = f c + i g, h = o c. Peepholes i, o, f.
  const std::string start = R"(
%x : f32[1,1,1] = {1}
%w : f32[1,4,1] = {1, 2, 3, 4}
%r : f32[1,4,1] = {7, 7, 7, 7}
%c : f32[1,1,1] = {2}
)";
  const std::string lines =
      R"(activations=["Affine","Affine","Affine"], activation_alpha=[1.0,1.0,1.0], activation_beta=[0.0,0.0,0.0])";
  const std::string results = "\n%e : f32[1,1,1,1] = ";
  expect_result(start + "%y, %h, %d = LSTM(%x, %w, %r, _, _, _, %c) {" + lines + "}" + results +
                "{20}\n%f : f32[1,1,1] = {20}\n%g : f32[1,1,1] = {10}");
  expect_result(start + "%y, %h, %d = LSTM(%x, %w, %r, _, _, _, %c) {" + lines + ", input_forget=1}" + results +
                "{8}\n%f : f32[1,1,1] = {8}\n%g : f32[1,1,1] = {4}");
  // i = 1 + 2, f = 3 + 2 · 3 = 9, c = 18 + 12 = 30, o = 2 + 30 · 2 = 62
  expect_result(start + "%p : f32[1,3] = {1, 2, 3}\n%y, %h, %d = LSTM(%x, %w, %r, _, _, _, %c, %p) {" + lines + "}" +
                results + "{1860}\n%f : f32[1,1,1] = {1860}\n%g : f32[1,1,1] = {30}");
}

}  // namespace
}  // namespace openrknn
