// Parts that are joined and taken apart again are read where they come from.
#include "compiler/correction_support.h"

namespace openrknn {
namespace {

using corrections::split_concat;
using test::Observed;
using test::samples_for;

/// A detection head: boxes and scores of two scales are joined, flattened, joined again and taken apart.
constexpr std::string_view kDetectionHead = R"(ir 1
input %x : f32[1,8,8,8]
%wa : f32[4,8,1,1] = random(1)
%ba : f32[4] = fill(300.0)
%boxes0 = Conv(%x, %wa, %ba)
%wb : f32[3,8,1,1] = random(2)
%scores0 = Conv(%x, %wb)
%j0 = Concat(%boxes0, %scores0) {axis=1}
%f0 = Reshape(%j0) {shape=[1,7,64]}
%s = MaxPool(%x) {kernel_shape=[2,2], strides=[2,2]}
%boxes1 = Conv(%s, %wa, %ba)
%scores1 = Conv(%s, %wb)
%j1 = Concat(%boxes1, %scores1) {axis=1}
%f1 = Reshape(%j1) {shape=[1,7,16]}
%all = Concat(%f0, %f1) {axis=2}
%boxes, %rest = Split(%all) {axis=1, split=[4,3]}
%b = Neg(%boxes)
%c = Sigmoid(%rest)
output %b
output %c
)";

TEST(SplitConcat, FollowsPartsThroughReshapesAndOtherJoins) {
  const Graph before = parse_graph(kDetectionHead);
  Graph after = before;
  Observed seen(samples_for(before, 1));
  EXPECT_TRUE(split_concat(after, seen.context));
  after.remove_unused();
  verify(after);
  EXPECT_EQ(test::count_ops(after, "Split"), 0);
  EXPECT_EQ(test::count_ops(after, "Concat"), 2) << "boxes and scores of both scales, each by itself";
  test::expect_same_function(before, after, seen.samples, 0);
}

TEST(SplitConcat, GivesScoresAScaleOfTheirOwn) {
  const Graph before = parse_graph(kDetectionHead);
  Graph after = before;
  Observed seen(samples_for(before, 1));
  split_concat(after, seen.context);
  after.remove_unused();
  const auto sqnr = [&](const Graph& graph) {
    return test::int8_sqnr(graph, seen.samples, samples_for(before, 2), QuantizedMethod::Channel, 1);
  };
  EXPECT_LT(sqnr(before), 25);
  EXPECT_GT(sqnr(after), 35);
}

TEST(SplitConcat, TakesASliceForOneOperand) {
  const Graph before = parse_graph(
      "ir 1\ninput %x : f32[1,2,4,4]\ninput %z : f32[1,3,4,4]\n%j = Concat(%x, %z) {axis=1}\n"
      "%p = Slice(%j) {starts=[0,3,0,0], ends=[1,5,4,4]}\n%q = Slice(%j) {starts=[0,0,0,0], ends=[1,2,4,4]}\n"
      "%y = Relu(%q)\noutput %y\noutput %p\n");
  Graph after = before;
  EXPECT_TRUE(split_concat(after, {})) << "q is x";
  verify(after);
  EXPECT_EQ(test::count_ops(after, "Slice"), 1) << "p is a part of z, and an output";
  test::expect_same_function(before, after, samples_for(before, 1), 0);
}

/// Logits of two scales, far beyond where a Sigmoid bends, joined and activated once.
constexpr std::string_view kLogits = R"(ir 1
input %x : f32[1,8,8,8]
%wa : f32[6,8,1,1] = random(1)
%a = Conv(%x, %wa)
%fa = Reshape(%a) {shape=[1,6,64]}
%s = MaxPool(%x) {kernel_shape=[2,2], strides=[2,2]}
%wb : f32[6,8,3,3] = random(2)
%b = Conv(%s, %wb) {pads=[1,1,1,1]}
%fb = Reshape(%b) {shape=[1,6,16]}
%all = Concat(%fa, %fb) {axis=2}
%y = Sigmoid(%all)
output %y
)";

TEST(ActivateBeforeConcat, MovesTheFunctionIntoTheLayers) {
  const Graph before = parse_graph(kLogits);
  Graph after = before;
  Observed seen(samples_for(before, 1));
  EXPECT_TRUE(corrections::activate_before_concat(after, seen.context));
  EXPECT_FALSE(corrections::activate_before_concat(after, seen.context)) << "settled";
  verify(after);
  EXPECT_EQ(test::count_ops(after, "Sigmoid"), 2);
  EXPECT_EQ(test::producer_of(after, "y").op, "Concat");
  test::expect_same_function(before, after, seen.samples, 0);
}

TEST(ActivateBeforeConcat, LeavesWhatIsReadElsewhereOrComputed) {
  const std::string start =
      "ir 1\ninput %x : f32[1,4,8,8]\n%w : f32[4,4,1,1] = random(1)\n%a = Conv(%x, %w)\n%r = Relu(%a)\n"
      "%b = Conv(%x, %w)\n";
  const struct {
    std::string text, why;
  } cases[] = {
      {start + "%j = Concat(%r, %b) {axis=1}\n%y = Sigmoid(%j)\noutput %y\n", "one part is no layer's result"},
      {start +
           "%c = Conv(%r, %w)\n%j = Concat(%c, %b) {axis=1}\n%y = Sigmoid(%j)\n%z = Neg(%j)\noutput %y\noutput %z\n",
       "the logits are read"},
      {start + "%c = Conv(%r, %w)\n%j = Concat(%c, %b) {axis=1}\n%y = Sigmoid(%j)\noutput %y\noutput %b\n",
       "a layer's result is an output"},
      {start + "%y = Sigmoid(%b)\n%z = Add(%y, %r)\noutput %z\n", "there is nothing in between"},
  };
  for (const auto& [text, why] : cases) {
    Graph graph = parse_graph(text);
    EXPECT_FALSE(corrections::activate_before_concat(graph, {})) << why;
    EXPECT_EQ(to_text(graph), to_text(parse_graph(text))) << why;
  }
}

TEST(SplitConcat, LeavesWhatMixesOperands) {
  const std::string start = "ir 1\ninput %x : f32[1,2,4,4]\ninput %z : f32[1,2,4,4]\n%j = Concat(%x, %z) {axis=1}\n";
  const struct {
    std::string text, why;
  } cases[] = {
      {start + "%p = Slice(%j) {starts=[0,1,0,0], ends=[1,3,4,4]}\n%y = Relu(%p)\noutput %y\n", "half of each"},
      {start + "%p, %q = Split(%j) {axis=2, split=[2,2]}\n%y = Relu(%p)\n%u = Neg(%q)\noutput %y\noutput %u\n",
       "another dimension"},
      {start + "%r = Relu(%j)\n%p, %q = Split(%r) {axis=1, split=[2,2]}\n%y = Neg(%p)\n%u = Neg(%q)\noutput %y\noutput "
               "%u\n",
       "the Relu computes"},
      {start + "%f = Reshape(%j) {shape=[1,64]}\n%p = Slice(%f) {starts=[0,0], ends=[1,32]}\n%y = Neg(%p)\noutput %y\n",
       "the dimension is another one"},
  };
  for (const auto& [text, why] : cases) {
    Graph graph = parse_graph(text);
    EXPECT_FALSE(split_concat(graph, {})) << why;
    EXPECT_EQ(to_text(graph), to_text(parse_graph(text))) << why;
  }
}

}  // namespace
}  // namespace openrknn
