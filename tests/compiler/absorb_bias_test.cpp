// High-bias absorption: what it is for, that samples see the same function, and where it must stay away.
#include "compiler/correction_support.h"
#include "compiler/passes/layer.h"

namespace openrknn {
namespace {

using corrections::absorb_bias;
using test::Observed;
using test::samples_for;

/// A layer whose channels hover far above zero, as folded normalisations leave them.
constexpr std::string_view kHighChannels = R"(ir 1
input %x : f32[1,8,12,12]
%w0 : f32[16,8,1,1] = random(1)
%b0 : f32[16] = fill(60.0)
%c0 = Conv(%x, %w0, %b0)
%r0 = Relu(%c0)
%p0 = MaxPool(%r0) {kernel_shape=[2,2], strides=[2,2]}
%w1 : f32[16,1,3,3] = random(3)
%c1 = Conv(%p0, %w1) {group=16}
%w2 : f32[4,16,1,1] = random(4)
%y = Conv(%c1, %w2)
output %y
)";

/// The weights of the net's second layer without their mean, so that it is the differences that count.
Graph high_net() {
  Graph graph = parse_graph(kHighChannels);
  const ValueId w = graph.find("w1");
  Tensor centred = *graph[w].constant;
  const std::span<float> values = centred.mutable_values<float>();
  for (size_t c = 0; c < values.size(); c += 9) {
    float sum = 0;
    for (size_t i = 0; i < 9; ++i) sum += values[c + i];
    for (size_t i = 0; i < 9; ++i) values[c + i] -= sum / 9;
  }
  graph[w].constant = centred;
  return graph;
}

TEST(AbsorbBias, LiftsANetWhoseChannelsHoverFarAboveZero) {
  const Graph before = high_net();
  Graph after = before;
  Observed seen(samples_for(before, 1));
  EXPECT_TRUE(absorb_bias(after, seen.context));
  verify(after);
  const double worse = test::int8_sqnr(before, seen.samples, samples_for(before, 2)),
               better = test::int8_sqnr(after, seen.samples, samples_for(before, 2));
  EXPECT_LT(worse, 20);
  EXPECT_GT(better, worse + 10);
  ASSERT_FALSE(seen.notes.empty());
  EXPECT_NE(seen.notes[0].find("absorb_bias: "), std::string::npos);
}

TEST(AbsorbBias, KeepsTheFloatFunctionForTheSamplesAndWhatGoesALittleLower) {
  const Graph before = high_net();
  Graph after = before;
  Observed seen(samples_for(before, 1));
  absorb_bias(after, seen.context);
  test::expect_same_function(before, after, seen.samples);
  test::expect_same_function(before, after, samples_for(before, 2));
}

TEST(AbsorbBias, TakesNoMoreThanNarrowsTheRange) {
  // Channels of 5 and 60 above zero: bringing down the second is enough.
  Graph graph = parse_graph(
      "ir 1\ninput %x : f32[1,2,4,4]\n%w : f32[2,2,1,1] = {1.0, 0.0, 0.0, 1.0}\n%b : f32[2] = {5.0, 60.0}\n"
      "%a = Conv(%x, %w, %b)\n%r = Relu(%a)\n%v : f32[1,2,1,1] = {1.0, 2.0}\n%y = Conv(%r, %v)\noutput %y\n");
  const Graph before = graph;
  Observed seen(samples_for(graph, 3));
  ASSERT_TRUE(absorb_bias(graph, seen.context));
  const Node& first = test::producer_of(graph, "a");
  const std::vector<double> bias = to_doubles(*graph[first.inputs[2]].constant);
  EXPECT_GT(bias[0], 0.9);
  EXPECT_LT(bias[1], 2);
  test::expect_same_function(before, graph, seen.samples);
}

TEST(AbsorbBias, LeavesWhatItMustNotTouch) {
  const std::string start =
      "ir 1\ninput %x : f32[1,4,8,8]\n%w : f32[4,4,1,1] = random(1)\n%b : f32[4] = fill(60.0)\n"
      "%v : f32[4,4,3,3] = random(2)\n%a = Conv(%x, %w, %b)\n";
  const struct {
    std::string text, why;
  } cases[] = {
      {start + "%r = Relu(%a)\n%y = Conv(%r, %v) {pads=[1,1,1,1]}\noutput %y\n",
       "padding would pad with another number"},
      {start + "%r = Relu(%a)\n%y = ConvTranspose(%r, %v)\noutput %y\n", "borders see less of the kernel"},
      {start + "%r = Sigmoid(%a)\n%y = Conv(%r, %v)\noutput %y\n", "Sigmoid(x - c) is not Sigmoid(x) - c"},
      {start + "%r = Clip(%a) {min=0.0, max=90.0}\n%y = Conv(%r, %v)\noutput %y\n", "nor is that of a bound"},
      {start + "%r = Relu(%a)\n%y = Conv(%r, %v)\noutput %y\noutput %r\n", "the output would change"},
      {start + "%r = Relu(%a)\n%p = AveragePool(%r) {kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1}\n"
               "%y = Conv(%p, %v)\noutput %y\n",
       "its zeros are counted"},
  };
  for (const auto& [text, why] : cases) {
    Graph graph = parse_graph(text);
    Observed seen(samples_for(graph, 4));
    EXPECT_FALSE(absorb_bias(graph, seen.context)) << why;
    EXPECT_EQ(to_text(graph), to_text(parse_graph(text))) << why;
  }
}

TEST(AbsorbBias, LeavesChannelsThatReachZero) {
  Graph graph = parse_graph(
      "ir 1\ninput %x : f32[1,4,8,8]\n%w : f32[4,4,1,1] = random(1)\n%v : f32[4,4,1,1] = random(2)\n"
      "%a = Conv(%x, %w)\n%r = Relu(%a)\n%y = Conv(%r, %v)\noutput %y\n");
  Observed seen(samples_for(graph, 5));
  EXPECT_FALSE(absorb_bias(graph, seen.context));
}

TEST(ObserveChannels, AnswersAnotherSetOfShapesFromMemory) {
  const Graph graph = parse_graph("ir 1\ninput %x : f32[1,2,4,4]\n%y = Relu(%x)\noutput %y\n");
  Observed seen(samples_for(graph, 6));
  const ChannelsOf asked[] = {{graph.find("y"), 1}};
  const std::vector<ChannelRanges> first = observe_channels(graph, asked, "test", seen.observations);
  ASSERT_EQ(first[0].size(), 2u);
  EXPECT_EQ(first[0][0].lowest, 0);
  EXPECT_GT(first[0][0].highest, 0.9F);
  seen.observations.is_complete = true;
  const Graph smaller = parse_graph("ir 1\ninput %x : f32[1,2,2,2]\n%y = Relu(%x)\noutput %y\n");
  const std::vector<ChannelRanges> second = observe_channels(smaller, asked, "test", seen.observations);
  EXPECT_EQ(second[0][1].highest, first[0][1].highest);
  EXPECT_THROW(observe_channels(smaller, asked, "another", seen.observations), Error);
}

}  // namespace
}  // namespace openrknn
