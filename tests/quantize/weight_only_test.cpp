// w8a16 and w4a16: weights as codes, read as float16, and then a float16 layer to the last bit.
#include <fmt/format.h>

#include "core/kernels/weights.h"
#include "support.h"

namespace openrknn {
namespace {

using test::Dice;

constexpr std::string_view kLayers = R"(ir 1
input %x : f32[1,70,6,7]
%w : f32[12,70,3,3] = random(1)
%b : f32[12] = random(2)
%c = Conv(%x, %w, %b) {activation="SiLU", pads=[1,1,1,1]}
%d : f32[12,1,3,3] = random(3)
%e = Conv(%c, %d) {group=12}
%t : f32[12,5,2,2] = random(4)
%u = ConvTranspose(%e, %t) {strides=[2,2]}
%m : f32[10,9] = random(5)
%y = MatMul(%u, %m)
%v : f32[9] = random(6)
%z = MatMul(%y, %v)
output %y
output %z
)";

struct WeightCase {
  Scheme scheme;
  QuantizedMethod method;
  int64_t group;
  double least;  // dB against the float graph
};
constexpr WeightCase kCases[] = {
    {Scheme::W8A16, QuantizedMethod::Channel, 0, 38},   {Scheme::W8A16, QuantizedMethod::Layer, 0, 35},
    {Scheme::W4A16, QuantizedMethod::Channel, 0, 14},   {Scheme::W4A16, QuantizedMethod::Layer, 0, 12},
    {Scheme::W4A16, QuantizedMethod::Channel, 32, 14},  {Scheme::W4A16, QuantizedMethod::Channel, 64, 14},
    {Scheme::W4A16, QuantizedMethod::Channel, 128, 14}, {Scheme::W4A16, QuantizedMethod::Channel, 256, 14},
};

Graph build(const WeightCase& c) {
  const Graph golden = parse_graph(kLayers);
  QuantizeOptions options = options_of(c.scheme);
  options.method = c.method;
  options.group = c.group;
  Graph graph = quantize(golden, assign_precision(golden, test::target(), {.scheme = c.scheme}), {}, options);
  lower(graph, test::target());
  verify(graph);
  return graph;
}

/// The graph with float16 weights in place of the codes.
Graph with_decoded_weights(Graph graph) {
  for (int64_t i = 0; i < graph.value_count(); ++i) {
    Value& value = graph[ValueId{static_cast<int32_t>(i)}];
    if (!value.constant || !value.quant) continue;
    value.constant = decode_weights(*value.constant, *value.quant, DType::Float16);
    value.dtype = DType::Float16;
    value.quant.reset();
  }
  return graph;
}

TEST(WeightOnly, LayersAreThoseOfTheDecodedWeights) {
  Dice dice(3);
  const std::vector<Tensor> input = {test::uniform_tensor(dice, {1, 70, 6, 7}, -1, 1)};
  const auto real = test::run_real(parse_graph(kLayers), input);
  for (const WeightCase& c : kCases) {
    SCOPED_TRACE(fmt::format("{} method {} group {}", name(c.scheme), static_cast<int>(c.method), c.group));
    const Graph graph = build(c);
    const DType codes = c.scheme == Scheme::W8A16 ? DType::Int8 : DType::Int4;
    for (const std::string_view weights : {"w", "d", "t", "m", "v"}) {
      EXPECT_EQ(name(test::value_of(graph, weights).dtype), name(codes)) << weights;
    }
    EXPECT_EQ(test::value_of(graph, "c").dtype, DType::Float16);
    const auto got = test::run_real(graph, input);
    EXPECT_EQ(test::run_real(with_decoded_weights(graph), input), got);
    EXPECT_EQ(test::run_real(graph, input, false, test::target(), false), got) << "a fast kernel has other bits";
    EXPECT_GT(test::sqnr_db(real[0], got[0]), c.least);
  }
}

TEST(WeightOnly, AGroupIsARunOfInputChannels) {
  const Graph graph = build({Scheme::W4A16, QuantizedMethod::Channel, 32, 0});
  const QuantParams& conv = *test::value_of(graph, "w").quant;
  EXPECT_EQ(conv.scale.size(), 12u * 3) << "70 input channels: 32, 32 and 6";
  EXPECT_EQ(conv.axis, 0);
  EXPECT_EQ(test::value_of(graph, "d").quant->scale.size(), 12u) << "depthwise: one input channel";
  EXPECT_EQ(test::value_of(graph, "t").quant->axis, 1);
  EXPECT_EQ(test::value_of(graph, "t").quant->scale.size(), 5u);
  // Every weight is within half a step of its own group's scale.
  const Graph golden = parse_graph(kLayers);
  const std::span<const float> real = test::value_of(golden, "w").constant->values<float>();
  const Tensor back = decode_weights(*test::value_of(graph, "w").constant, conv, DType::Float32);
  double worst = 0;
  for (size_t i = 0; i < real.size(); ++i) {
    const size_t channel = i / (70 * 9), input = i / 9 % 70;
    const double scale = conv.scale[channel * 3 + input / 32];
    worst = std::max(worst, std::abs(static_cast<double>(back.values<float>()[i] - real[i])) / scale);
  }
  EXPECT_LE(worst, 2.75) << "half a step, or what at most 0.15 of fifteen codes clips";
  EXPECT_GT(worst, 0.3);
}

TEST(WeightOnly, AGroupOfSmallWeightsHasAFineScale) {
  Graph golden = parse_graph(R"(ir 1
input %x : f32[1,64]
%w : f32[64,8] = random(1)
%y = MatMul(%x, %w)
output %y
)");
  for (float& v : golden[golden.find("w")].constant->mutable_values<float>().subspan(32 * 8)) v /= 50;
  const auto worst_error = [&](int64_t group) {
    QuantizeOptions options = options_of(Scheme::W4A16);
    options.group = group;
    const PrecisionMap precision = assign_precision(golden, test::target(), {.scheme = Scheme::W4A16});
    const Graph graph = quantize(golden, precision, {}, options);
    const std::span<const float> real = golden[golden.find("w")].constant->values<float>();
    const Value& w = test::value_of(graph, "w");
    const Tensor back = decode_weights(*w.constant, *w.quant, DType::Float32);
    double worst = 0;
    for (size_t i = 32 * 8; i < real.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(back.values<float>()[i] - real[i])));
    }
    return worst;
  };
  EXPECT_LT(10 * worst_error(32), worst_error(0));
}

