// Integers, bits and codes on numbers small enough to check by hand. The last constants of a case are the outputs.
#include "op_cases.h"

namespace openrknn {
namespace {

using op_cases::expect_result;

TEST(ReferenceBits, CombineAndShift) {
  expect_result("%a : i8[3] = {-1, 12, 5}\n%b : i8[1] = {6}\n%y = BitwiseAnd(%a, %b)\n%e : i8[3] = {6, 4, 4}");
  expect_result("%a : u8[2] = {240, 1}\n%b : u8[2] = {15, 3}\n%y = BitwiseOr(%a, %b)\n%e : u8[2] = {255, 3}");
  expect_result("%a : i32[1] = {-1}\n%b : i32[1] = {1}\n%y = BitwiseXor(%a, %b)\n%e : i32[1] = {-2}");
  expect_result("%a : u16[2] = {0, 65535}\n%y = BitwiseNot(%a)\n%e : u16[2] = {65535, 0}");
  expect_result(
      "%a : u8[4] = {129, 129, 129, 129}\n%b : u8[4] = {0, 1, 8, 255}\n%y = BitShift(%a, %b) {direction=\"LEFT\"}\n"
      "%e : u8[4] = {129, 2, 0, 0}");
  expect_result(
      "%a : u64[3] = {4, 4, 4}\n%b : u64[3] = {1, 63, 64}\n%y = BitShift(%a, %b) {direction=\"RIGHT\"}\n"
      "%e : u64[3] = {2, 0, 0}");
  expect_result(
      "%a : i8[4] = {-8, -8, 4, -8}\n%b : i8[4] = {1, 8, 9, -1}\n%y = BitShift(%a, %b) {direction=\"RIGHT\"}\n"
      "%e : i8[4] = {-4, -1, 0, -1}");
  expect_result(
      "%a : i32[3] = {-1073741824, 1, 1}\n%b : i32[3] = {1, 31, -1}\n%y = BitShift(%a, %b) {direction=\"LEFT\"}\n"
      "%e : i32[3] = {-2147483648, -2147483648, 0}");
}
TEST(ReferenceBits, CastKeepsTheBits) {
  expect_result("%x : f32[2] = {1, -2}\n%y = BitCast(%x) {to=10}\n%e : i32[2] = {1065353216, -1073741824}");
  expect_result("%x : i4[3] = {-1, 7, -8}\n%y = BitCast(%x) {to=5}\n%e : u4[3] = {15, 7, 8}");
}

TEST(ReferenceCast, PacksFourBits) {
  // Floats truncate, then all keep their low bits; the odd element leaves half a byte.
  expect_result("%x : f32[5] = {-9.5, -1.9, 7.9, 100, 3}\n%y = Cast(%x) {to=4}\n%e : i4[5] = {7, -1, 7, 4, 3}");
  expect_result("%x : i32[3] = {17, -1, 8}\n%y = Cast(%x) {to=5}\n%e : u4[3] = {1, 15, 8}");
  expect_result("%x : i4[3] = {-8, 7, -1}\n%y = Cast(%x) {to=0}\n%e : f32[3] = {-8, 7, -1}");
  expect_result("%x : u4[3] = {15, 7, 0}\n%y = Cast(%x) {to=14}\n%e : bool[3] = {1, 1, 0}");
}

TEST(ReferenceQuantizeLinear, RoundsHalfToEvenAndSaturates) {
  expect_result(
      "%x : f32[6] = {1, 3, 5, -300, 300, -1}\n%s : f32[] = {2}\n%z : u8[] = {10}\n%y = QuantizeLinear(%x, %s, %z) "
      "{to=7}\n"
      "%e : u8[6] = {10, 12, 12, 0, 160, 10}");
  expect_result(
      "%x : f32[2,2] = {1, 1, 100, -100}\n%s : f32[2] = {1, 0.5}\n%y = QuantizeLinear(%x, %s) {to=4, axis=1}\n"
      "%e : i4[2,2] = {1, 2, 7, -8}");
}
TEST(ReferenceQuantizeLinear, ScalesBlocks) {
  expect_result(
      "%x : f32[1,5] = {4, 4, 4, 4, 4}\n%s : f32[1,3] = {1, 2, 4}\n"
      "%y = QuantizeLinear(%x, %s) {to=6, axis=1, block_size=2}\n%e : i8[1,5] = {4, 4, 2, 2, 1}");
  expect_result(
      "%x : i8[3,2] = {1, 2, 3, 4, 5, 6}\n%s : f32[2,2] = {1, 10, 100, 1000}\n%z : i8[2,2] = {0, 1, 2, 3}\n"
      "%y = DequantizeLinear(%x, %s, %z) {axis=0, block_size=2}\n%e : f32[3,2] = {1, 10, 3, 30, 300, 3000}");
}
TEST(ReferenceDequantizeLinear, TakesTheZeroPointOffExactly) {
  expect_result(
      "%x : i32[2] = {2147483647, -2147483648}\n%s : f32[] = {0.5}\n%z : i32[] = {-1}\n"
      "%y = DequantizeLinear(%x, %s, %z)\n%e : f32[2] = {1073741824, -1073741824}");
}

TEST(ReferenceIntegerLayers, WrapAroundLikeTwosComplement) {
  expect_result(
      "%a : i32[1,2] = {65536, 3}\n%b : i32[2,2] = {65536, 32768, 5, 0}\n%c : i32[2] = {1, 0}\n"
      "%y = MatMul(%a, %b, %c)\n%e : i32[1,2] = {16, -2147483648}");
  expect_result(
      "%x : i32[1,2,1,3] = {1, 2, 3, 10, 20, 30}\n%w : i32[2,1,1,2] = {1, 2, 3, 4}\n%b : i32[2] = {100, 200}\n"
      "%y = Conv(%x, %w, %b) {group=2, pads=[0,1,0,0]}\n%e : i32[1,2,1,3] = {102, 105, 108, 240, 310, 380}");
}

TEST(ReferenceTopK, KeepsTheOrderOfEqualElements) {
  expect_result(
      "%x : i8[6] = {3, 5, 3, 5, 1, 3}\n%y, %z = TopK(%x) {axis=0, k=4}\n%e : i8[4] = {5, 5, 3, 3}\n"
      "%f : i64[4] = {1, 3, 0, 2}");
  expect_result(
      "%x : f32[2,2] = {1, 2, 0.5, 3}\n%y, %z = TopK(%x) {axis=0, k=1, largest=0}\n%e : f32[1,2] = {0.5, 2}\n"
      "%f : i64[1,2] = {1, 0}");
}

TEST(ReferenceScatterElements, JoinsUpdatesInTheirOrder) {
  const std::string x =
      "%x : u8[2,2] = {1, 2, 3, 4}\n%i : i32[2,2] = {0, -1, -2, 0}\n%u : u8[2,2] = {10, 20, 250, 60}\n";
  expect_result(x + "%y = ScatterElements(%x, %i, %u) {axis=0}\n%e : u8[2,2] = {250, 60, 3, 20}");
  expect_result(x + "%y = ScatterElements(%x, %i, %u) {axis=0, reduction=\"add\"}\n%e : u8[2,2] = {5, 62, 3, 24}");
  expect_result(x + "%y = ScatterElements(%x, %i, %u) {axis=1, reduction=\"max\"}\n%e : u8[2,2] = {10, 20, 250, 4}");
}

TEST(ReferencePow, OfIntegersIsExact) {
  expect_result(
      "%x : i64[3] = {3, -2, 2}\n%e : i64[3] = {40, 63, 64}\n%y = Pow(%x, %e)\n"
      "%f : i64[3] = {-6289078614652622815, -9223372036854775808, 0}");
  expect_result("%x : u8[3] = {3, 16, 255}\n%e : f32[1] = {2}\n%y = Pow(%x, %e)\n%f : u8[3] = {9, 0, 1}");
  expect_result("%x : i32[3] = {8, 27, 26}\n%e : f32[1] = {0.333333343}\n%y = Pow(%x, %e)\n%f : i32[3] = {2, 3, 2}");
}

TEST(ReferenceReduce, OfIntegersTruncatesRootsAndLogarithms) {
  expect_result("%x : i32[2,2] = {3, 4, 1, 1}\n%y = ReduceL2(%x) {axes=[1]}\n%e : i32[2,1] = {5, 1}");
  expect_result("%x : u32[1,2] = {20, 1}\n%y = ReduceLogSum(%x) {axes=[1]}\n%e : u32[1,1] = {3}");
  expect_result("%x : i32[2,0] = {}\n%y = ReduceMean(%x) {axes=[1]}\n%e : i32[2,1] = {0, 0}");
}
TEST(ReferenceReduce, LogSumExpKnowsInfinities) {
  expect_result(
      "%x : f32[2,2] = {-inf, -inf, inf, 1}\n%y = ReduceLogSumExp(%x) {axes=[1]}\n%e : f32[2,1] = {-inf, inf}");
}

TEST(ReferenceDet, MultipliesPivots) {
  expect_result("%x : f32[2,2,2] = {0.0, 2, 3, 4, 1, 2, 2, 4}\n%y = Det(%x)\n%e : f32[2] = {-6, 0.0}");
  expect_result("%x : f32[2,0,0] = {}\n%y = Det(%x)\n%e : f32[2] = {1, 1}");
}

}  // namespace
}  // namespace openrknn
