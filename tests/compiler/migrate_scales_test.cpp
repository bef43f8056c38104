// Scale migration: what it is for, that the float function stays, and where it must stay away.
#include "compiler/correction_support.h"

namespace openrknn {
namespace {

using corrections::migrate_scales;
using test::Observed;
using test::samples_for;

/// A normalisation with a few channels a hundred times larger than the rest, as large language models have them.
Graph outlier_net() {
  Graph graph = parse_graph(R"(ir 1
input %x : f32[1,16,64]
%g : f32[64] = fill(1.0)
%b : f32[64] = random(7)
%n = LayerNormalization(%x, %g, %b) {axis=2}
%q : f32[64,32] = random(1)
%yq = MatMul(%n, %q)
%k : f32[64,32] = random(2)
%yk = MatMul(%n, %k) {activation="Gelu"}
output %yq
output %yk
)");
  Tensor scale = *graph[graph.find("g")].constant;
  for (const size_t c : {5, 23, 41}) scale.mutable_values<float>()[c] = 100;
  graph[graph.find("g")].constant = scale;
  // What reads the large channels has learnt to weigh them less.
  for (const char* name : {"q", "k"}) {
    Tensor weights = *graph[graph.find(name)].constant;
    for (const size_t c : {5, 23, 41}) {
      for (size_t o = 0; o < 32; ++o) weights.mutable_values<float>()[c * 32 + o] *= 0.01F;
    }
    graph[graph.find(name)].constant = weights;
  }
  return graph;
}

TEST(MigrateScales, LiftsANetWithOutlierChannels) {
  const Graph before = outlier_net();
  Graph after = before;
  Observed seen(samples_for(before, 1));
  EXPECT_TRUE(migrate_scales(after, seen.context));
  verify(after);
  const test::MemorySamples other = samples_for(before, 2);
  const double worse = test::int8_sqnr(before, seen.samples, other),
               better = test::int8_sqnr(after, seen.samples, other);
  EXPECT_LT(worse, 20);
  EXPECT_GT(better, worse + 10);
  EXPECT_GT(better, 30);
}

TEST(MigrateScales, KeepsTheFloatFunction) {
  const Graph before = outlier_net();
  Graph after = before;
  Observed seen(samples_for(before, 1));
  migrate_scales(after, seen.context);
  test::expect_same_function(before, after, samples_for(before, 3));
}

TEST(MigrateScales, FindsWhoCanTakeTheFactor) {
  const std::string outlier = "%g : f32[4,1,1] = {1.0, 200.0, 1.0, 1.0}\n%v : f32[3,4,1,1] = random(2)\n";
  const std::string layer = "%w : f32[4,4,1,1] = random(1)\n%a = Conv(%x, %w)\n%s = Mul(%a, %g)\n";
  const struct {
    std::string text, why;
  } cases[] = {
      {"ir 1\ninput %x : f32[1,4,8,8]\n" + outlier + "%s = Mul(%x, %g)\n%y = Conv(%s, %v)\noutput %y\n", "a product"},
      {"ir 1\ninput %x : f32[1,4,8,8]\n" + outlier +
           "%s = Mul(%g, %x) {activation=\"Relu\"}\n%p = MaxPool(%s) {kernel_shape=[2,2]}\n%y = Conv(%p, %v)\noutput "
           "%y\n",
       "through a Relu and a pool"},
      {"ir 1\ninput %x : f32[1,16,8,8]\n%v : f32[1,16,1,1] = {0.9, 0.01, 0.5, 0.7, -0.8, 0.6, 1.0, -0.4, 0.9, 0.3, "
       "-0.7, 0.8, 0.5, -1.0, 0.6, 0.7}\n"
       "%w : f32[16,1,1,1] = {1.0, 200.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}\n%b : "
       "f32[16] = random(5)\n"
       "%s = Conv(%x, %w, %b) {group=16, activation=\"Relu\"}\n%y = Conv(%s, %v)\noutput %y\n",
       "a layer"},
  };
  for (const auto& [text, why] : cases) {
    const Graph before = parse_graph(text);
    Graph after = before;
    Observed seen(samples_for(before, 4));
    EXPECT_TRUE(migrate_scales(after, seen.context)) << why;
    verify(after);
    test::expect_same_function(before, after, samples_for(before, 5));
  }
}

TEST(MigrateScales, LeavesWhatItMustNotTouch) {
  const std::string start =
      "ir 1\ninput %x : f32[1,4,8,8]\n%g : f32[4,1,1] = {1.0, 200.0, 1.0, 1.0}\n%v : f32[4,4,1,1] = random(2)\n";
  const struct {
    std::string text, why;
  } cases[] = {
      {start + "%s = Mul(%x, %g)\n%y = Conv(%s, %v)\noutput %y\noutput %s\n", "the output would change"},
      {start + "%s = Mul(%x, %g)\n%y = Conv(%s, %v)\n%z = Add(%y, %s)\noutput %z\n", "the Add reads it too"},
      {start + "%s = Mul(%x, %g)\n%h = Sigmoid(%s)\n%y = Conv(%h, %v)\noutput %y\n", "Sigmoid bends"},
      {start + "%y = Conv(%x, %v)\noutput %y\n", "what the model is fed stays"},
      {start + "%w : f32[4,4,1,1] = random(1)\n%s = Conv(%x, %w) {activation=\"Clip\", activation_min=0.0, "
               "activation_max=6.0}\n%y = Conv(%s, %v)\noutput %y\n",
       "a bound is one number for all channels"},
  };
  for (const auto& [text, why] : cases) {
    Graph graph = parse_graph(text);
    Observed seen(samples_for(graph, 6));
    EXPECT_FALSE(migrate_scales(graph, seen.context)) << why;
    EXPECT_EQ(to_text(graph), to_text(parse_graph(text))) << why;
  }
}

TEST(MigrateScales, GivesNoFactorToALayerWithOneScale) {
  const Graph before = parse_graph(
      "ir 1\ninput %x : f32[1,16,8,8]\n%v : f32[1,16,1,1] = {0.9, 0.01, 0.5, 0.7, -0.8, 0.6, 1.0, -0.4, 0.9, 0.3, "
      "-0.7, 0.8, 0.5, -1.0, 0.6, 0.7}\n"
      "%w : f32[16,1,1,1] = {1.0, 200.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}\n%s = "
      "Conv(%x, %w) {group=16}\n%y = Conv(%s, %v)\noutput %y\n");
  Graph after = before;
  Observed seen(samples_for(before, 8));
  seen.context.has_channel_scales = false;
  EXPECT_FALSE(migrate_scales(after, seen.context));
  seen.context.has_channel_scales = true;
  EXPECT_TRUE(migrate_scales(after, seen.context));
}

TEST(MigrateScales, LeavesChannelsThatAreAlike) {
  Graph graph = parse_graph(
      "ir 1\ninput %x : f32[1,16,64]\n%g : f32[64] = fill(1.0)\n%n = LayerNormalization(%x, %g) {axis=2}\n"
      "%q : f32[64,32] = random(1)\n%y = MatMul(%n, %q)\noutput %y\n");
  Observed seen(samples_for(graph, 7));
  EXPECT_FALSE(migrate_scales(graph, seen.context));
}

}  // namespace
}  // namespace openrknn
