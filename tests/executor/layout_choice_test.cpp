#include "core/executor/layout_choice.h"

#include <gtest/gtest.h>

#include "core/graph/text.h"
#include "executor/executor_support.h"

namespace openrknn {
namespace {

using test::kOneByOne;

/// The layout of each named value as one letter: L or C.
std::string layouts(const std::string& text, const std::vector<std::string>& names) {
  const Graph graph = parse_graph(text);
  const LayoutChoice choice = choose_layouts(graph);
  std::string letters;
  for (const std::string& name : names) {
    letters += choice.value[static_cast<size_t>(graph.find(name))] == Layout::ChannelsLast ? 'C' : 'L';
  }
  return letters;
}

TEST(ChooseLayouts, KeepsAGraphWithoutConvolutionsLogical) {
  EXPECT_EQ(layouts(R"(ir 1
input %x : f32[1,8,4,4]
%y = Relu(%x)
%z = Softmax(%y) {axis=1}
output %z
)",
                    {"x", "y", "z"}),
            "LLL");
}

TEST(ChooseLayouts, TakesInputsAndElementwiseOpsAlongWithConvolutions) {
  EXPECT_EQ(layouts(R"(ir 1
input %x : f32[1,8,4,4]
%w : f32[8,8,1,1] = random(1)
%a = Relu(%x)
%b = Conv(%a, %w) )" + kOneByOne +
                        R"(
%c = Add(%b, %a)
%d = Concat(%b, %c) {axis=1}
output %d
)",
                    {"x", "a", "b", "c", "d"}),
            "CCCCC");
}

TEST(ChooseLayouts, DoesNotPingPongAroundALogicalNeighbour) {
  // %s is wanted logical by one reader and channels-last by two: one conversion, for the odd one out.
  EXPECT_EQ(layouts(R"(ir 1
input %x : f32[1,8,4,4]
%w : f32[8,8,1,1] = random(1)
%b = Conv(%x, %w) )" + kOneByOne +
                        R"(
%s = Sigmoid(%b)
%d = Conv(%s, %w) )" + kOneByOne +
                        R"(
%e = Mul(%d, %s)
%f = MatMul(%s, %s)
output %e
output %f
)",
                    {"s", "d", "e", "f"}),
            "CCCL");
}

TEST(ChooseLayouts, ConvertsWhereTheFewestBytesPass) {
  // The slice shrinks the value: the conversion for MatMul belongs after it.
  EXPECT_EQ(layouts(R"(ir 1
input %x : f32[1,64,32,32]
%w : f32[64,64,1,1] = random(1)
%b = Conv(%x, %w) )" + kOneByOne +
                        R"(
%s = Slice(%b) {starts=[0,0,0,0], ends=[1,64,4,4], steps=[1,1,1,1]}
%m = MatMul(%s, %s)
output %m
)",
                    {"b", "s", "m"}),
            "CCL");
  // Expanding first and convolving later: convert before it grows.
  EXPECT_EQ(layouts(R"(ir 1
input %x : f32[1,64,4,4]
%w : f32[64,64,1,1] = random(1)
%m = MatMul(%x, %x)
%t = Tile(%m) {repeats=[1,1,8,8]}
%b = Conv(%t, %w) )" + kOneByOne +
                        R"(
output %b
)",
                    {"x", "m", "t", "b"}),
            "LLCC");
}

TEST(ChooseLayouts, LetsFlattenedSpaceStayChannelsLast) {
  // A patch embedding: nothing has to move between convolution and MatMul.
  const std::string text = R"(ir 1
input %x : f32[1,8,4,4]
%w : f32[16,8,1,1] = random(1)
%k : f32[16,16] = random(2)
%a = Conv(%x, %w) )" + kOneByOne +
                           R"(
%r = Reshape(%a) {shape=[1,16,16]}
%t = Transpose(%r) {perm=[0,2,1]}
%m = MatMul(%t, %k)
output %m
)";
  EXPECT_EQ(layouts(text, {"a", "r", "t", "m"}), "CCLL");
}

TEST(ChooseLayouts, TreatsATransposeToNhwcAsTheLayoutItself) {
  EXPECT_EQ(layouts(R"(ir 1
input %x : f32[1,4,4,8]
%w : f32[8,8,1,1] = random(1)
%t = Transpose(%x) {perm=[0,3,1,2]}
%a = Conv(%t, %w) )" + kOneByOne +
                        R"(
%u = Transpose(%a) {perm=[0,2,3,1]}
%r = Relu(%u)
output %r
)",
                    {"x", "t", "a", "u", "r"}),
            "LCCLL");
}

TEST(ChooseLayouts, NeedsTheLogicalOrderWhereTheRankChanges) {
  EXPECT_EQ(layouts(R"(ir 1
input %x : f32[1,8,4,4]
%a = ReduceMean(%x) {axes=[2], keepdims=0}
output %a
)",
                    {"x", "a"}),
            "LL");
}

TEST(ChooseLayouts, ReadsGlobalPoolsWithoutConversion) {
  // [1,16,1,1] is the same bytes in both layouts, so its readers may be logical.
  EXPECT_EQ(layouts(R"(ir 1
input %x : f32[1,16,4,4]
%a = GlobalAveragePool(%x)
%r = Reshape(%a) {shape=[1,16]}
output %r
)",
                    {"x", "a", "r"}),
            "CCL");
}

TEST(ChooseLayouts, GivesTheSameAnswerForACopyOfTheGraph) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[1,8,4,4]
%y = MaxPool(%x) {kernel_shape=[2,2], strides=[2,2], pads=[0,0,0,0], dilations=[1,1]}
%z = Sigmoid(%y)
output %z
)");
  const Graph copy = graph;
  EXPECT_EQ(choose_layouts(graph).value, choose_layouts(copy).value);
}

}  // namespace
}  // namespace openrknn