TEST(WeightOnly, Int4PacksTwoCodesAByteLowNibbleFirst) {
  const QuantParams quant{{0.5}, {0}};
  const Tensor codes = quantize_tensor(Tensor::from<float>({4}, {0.5f, -1.0f, 3.5f, -4.0f}), quant, DType::Int4);
  ASSERT_EQ(codes.bytes().size(), 2u);
  EXPECT_EQ(codes.bytes()[0], std::byte{0xe1});
  EXPECT_EQ(codes.bytes()[1], std::byte{0x87});
  EXPECT_EQ(to_doubles(decode_weights(codes, quant, DType::Float32)), (std::vector<double>{0.5, -1, 3.5, -4}));
}

TEST(WeightOnly, ParametersThatDoNotFitAreRefused) {
  const Tensor codes(DType::Int8, {3, 4});
  EXPECT_THROW(decode_weights(codes, {{1, 1}, {0, 0}, 0}, DType::Float16), Error);
  EXPECT_THROW(decode_weights(codes, {{1, 1, 1}, {0, 0}, 0}, DType::Float16), Error);
}

TEST(WeightOnly, WeightsThatFloat16CannotHoldAreNamed) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,2]
%w : f32[2,2] = {1, 100000, 2, 3}
%y = MatMul(%x, %w)
output %y
)");
  const PrecisionMap precision = assign_precision(golden, test::target(), {.scheme = Scheme::W8A16});
  try {
    quantize(golden, precision, {}, options_of(Scheme::W8A16));
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::QuantizeHalfOverflow);
    EXPECT_EQ(error.diagnostics[0].where.tensor, "w");
  }
}

}  // namespace
}  // namespace openrknn
