// Pools with positions, sampling and resizing with antialias, on numbers small enough to check by hand.
#include "kernels/fast_cases.h"
#include "op_cases.h"

namespace openrknn {
namespace {

using op_cases::expect_result;

TEST(ReferenceArgMaxPool, CountsInTheFlattenedInput) {
  const std::string x = "%x : f32[1,2,2,2] = {1, 4, 3, 2, 8, 7, 6, 9}\n";
  expect_result(x + "%y = ArgMaxPool(%x) {kernel_shape=[2,2]}\n%e : i64[1,2,1,1] = {1, 7}");
  expect_result(x + "%y = ArgMaxPool(%x) {kernel_shape=[2,2], storage_order=1}\n%e : i64[1,2,1,1] = {2, 7}");
}
TEST(ReferenceArgMaxPool, TakesTheFirstOfEqualElementsAndNoPadding) {
  expect_result(R"(
%x : f32[1,1,4] = {-3, -3, -5, -5}
%y = ArgMaxPool(%x) {kernel_shape=[2], strides=[2], pads=[1,1]}
%e : i64[1,1,3] = {0, 1, 3})");
}
TEST(ReferenceMaxUnpool, PutsElementsWhereTheIndicesSay) {
  expect_result(R"(
%x : f32[1,2,1,1] = {5, 6}
%i : i64[1,2,1,1] = {3, 4}
%y = MaxUnpool(%x, %i) {shape=[1,2,2,2]}
%e : f32[1,2,2,2] = {0, 0, 0, 5, 6, 0, 0, 0})");
}
TEST(ReferenceLpPool, IsTheNormOfEachWindow) {
  const std::string x = "%x : f32[1,1,1,3] = {3, -4, 12}\n";
  expect_result(x + "%y = LpPool(%x) {kernel_shape=[1,2], pads=[0,0,0,1]}\n%e : f32[1,1,1,3] = {5, 12.64911064, 12}");
  expect_result(x + "%y = LpPool(%x) {kernel_shape=[1,2], p=1}\n%e : f32[1,1,1,2] = {7, 16}");
  expect_result(x + "%y = LpPool(%x) {kernel_shape=[1,1], p=3}\n%e : f32[1,1,1,3] = {3, 4, 12.000001}");
}
TEST(ReferenceLrn, DividesByAPowerOfNeighbouringSquares) {
  expect_result(R"(
%x : f32[1,3,1] = {1, 2, 3}
%y = LRN(%x) {size=3, alpha=3, beta=1, bias=1}
%e : f32[1,3,1] = {0.16666667, 0.13333334, 0.21428572})");
  expect_result(R"(
%x : f32[1,1,1] = {4}
%y = LRN(%x) {size=1, alpha=1, beta=0.75, bias=0}
%e : f32[1,1,1] = {0.5})");
}
TEST(ReferenceGridSample, InterpolatesBetweenPixels) {
  const std::string x = "%x : f32[1,1,2,2] = {1, 2, 3, 4}\n%g : f32[1,1,3,2] = {0, 0, -1, -1, -3, 0.5}\n";
  expect_result(x + "%y = GridSample(%x, %g)\n%e : f32[1,1,1,3] = {2.5, 0.25, 0}");
  expect_result(x + "%y = GridSample(%x, %g) {align_corners=1}\n%e : f32[1,1,1,3] = {2.5, 1, 0}");
  expect_result(x + "%y = GridSample(%x, %g) {padding_mode=\"border\"}\n%e : f32[1,1,1,3] = {2.5, 1, 3}");
  expect_result(x + "%y = GridSample(%x, %g) {padding_mode=\"reflection\"}\n%e : f32[1,1,1,3] = {2.5, 1, 4}");
}
TEST(ReferenceGridSample, MovesElementsOfAnyTypeToTheNearest) {
  expect_result(R"(
%x : i64[1,1,3] = {-7, 8, 9}
%g : f32[1,4,1] = {-1, 0, 1, 5}
%y = GridSample(%x, %g) {mode="nearest"}
%e : i64[1,1,4] = {-7, 8, 9, 0})");
}
TEST(ReferenceRoiAlign, SamplesBoxes) {
  const std::string x = "%x : f32[1,1,4,4] = iota\n%r : f32[1,4] = {0, 0, 4, 4}\n%b : i64[1] = {0}\n";
  expect_result(x + "%y = RoiAlign(%x, %r, %b)\n%e : f32[1,1,1,1] = {7.5}");
  expect_result(x + "%y = RoiAlign(%x, %r, %b) {mode=\"max\"}\n%e : f32[1,1,1,1] = {15}");
  expect_result(
      x + "%y = RoiAlign(%x, %r, %b) {output_height=2, output_width=2}\n%e : f32[1,1,2,2] = {2.5, 4.5, 10.5, 12.5}");
}
TEST(ReferenceMaxRoiPool, TakesTheLargestOfEachBin) {
  expect_result(R"(
%x : f32[1,1,4,4] = iota
%r : f32[2,5] = {0, 0, 0, 3, 3, 0, 7, 7, 9, 9}
%y = MaxRoiPool(%x, %r) {pooled_shape=[2,2]}
%e : f32[2,1,2,2] = {5, 7, 13, 15, 0, 0, 0, 0})");
}
TEST(ReferenceDeformIm2Col, ReadsBesideThePixelsAndZeroOutside) {
  expect_result(R"(
%x : f32[1,1,2,2] = {1, 2, 3, 4}
%o : f32[1,2,2,2] = {0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5}
%m : f32[1,1,2,2] = {1, 1, 1, 10}
%y = DeformIm2Col(%x, %o, %m) {kernel_shape=[1,1]}
%e : f32[1,1,2,2] = {1.5, 1, 3.5, 20})");
}
TEST(ReferenceCol2Im, AddsOverlappingBlocks) {
  for (const std::string type : {"f32", "i32", "f16"}) {
    expect_result("%x : " + type + "[1,2,3] = {1, 2, 3, 10, 20, 30}\n" +
                  "%y = Col2Im(%x) {image_shape=[4], block_shape=[2]}\n" + "%e : " + type +
                  "[1,1,4] = {1, 12, 23, 30}");
  }
}
TEST(ReferenceResize, StretchesTheFilterWithAntialias) {
  expect_result(R"(
%x : f32[1,1,4] = {8, 16, 24, 40}
%y = Resize(%x) {sizes=[1,1,2], mode="linear", antialias=1}
%e : f32[1,1,2] = {13, 31})");
  expect_result(R"(
%x : f32[1,1,4] = {8, 16, 24, 40}
%y = Resize(%x) {sizes=[1,1,2], mode="linear"}
%e : f32[1,1,2] = {12, 32})");
}

TEST(ReferenceTranspose, MovesBlocksAndTailsOfEveryElementSize) {
  fast_cases::Random random(17);
  for (const DType dtype : {DType::Int8, DType::Float16, DType::Float32, DType::Int64}) {
    for (const int64_t rows : {1, 2, 3, 7, 16, 33, 70}) {
      for (const int64_t columns : {1, 2, 5, 16, 35, 64}) {
        for (const std::vector<int>& order : {std::vector<int>{0, 2, 1}, std::vector<int>{2, 1, 0}}) {
          fast_cases::Case c;
          c.node.name = c.node.op = "Transpose";
          c.node.attributes["perm"] = std::vector<int64_t>(order.begin(), order.end());
          c.inputs = {cast(random.codes({3, rows, columns}), dtype)};
          c.constant = {false};
          c.output = dtype;
          const Tensor expected = transpose(c.inputs[0], order);
          c.output_shape = expected.shape();
          const fast_cases::Bound bound(c);
          Weights weights;
          const Tensor got = run_kernel(op_cases::reference_of(bound.call), bound.call, c.inputs, weights)[0];
          EXPECT_TRUE(identical(got, expected)) << name(dtype) << ' ' << rows << 'x' << columns << " seed 17";
        }
      }
    }
  }
}

}  // namespace
}  // namespace openrknn
