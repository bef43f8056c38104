// Every operator on numbers small enough to check by hand. The last constant of a case is the expected output.
#include "op_cases.h"

namespace openrknn {
namespace {

using op_cases::expect_result;

TEST(ReferenceConv, AddsTapsInsideTheInputOnly) {
  expect_result(R"(
%x : f32[1,1,3,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9}
%w : f32[1,1,2,2] = {1, 10, 100, 1000}
%y = Conv(%x, %w) {pads=[0,0,1,1]}
%e : f32[1,1,3,3] = {5421, 6532, 603, 8754, 9865, 906, 87, 98, 9})");
}
TEST(ReferenceConv, TakesStridesDilationsGroupsAndBias) {
  expect_result(R"(
%x : f32[1,2,1,5] = {1, 2, 3, 4, 5, 10, 20, 30, 40, 50}
%w : f32[2,1,1,2] = {1, 2, 3, 4}
%b : f32[2] = {0.5, -0.5}
%y = Conv(%x, %w, %b) {group=2, strides=[1,2], dilations=[1,2]}
%e : f32[1,2,1,2] = {7.5, 13.5, 149.5, 289.5})");
}
TEST(ReferenceConv, AppliesTheActivationAfterTheBias) {
  expect_result(R"(
%x : f32[1,1,1,2] = {1, -3}
%w : f32[2,1,1,1] = {1, 2}
%b : f32[2] = {1, 1}
%y = Conv(%x, %w, %b) {activation="Clip", activation_min=-1, activation_max=2.5}
%e : f32[1,2,1,2] = {2, -1, 2.5, -1})");
}
TEST(ReferenceConv, RoundsHalfFloatsOnceAtTheEnd) {
  // 2048 + 1 + 1 = 2050: representable, while 2048 + 1 rounded to half is 2048.
  expect_result(R"(
%x : f16[1,3,1,1] = {2048, 1, 1}
%w : f16[1,3,1,1] = fill(1)
%b : f32[1] = {0.5}
%y = Conv(%x, %w, %b)
%e : f16[1,1,1,1] = {2050})");
}
TEST(ReferenceConv, WorksInOneAndThreeDimensions) {
  expect_result(R"(
%x : f32[1,1,4] = {1, 2, 3, 4}
%w : f32[1,1,2] = {1, 10}
%y = Conv(%x, %w)
%e : f32[1,1,3] = {21, 32, 43})");
  expect_result(R"(
%x : f32[1,1,2,2,2] = {1, 2, 3, 4, 5, 6, 7, 8}
%w : f32[1,1,2,1,2] = {1, 10, 100, 1000}
%y = Conv(%x, %w)
%e : f32[1,1,1,2,1] = {6521, 8743})");
}
TEST(ReferenceConvTranspose, SpreadsEachInputOverItsTaps) {
  expect_result(R"(
%x : f32[1,1,1,2] = {1, 2}
%w : f32[1,1,1,3] = {1, 10, 100}
%y = ConvTranspose(%x, %w) {strides=[1,2], pads=[0,1,0,0], output_padding=[0,1]}
%e : f32[1,1,1,5] = {10, 102, 20, 200, 0})");
}
TEST(ReferenceConvTranspose, ReadsWeightsInputChannelFirst) {
  expect_result(R"(
%x : f32[1,2,1,1] = {1, 2}
%w : f32[2,3,1,1] = {1, 2, 3, 10, 20, 30}
%y = ConvTranspose(%x, %w)
%e : f32[1,3,1,1] = {21, 42, 63})");
}

TEST(ReferenceMatMul, BroadcastsBatchesAndAddsBias) {
  expect_result(R"(
%a : f32[2,1,2] = {1, 2, 3, 4}
%b : f32[2,2] = {1, 10, 100, 1000}
%c : f32[2] = {0.5, -2010}
%y = MatMul(%a, %b, %c) {activation="Relu"}
%e : f32[2,1,2] = {201.5, 0, 403.5, 2020})");
}
TEST(ReferenceMatMul, TakesVectorsOnEitherSide) {
  expect_result("%a : f32[2] = {1, 2}\n%b : f32[2,2] = {1, 2, 3, 4}\n%y = MatMul(%a, %b)\n%e : f32[2] = {7, 10}");
  expect_result("%a : f32[2,2] = {1, 2, 3, 4}\n%b : f32[2] = {1, 2}\n%y = MatMul(%a, %b)\n%e : f32[2] = {5, 11}");
  expect_result("%a : f32[2] = {3, 4}\n%b : f32[2] = {1, 2}\n%y = MatMul(%a, %b)\n%e : f32[] = {11}");
}

TEST(ReferencePool, MaximumIgnoresPadding) {
  expect_result(R"(
%x : f32[1,1,2,3] = {-1, -2, -3, -4, -5, -6}
%y = MaxPool(%x) {kernel_shape=[2,2], pads=[1,1,0,0]}
%e : f32[1,1,2,3] = {-1, -1, -2, -1, -1, -2})");
  expect_result(R"(
%x : i8[1,1,1,3] q(0.5, 3) = {-128, 5, 127}
%y : i8[1,1,1,2] q(0.5, 3) = MaxPool(%x) {kernel_shape=[1,2]}
%e : i8[1,1,1,2] = {5, 127})");
}
TEST(ReferencePool, AverageCountsPaddingOnlyIfAsked) {
  const std::string x = "%x : f32[1,1,1,3] = {2, 4, 6}\n";
  expect_result(x + "%y = AveragePool(%x) {kernel_shape=[1,2], pads=[0,1,0,1]}\n%e : f32[1,1,1,4] = {2, 3, 5, 6}");
  expect_result(x +
                "%y = AveragePool(%x) {kernel_shape=[1,2], pads=[0,1,0,1], count_include_pad=1}\n"
                "%e : f32[1,1,1,4] = {1, 3, 5, 3}");
}
TEST(ReferencePool, AverageNeverCountsWhatCeilModeAdds) {
  expect_result(R"(
%x : f32[1,1,1,4] = {2, 4, 6, 9}
%y = AveragePool(%x) {kernel_shape=[1,3], strides=[1,3], ceil_mode=1, count_include_pad=1}
%e : f32[1,1,1,2] = {4, 9})");
}
TEST(ReferencePool, GlobalPoolsCoverEveryPixel) {
  const std::string x = "%x : f32[1,2,2,2] = {1, 2, 3, 6, -1, -2, -3, -6}\n";
  expect_result(x + "%y = GlobalAveragePool(%x)\n%e : f32[1,2,1,1] = {3, -3}");
  expect_result(x + "%y = GlobalMaxPool(%x)\n%e : f32[1,2,1,1] = {6, -1}");
}

TEST(ReferenceUnary, KeepsTheSignsOfZeroAndNan) {
  expect_result("%x : f32[3] = {-0.0, 0.0, nan}\n%y = Relu(%x)\n%e : f32[3] = {-0.0, 0.0, nan}");
  expect_result("%x : f32[4] = {-2, -0.5, 0.5, 3}\n%y = Clip(%x) {min=-1}\n%e : f32[4] = {-1, -0.5, 0.5, 3}");
}
TEST(ReferenceUnary, RoundsHalfToEven) {
  expect_result("%x : f32[4] = {0.5, 1.5, -2.5, 2.75}\n%y = Round(%x)\n%e : f32[4] = {0.0, 2, -2, 3}");
}
TEST(ReferenceUnary, WrapsIntegers) {
  expect_result("%x : i8[3] = {-128, 5, -5}\n%y = Neg(%x)\n%e : i8[3] = {-128, -5, 5}");
  expect_result("%x : i32[3] = {-7, 0, 9}\n%y = Clip(%x) {min=-1.5, max=7.9}\n%e : i32[3] = {-1, 0, 7}");
}
TEST(ReferenceUnary, NegatesBools) { expect_result("%x : bool[2] = {1, 0}\n%y = Not(%x)\n%e : bool[2] = {0, 1}"); }

TEST(ReferenceBinary, BroadcastsBothWays) {
  expect_result(R"(
%a : f32[2,1,2] = {1, 2, 3, 4}
%b : f32[3,1] = {10, 20, 30}
%y = Add(%a, %b)
%e : f32[2,3,2] = {11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34})");
}
TEST(ReferenceBinary, DividesIntegersTowardsZeroAndNeverTraps) {
  expect_result(R"(
%a : i32[5] = {7, -7, 7, -2147483648, 5}
%b : i32[5] = {2, 2, -2, -1, 0}
%y = Div(%a, %b)
%e : i32[5] = {3, -3, -3, -2147483648, 0})");
}
TEST(ReferenceBinary, ModTakesTheSignOfTheDivisorUnlessFmod) {
  const std::string ab = "%a : i64[4] = {7, -7, 7, 5}\n%b : i64[4] = {3, 3, -3, 0}\n";
  expect_result(ab + "%y = Mod(%a, %b)\n%e : i64[4] = {1, 2, -2, 0}");
  expect_result(ab + "%y = Mod(%a, %b) {fmod=1}\n%e : i64[4] = {1, -1, 1, 0}");
}
TEST(ReferenceBinary, RoundsHalfFloatsAfterTheActivation) {
  // 2048 * 1.5 = 3072; 1 + 2048 = 2049 is a tie in half and goes to even.
  expect_result(
      "%a : f16[2] = {2048, -1}\n%b : f16[1] = {1.5}\n%y = Mul(%a, %b) {activation=\"Relu\"}\n"
      "%e : f16[2] = {3072, 0.0}");
  expect_result("%a : f16[2] = {2048, 2050}\n%b : f16[1] = {1}\n%y = Add(%a, %b)\n%e : f16[2] = {2048, 2052}");
}
TEST(ReferenceBinary, PowIsExactWhereTheResultIs) {
  expect_result(
      "%a : f32[5] = {2, 3, 4, -2, 10}\n%b : f32[5] = {10, 4, 0.5, 3, -1}\n%y = Pow(%a, %b)\n"
      "%e : f32[5] = {1024, 81, 2, -8, 0.1}");
  expect_result("%a : i64[3] = {2, -3, 7}\n%b : i64[1] = {3}\n%y = Pow(%a, %b)\n%e : i64[3] = {8, -27, 343}");
}

TEST(ReferenceCompare, WithNanIsFalse) {
  const std::string ab = "%a : f32[4] = {1, 2, nan, 3}\n%b : f32[4] = {1, 3, nan, 2}\n";
  expect_result(ab + "%y = Equal(%a, %b)\n%e : bool[4] = {1, 0, 0, 0}");
  expect_result(ab + "%y = LessOrEqual(%a, %b)\n%e : bool[4] = {1, 1, 0, 0}");
  expect_result(ab + "%y = Greater(%a, %b)\n%e : bool[4] = {0, 0, 0, 1}");
}
TEST(ReferenceWhere, PicksBytesOfAnyDtype) {
  expect_result(R"(
%c : bool[2,1] = {1, 0}
%x : i64[2] = {1, 2}
%z : i64[1] = {9}
%y = Where(%c, %x, %z)
%e : i64[2,2] = {1, 2, 9, 9})");
}
TEST(ReferenceCast, TruncatesSaturatesAndDropsNan) {
  expect_result("%x : f32[5] = {1.9, -1.9, 300, -300, nan}\n%y = Cast(%x) {to=6}\n%e : i8[5] = {1, -1, 127, -128, 0}");
  expect_result("%x : f32[3] = {0.5, 0.0, nan}\n%y = Cast(%x) {to=14}\n%e : bool[3] = {1, 0, 1}");
  expect_result("%x : i32[2] = {257, -1}\n%y = Cast(%x) {to=7}\n%e : u8[2] = {1, 255}");
}

TEST(ReferenceNormalization, FollowsItsFormula) {
  expect_result(R"(
%x : f32[1,2,1,2] = {1, 2, 3, 4}
%scale : f32[2] = {2, 3}
%bias : f32[2] = {10, 20}
%mean : f32[2] = {1, 3}
%variance : f32[2] = {3.75, 0.0}
%y = BatchNormalization(%x, %scale, %bias, %mean, %variance) {epsilon=0.25}
%e : f32[1,2,1,2] = {10, 11, 20, 26})");
  expect_result(R"(
%x : f32[2,2] = {1, 3, 10, 10}
%scale : f32[2] = {2, 3}
%y = LayerNormalization(%x, %scale) {axis=1, epsilon=3}
%e : f32[2,2] = {-1, 1.5, 0.0, 0.0})");
  expect_result(R"(
%x : f32[1,2,2] = {1, 3, 10, 10}
%scale : f32[2] = {2, 3}
%bias : f32[2] = {1, 5}
%y = InstanceNormalization(%x, %scale, %bias) {epsilon=3}
%e : f32[1,2,2] = {0.0, 2, 5, 5})");
}
TEST(ReferenceSoftmax, SharesOutOneWithoutOverflow) {
  expect_result(
      "%x : f32[1,2,2] = {1000, 1000, -1000, 1000}\n%y = Softmax(%x) {axis=2}\n"
      "%e : f32[1,2,2] = {0.5, 0.5, 0.0, 1}");
  expect_result(
      "%x : f32[1,2,2] = {1000, 1000, -1000, 1000}\n%y = Softmax(%x) {axis=1}\n"
      "%e : f32[1,2,2] = {1, 0.5, 0.0, 0.5}");
  expect_result(
      "%x : f32[2,2] = {3, 4, 0.0, 0.0}\n%y = LpNormalization(%x) {axis=1}\n"
      "%e : f32[2,2] = {0.6, 0.8, 0.0, 0.0}");
}
TEST(ReferenceReduce, AlongAnyAxes) {
  const std::string x = "%x : f32[2,2,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n";
  expect_result(x + "%y = ReduceMean(%x) {axes=[0,2]}\n%e : f32[1,2,1] = {3.5, 5.5}");
  expect_result(x + "%y = ReduceSum(%x) {axes=[1], keepdims=0}\n%e : f32[2,2] = {4, 6, 12, 14}");
  expect_result(x + "%y = ReduceProd(%x) {axes=[2], keepdims=0}\n%e : f32[2,2] = {2, 12, 30, 56}");
  expect_result("%x : f32[2] = {-3, 4}\n%y = ReduceL2(%x) {axes=[0], keepdims=0}\n%e : f32[] = {5}");
  expect_result("%x : i32[3] = {-3, 4, -6}\n%y = ReduceMean(%x) {axes=[0]}\n%e : i32[1] = {-1}");
}
TEST(ReferenceReduce, ComparesCodesAsTheyAre) {
  expect_result(
      "%x : i8[3] q(0.1, 7) = {-128, 7, 100}\n%y : i8[1] q(0.1, 7) = ReduceMax(%x) {axes=[0]}\n"
      "%e : i8[1] = {100}");
}
TEST(ReferenceArg, TakesTheFirstOrTheLastOfEquals) {
  const std::string x = "%x : f32[2,3] = {1, 3, 3, 2, 2, 1}\n";
  expect_result(x + "%y = ArgMax(%x) {axis=1}\n%e : i64[2,1] = {1, 0}");
  expect_result(x + "%y = ArgMax(%x) {axis=1, select_last_index=1, keepdims=0}\n%e : i64[2] = {2, 1}");
  expect_result(x + "%y = ArgMin(%x) {axis=0, keepdims=0}\n%e : i64[3] = {0, 1, 1}");
}

TEST(ReferenceMove, PermutesAndCuts) {
  expect_result(
      "%x : i16[2,3] = {1, 2, 3, 4, 5, 6}\n%y = Transpose(%x) {perm=[1,0]}\n%e : i16[3,2] = {1, 4, 2, 5, 3, 6}");
  expect_result(
      "%x : f32[2,3] = {1, 2, 3, 4, 5, 6}\n%y = Slice(%x) {starts=[1,2], ends=[2,-1], steps=[1,-2]}\n"
      "%e : f32[1,2] = {6, 4}");
  expect_result("%x : u8[1,2] = {1, 2}\n%y = Expand(%x) {shape=[2,2]}\n%e : u8[2,2] = {1, 2, 1, 2}");
  expect_result("%x : f64[2,1] = {1, 2}\n%y = Tile(%x) {repeats=[2,2]}\n%e : f64[4,2] = {1, 1, 2, 2, 1, 1, 2, 2}");
}
TEST(ReferenceMove, JoinsAndSplits) {
  expect_result(
      "%a : f32[2,1] = {1, 2}\n%b : f32[2,2] = {3, 4, 5, 6}\n%y = Concat(%a, %b) {axis=1}\n"
      "%e : f32[2,3] = {1, 3, 4, 2, 5, 6}");
  expect_result(
      "%x : f32[2,3] = {1, 3, 4, 2, 5, 6}\n%y, %z = Split(%x) {axis=1, split=[1,2]}\n"
      "%e : f32[2,1] = {1, 2}\n%f : f32[2,2] = {3, 4, 5, 6}");
}
TEST(ReferenceMove, ShufflesBlocks) {
  expect_result(
      "%x : f32[1,4,1,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n%y = DepthToSpace(%x) {blocksize=2}\n"
      "%e : f32[1,1,2,4] = {1, 3, 2, 4, 5, 7, 6, 8}");
  expect_result(
      "%x : f32[1,1,2,4] = {1, 3, 2, 4, 5, 7, 6, 8}\n%y = SpaceToDepth(%x) {blocksize=2}\n"
      "%e : f32[1,4,1,2] = {1, 2, 3, 4, 5, 6, 7, 8}");
}
TEST(ReferencePad, FillsReflectsAndCrops) {
  const std::string x = "%x : f32[3] = {1, 2, 3}\n";
  expect_result(x + "%y = Pad(%x) {pads=[1,2], value=9}\n%e : f32[6] = {9, 1, 2, 3, 9, 9}");
  expect_result(x + "%y = Pad(%x) {pads=[2,1], mode=\"reflect\"}\n%e : f32[6] = {3, 2, 1, 2, 3, 2}");
  expect_result(x + "%y = Pad(%x) {pads=[1,1], mode=\"edge\"}\n%e : f32[5] = {1, 1, 2, 3, 3}");
  expect_result(x + "%y = Pad(%x) {pads=[1,1], mode=\"wrap\"}\n%e : f32[5] = {3, 1, 2, 3, 1}");
  expect_result(x + "%y = Pad(%x) {pads=[-1,1]}\n%e : f32[3] = {2, 3, 0.0}");
}
TEST(ReferencePad, FillsWholeRowsOutsideTheInput) {
  expect_result(
      "%x : f32[1,2] = {1, 2}\n%y = Pad(%x) {pads=[1,1,1,0], value=9}\n"
      "%e : f32[3,3] = {9, 9, 9, 9, 1, 2, 9, 9, 9}");
}
TEST(ReferencePad, FillsCodesWithTheCodeOfTheValue) {
  expect_result(
      "%x : i8[1] q(0.5, 3) = {10}\n%y : i8[3] q(0.5, 3) = Pad(%x) {pads=[1,1], value=2}\n"
      "%e : i8[3] = {7, 10, 7}");
  expect_result(
      "%x : i8[1] q(0.5, 3) = {10}\n%y : i8[2] q(0.5, 3) = Pad(%x) {pads=[1,0]} fixed(low=-7, high=127)\n"
      "%e : i8[2] = {-7, 10}");
}

TEST(ReferenceGather, CountsNegativeIndicesFromTheEnd) {
  expect_result(
      "%x : f32[2,3] = {1, 2, 3, 4, 5, 6}\n%i : i64[2] = {-1, 0}\n%y = Gather(%x, %i) {axis=1}\n"
      "%e : f32[2,2] = {3, 1, 6, 4}");
  expect_result(
      "%x : f32[2,2] = {1, 2, 3, 4}\n%i : i32[1,2] = {1, -2}\n%y = GatherElements(%x, %i) {axis=0}\n"
      "%e : f32[1,2] = {3, 2}");
  expect_result(
      "%x : f32[2,2] = {1, 2, 3, 4}\n%i : i64[2,2] = {1, 0, -2, -1}\n%y = GatherND(%x, %i)\n"
      "%e : f32[2] = {3, 2}");
}
TEST(ReferenceScatter, AppliesUpdatesInOrder) {
  const std::string x = "%x : f32[3] = {1, 2, 3}\n%i : i64[3,1] = {1, 1, -1}\n%u : f32[3] = {10, 20, 30}\n";
  expect_result(x + "%y = ScatterND(%x, %i, %u)\n%e : f32[3] = {1, 20, 30}");
  expect_result(x + "%y = ScatterND(%x, %i, %u) {reduction=\"add\"}\n%e : f32[3] = {1, 32, 33}");
}

TEST(ReferenceResize, NearestCopiesPixels) {
  expect_result(
      "%x : f32[1,1,1,2] = {1, 2}\n%y = Resize(%x) {sizes=[1,1,2,4], scales=[1,1,2,2]}\n"
      "%e : f32[1,1,2,4] = {1, 1, 2, 2, 1, 1, 2, 2}");
  expect_result(
      "%x : i8[1,1,2] q(0.1, 0) = {-5, 7}\n"
      "%y : i8[1,1,4] q(0.1, 0) = Resize(%x) {sizes=[1,1,4], coordinate_transformation_mode=\"asymmetric\", "
      "nearest_mode=\"floor\"}\n%e : i8[1,1,4] = {-5, -5, 7, 7}");
}
TEST(ReferenceResize, LinearInterpolatesBothDimensions) {
  expect_result(R"(
%x : f32[1,1,2,2] = {0.0, 8, 16, 24}
%y = Resize(%x) {sizes=[1,1,3,3], mode="linear", coordinate_transformation_mode="align_corners"}
%e : f32[1,1,3,3] = {0.0, 4, 8, 8, 12, 16, 16, 20, 24})");
}
TEST(ReferenceResize, LinearReadsEveryRow) {
  expect_result(R"(
%x : f32[1,1,6,1] = {0.0, 2, 4, 8, 16, 32}
%y = Resize(%x) {sizes=[1,1,11,1], mode="linear", coordinate_transformation_mode="align_corners"}
%e : f32[1,1,11,1] = {0.0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32})");
}
TEST(ReferenceResize, CubicKeepsALine) {
  // Keys' kernel reproduces straight lines between its inner taps.
  expect_result(R"(
%x : f32[1,1,6] = {0.0, 4, 8, 12, 16, 20}
%y = Resize(%x) {sizes=[1,1,11], mode="cubic", cubic_coeff_a=-0.5, coordinate_transformation_mode="align_corners"}
%e : f32[1,1,11] = {0.0, 1.75, 4, 6, 8, 10, 12, 14, 16, 18.25, 20})");
}
TEST(ReferenceSources, MakeTensorsFromIndicesAndNumbers) {
  expect_result(
      "%i : i64[3] = {1, -1, 5}\n%v : f32[2] = {0.5, 2}\n%y = OneHot(%i, %v) {axis=1, depth=3}\n"
      "%e : f32[3,3] = {0.5, 2, 0.5, 0.5, 0.5, 2, 0.5, 0.5, 0.5}");
  expect_result("%x : f32[2,3] = {1, 2, 3, 4, 5, 6}\n%y = Trilu(%x) {k=1}\n%e : f32[2,3] = {0.0, 2, 3, 0.0, 0.0, 6}");
  expect_result(
      "%x : f32[2,3] = {1, 2, 3, 4, 5, 6}\n%y = Trilu(%x) {upper=0}\n"
      "%e : f32[2,3] = {1, 0.0, 0.0, 4, 5, 0.0}");
  expect_result(
      "%a : i32[] = {3}\n%b : i32[] = {10}\n%c : i32[] = {3}\n%y = Range(%a, %b, %c)\n%e : i32[3] = {3, 6, 9}");
  expect_result("%x : f32[2,3] = fill(0)\n%y = Shape(%x)\n%e : i64[2] = {2, 3}");
  expect_result("%x : f32[2,3] = fill(0)\n%y = Size(%x)\n%e : i64[] = {6}");
  expect_result("%x : i64[2] = {1, 2}\n%y = ConstantOfShape(%x) {value=tensor i8[1] {5}}\n%e : i8[1,2] = {5, 5}");
}

}  // namespace
}  // namespace openrknn
