// Elementwise nodes that join the step before them: which do, and that the bits stay.
#include "core/executor/chain.h"

#include <gtest/gtest.h>

#include "core/executor/run.h"
#include "core/graph/text.h"
#include "executor/executor_support.h"
#include "support/random_graph.h"

namespace openrknn {
namespace {

using test::summary_of;

int64_t fused_nodes(const std::string& text) { return summary_of(text).fused_nodes; }

/// `count` nodes are fused, and every output has the bits that separate steps give.
void expect_fused(const std::string& text, int64_t count) {
  SCOPED_TRACE(text);
  const Graph graph = parse_graph(text);
  if (detect_cpu() != 0) {  // reference kernels are not fused
    EXPECT_EQ(fused_nodes(text), count);
  }
  const std::vector<Tensor> inputs = test::random_inputs(graph, 7);
  ThreadPool one(1), two(2);
  const std::vector<Tensor> expected = run_graph(graph, {}, inputs, one, {.fuse = false});
  for (ThreadPool* pool : {&one, &two}) {
    const std::vector<Tensor> got = run_graph(graph, {}, inputs, *pool);
    for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(identical(got[i], expected[i])) << "output " << i;
  }
}

std::string conv(const std::string& attributes) { return "Conv(%x, %w) {" + attributes + "}\n"; }
const std::string kOne = "kernel_shape=[1,1], strides=[1,1], pads=[0,0,0,0], dilations=[1,1], group=1";

TEST(Chain, EveryKindOfTileIsFollowed) {
  struct Head {
    std::string type, inputs, node, shape;
    int64_t fused = 3;
  };
  const std::string three = "kernel_shape=[3,3], strides=[1,1], pads=[1,1,1,1], dilations=[1,1], ";
  const Head heads[] = {
      // Whole lines; parts of one line; two groups, so that a tile is half of each pixel; few pixels and many channels,
      // of which a tile has too few for another node.
      {"f32", "input %x : f32[1,8,40,40]\n%w : f32[48,8,1,1] = random(1)\n", conv(kOne), "[1,48,1,1]"},
      {"f32", "input %x : f32[1,8,3,900]\n%w : f32[16,8,3,3] = random(1)\n", conv(three + "group=1"), "[1,16,1,1]"},
      {"f32", "input %x : f32[1,16,64,64]\n%w : f32[600,8,3,3] = random(1)\n", conv(three + "group=2"), "[1,600,1,1]"},
      {"f32", "input %x : f32[2,512,3,3]\n%w : f32[500,512,1,1] = random(1)\n", conv(kOne), "[1,500,1,1]", 2},
      {"f32", "input %x : f32[1,24,30,30]\n%w : f32[24,1,3,3] = random(1)\n", conv(three + "group=24"), "[1,24,1,1]"},
      {"f16", "input %x : f16[1,24,30,30]\n%w : f16[24,24,3,3] = random(1)\n", conv(three + "group=1"), "[1,24,1,1]"},
      {"f32", "input %x : f32[3,70,64]\n%w : f32[64,90] = random(1)\n", "MatMul(%x, %w)\n", "[90]"},
      {"f32", "input %x : f32[1,20,31,31]\n",
       "MaxPool(%x) {kernel_shape=[2,2], strides=[2,2], pads=[0,0,0,0], dilations=[1,1], ceil_mode=0}\n", "[1,20,1,1]"},
      {"f32", "input %x : f32[1,5,130,70]\n", "Exp(%x)\n", "[1,5,1,1]"},
  };
  for (const Head& head : heads) {
    const std::string scale = "%s : " + head.type + head.shape + " = random(2)\n";
    expect_fused("ir 1\n" + head.inputs + scale + "%a = " + head.node + "%b = Mul(%a, %s)\n%c = Sigmoid(%b)\n%k : " +
                     head.type + "[1] = random(3)\n%d = Add(%c, %k)\noutput %d\n",
                 head.fused);
  }
}

TEST(Chain, ResidualJoinsTheLaterOfTheTwo) {
  expect_fused("ir 1\ninput %x : f32[1,8,30,30]\n%w : f32[8,8,1,1] = random(1)\n%a = " + conv(kOne) +
                   "%b = Sigmoid(%a)\n%v : f32[8,8,1,1] = random(4)\n%c = Conv(%b, %v) {" + kOne +
                   "}\n%y = Add(%x, %c)\n%z = Sub(%b, %y)\noutput %z\n",
               3);  // Sigmoid with the first Conv, Add and Sub with the second
}

TEST(Chain, AValueThatOthersNeedIsWritten) {
  const std::string start = "ir 1\ninput %x : f32[1,8,30,30]\n%w : f32[8,8,1,1] = random(1)\n%a = " + conv(kOne);
  EXPECT_EQ(fused_nodes(start + "%b = Sigmoid(%a)\noutput %b\noutput %a\n"), 0) << "an output";
  EXPECT_EQ(fused_nodes(start + "%b = Mul(%a, %a)\noutput %b\n"), 0) << "read twice";
  EXPECT_EQ(fused_nodes(start + "%g = GlobalAveragePool(%a)\n%b = Mul(%a, %g)\noutput %b\n"), 0) << "read by two";
}

TEST(Chain, EveryNodeIsAStepWhereValuesAreLookedAt) {
  const std::string text = "ir 1\ninput %x : f32[1,8,30,30]\n%w : f32[8,8,1,1] = random(1)\n%a = " + conv(kOne) +
                           "%b = Sigmoid(%a)\noutput %b\n";
  EXPECT_EQ(summary_of(text, {.keep_all = true}).fused_nodes, 0);
  EXPECT_EQ(summary_of(text, {.fuse = false}).steps, 2);
}

TEST(Chain, AFusedValueIsNeitherSetNorRead) {
  if (detect_cpu() == 0) GTEST_SKIP() << "reference kernels are not fused";
  const Graph graph = parse_graph("ir 1\ninput %x : f32[1,8,4,4]\n%w : f32[8,8,1,1] = random(1)\n%a = " + conv(kOne) +
                                  "%b = Sigmoid(%a)\noutput %b\n");
  Weights weights;
  ThreadPool pool(1);
  openrknn::Run run(plan(graph, {}, {}, weights), pool);
  run.set(graph.inputs[0], Tensor::zeros(DType::Float32, {1, 8, 4, 4}));
  const ValueId inside = graph[graph[graph.outputs[0]].producer].inputs[0];
  const auto message_of = [](auto action) -> std::string {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string set = message_of([&] { run.set(inside, Tensor::zeros(DType::Float32, {1, 8, 4, 4})); });
  EXPECT_NE(set.find("is computed within the step that reads it"), std::string::npos) << set;
  run.run();
  const std::string get = message_of([&] { run.get(inside); });
  EXPECT_NE(get.find("without fuse"), std::string::npos) << get;
}

TEST(Chain, TablesOfCodesBecomeOne) {
  // The first becomes a follower of the pool, the others change its table.
  const std::string fixed = " fixed(scale=[[16384, 14]], low=-128, high=127)\n";
  const std::string q = "i8[1,40,60,60] q(0.05, -7)";
  const std::string text = "ir 1\ninput %x : " + q + "\n%a : " + q +
                           " = MaxPool(%x) {kernel_shape=[1,1], strides=[1,1], pads=[0,0,0,0], dilations=[1,1], "
                           "ceil_mode=0}\n%b : " +
                           q + " = Relu(%a)" + fixed + "%c : " + q + " = Neg(%b)" + fixed + "%d : " + q + " = Abs(%c)" +
                           fixed + "output %d\n";
  expect_fused(text, 3);
  Chain chain;
  Prepared table;
  table.table = std::make_shared<const CodeTable>();
  table.then = [](const Prepared& first, const CodeTable& second) {
    Prepared both = first;
    CodeTable codes;
    for (size_t i = 0; i < codes.size(); ++i) codes[i] = second[static_cast<uint8_t>((*first.table)[i])];
    both.table = std::make_shared<const CodeTable>(codes);
    return both;
  };
  for (int i = 0; i < 3; ++i) append(chain, {.prepared = table});
  EXPECT_EQ(chain.followers.size(), 1u);
}

}  // namespace
}  // namespace openrknn
