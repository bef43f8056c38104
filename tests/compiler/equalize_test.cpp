// Cross-layer equalization: what it is for, and that the float function stays.
#include "compiler/corrections/float_corrections.h"
#include "compiler/passes/layer.h"
#include "quantize/support.h"

namespace openrknn {
namespace {

using corrections::equalize;
using test::Dice;

constexpr std::string_view kScalableChain = R"(ir 1
input %x : f32[1,3,20,20]
%w0 : f32[32,3,3,3] = random(1)
%b0 : f32[32] = random(2)
%c0 = Conv(%x, %w0, %b0) {pads=[1,1,1,1]}
%r0 = Relu(%c0)
%w1 : f32[32,1,3,3] = random(3)
%c1 = Conv(%r0, %w1) {group=32, pads=[1,1,1,1]}
%s1 : f32[32,1,1] = random(9)
%r1 = PRelu(%c1, %s1)
%m = MaxPool(%r1) {kernel_shape=[2,2], strides=[2,2]}
%w2 : f32[32,24,3,3] = random(4)
%c2 = ConvTranspose(%m, %w2) {strides=[2,2], pads=[1,1,1,1]}
%r2 = LeakyRelu(%c2) {alpha=0.1}
%w3 : f32[8,24,1,1] = random(5)
%y = Conv(%r2, %w3)
output %y
)";

/// Random networks have weights of one size. Here the channels between layers differ by up to three decades, which the
/// next layer takes back: as training leaves them, and worse.
Graph spread_net(double decades) {
  Graph graph = parse_graph(kScalableChain);
  Dice dice(5);
  std::vector<double> before;  // what the channels read are multiplied by
  for (const NodeId id : graph.order()) {
    const std::optional<passes::Layer> layer = passes::as_layer(graph, id);
    if (!layer) continue;
    std::vector<double> inputs(static_cast<size_t>(layer->inputs), 1.0), outputs(static_cast<size_t>(layer->outputs));
    for (size_t c = 0; c < before.size(); ++c) inputs[c] = 1 / before[c];
    const bool is_last = graph.is_output(graph[id].outputs[0]);
    for (double& scale : outputs) scale = is_last ? 1 : std::pow(10.0, decades * dice.real() / 4);
    passes::scale_inputs(graph, *layer, inputs);
    passes::scale_outputs(graph, *layer, outputs);
    if (graph[id].inputs.size() > 2) {
      std::vector<double> bias = passes::bias_of(graph, *layer);
      for (size_t c = 0; c < bias.size(); ++c) bias[c] *= outputs[c];
      passes::set_bias(graph, *layer, bias);
    }
    before = outputs;
  }
  return graph;
}

double sqnr_per_layer(const Graph& golden) {
  Dice dice(6);
  const test::MemorySamples samples = test::uniform_samples(golden, dice, 8);
  const test::Built built = test::build(golden, samples, {.method = QuantizedMethod::Layer});
  const std::vector<Tensor> input = {test::uniform_tensor(dice, {1, 3, 20, 20}, -1, 1)};
  return test::sqnr_db(test::run_real(golden, input)[0], test::run_real(built.quantized, input)[0]);
}

TEST(Equalize, LiftsANetWhoseChannelsDifferByThreeDecades) {
  const Graph before = spread_net(3);
  Graph after = before;
  EXPECT_TRUE(equalize(after, {}));
  EXPECT_FALSE(equalize(after, {})) << "settled";
  verify(after);
  EXPECT_LT(sqnr_per_layer(before), 5);
  EXPECT_GT(sqnr_per_layer(after), 30);
}

TEST(Equalize, KeepsTheFloatFunction) {
  const Graph before = spread_net(3);
  Graph after = before;
  equalize(after, {});
  Dice dice(8);
  for (int i = 0; i < 5; ++i) {
    const std::vector<Tensor> input = {test::uniform_tensor(dice, {1, 3, 20, 20}, -1, 1)};
    const std::vector<double> expected = test::run_real(before, input)[0], got = test::run_real(after, input)[0];
    const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
    for (size_t j = 0; j < got.size(); ++j) ASSERT_NEAR(got[j], expected[j], 1e-5 * (*high - *low));
  }
}

TEST(Equalize, GivesTheTwoLayersOfEachChannelOneRange) {
  Graph graph = spread_net(2);
  equalize(graph, {});
  std::vector<double> before;
  for (const NodeId id : graph.order()) {
    const std::optional<passes::Layer> layer = passes::as_layer(graph, id);
    if (!layer) continue;
    std::vector<double> in(static_cast<size_t>(layer->inputs)), out(static_cast<size_t>(layer->outputs));
    for (const passes::ChannelWeight& w : passes::channel_weights(graph, *layer)) {
      in[static_cast<size_t>(w.input)] = std::max(in[static_cast<size_t>(w.input)], w.largest);
      out[static_cast<size_t>(w.output)] = std::max(out[static_cast<size_t>(w.output)], w.largest);
    }
    for (size_t c = 0; c < before.size(); ++c) EXPECT_NEAR(in[c] / before[c], 1, 0.02) << graph[id].name << " " << c;
    before = out;
  }
}

TEST(Equalize, LeavesWhatItMustNotTouch) {
  const std::string conv = " {kernel_shape=[1,1]}\n",
                    w = "%w : f32[4,4,1,1] = random(1)\n%v : f32[4,4,1,1] = random(2)\n";
  const std::string start = "ir 1\ninput %x : f32[1,4,8,8]\n" + w + "%a = Conv(%x, %w)" + conv;
  const struct {
    std::string text, why;
  } cases[] = {
      {start + "%b = Sigmoid(%a)\n%y = Conv(%b, %v)" + conv + "output %y\n", "Sigmoid(s x) is not s Sigmoid(x)"},
      {start + "%b = Clip(%a) {min=0.0, max=6.0}\n%y = Conv(%b, %v)" + conv + "output %y\n", "nor does a bound scale"},
      {start + "%b = Relu(%a)\n%y = Conv(%b, %v)" + conv + "output %y\noutput %b\n", "the output would change"},
      {start + "%b = Relu(%a)\n%y = Conv(%b, %v)" + conv + "%z = Add(%b, %y)\noutput %z\n", "the Add reads it too"},
      {start + "%b = LeakyRelu(%a) {alpha=-0.5}\n%y = Conv(%b, %v)" + conv + "output %y\n", "a slope of its own sign"},
      {start + "%b = Relu(%a)\ninput %q : f32[4,4,1,1]\n%y = Conv(%b, %q)" + conv + "output %y\n", "computed weights"},
  };
  for (const auto& [text, why] : cases) {
    Graph graph = parse_graph(text);
    EXPECT_FALSE(equalize(graph, {})) << why;
    EXPECT_EQ(to_text(graph), to_text(parse_graph(text))) << why;
  }
}

TEST(Equalize, LeavesDeadChannelsAlone) {
  Graph graph = parse_graph(
      "ir 1\ninput %x : f32[1,1,4,4]\n%w : f32[2,1,1,1] = {0.0, 3.0}\n%v : f32[1,2,1,1] = {5.0, "
      "0.0}\n%a = Conv(%x, %w)\n%r = Relu(%a)\n%y = Conv(%r, %v)\noutput %y\n");
  equalize(graph, {});
  const std::vector<double> w = to_doubles(*graph[graph.find("w")].constant);
  EXPECT_EQ(w, (std::vector<double>{0, 3}));
}

}  // namespace
}  // namespace openrknn
