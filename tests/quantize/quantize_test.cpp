#include <cmath>

#include "support.h"

namespace openrknn {
namespace {

using test::build_text;
using test::Built;
using test::value_of;

TEST(Quantize, ReadsAndGivesInt8AtTheEdgesOfAnInt8Network) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,3,3] = random(1)
%b : f32[4] = random(2)
%c = Conv(%x, %w, %b) {activation="Relu"}
output %c
)");
  EXPECT_EQ(value_of(b.quantized, "x").dtype, DType::Int8);
  EXPECT_EQ(value_of(b.quantized, "c").dtype, DType::Int8);
  EXPECT_EQ(value_of(b.quantized, "c").quant->zero_point[0], -128);
  EXPECT_EQ(value_of(b.quantized, "w").dtype, DType::Int8);
  EXPECT_EQ(value_of(b.quantized, "w").quant->scale.size(), 4u);
  EXPECT_EQ(value_of(b.quantized, "b").dtype, DType::Int32);
  EXPECT_EQ(test::count_ops(b.quantized, "Convert"), 0);
}

TEST(Quantize, NamesConvertsAsTheVendorDoes) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,3,3] = random(1)
%w2 : f32[4,4,3,3] = random(2)
%c = Conv(%x, %w)
%s = Exp(%c)
%d = Conv(%s, %w2)
%e = Exp(%x)
output %d
output %e
)");
  EXPECT_EQ(value_of(b.quantized, "c__float16").dtype, DType::Float16);
  EXPECT_EQ(test::producer_of(b.quantized, "c__float16").op, "Convert");
  EXPECT_EQ(value_of(b.quantized, "s__int8").dtype, DType::Int8);
  EXPECT_EQ(*value_of(b.quantized, "s__int8").quant,
            params_of_range(0, b.calibration.at("s").highest, DType::Int8, false))
      << "the range that was seen, from 0";
  EXPECT_EQ(value_of(b.quantized, "s").dtype, DType::Float16);
  EXPECT_EQ(value_of(b.quantized, "x").dtype, DType::Int8);
  EXPECT_EQ(value_of(b.quantized, "x__float16").dtype, DType::Float16) << "for the one float user of the input";
}

TEST(Quantize, KeepsGoldenIds) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,3,3] = random(1)
%c = Conv(%x, %w)
%s = Softmax(%c) {axis=1}
%m = MaxPool(%s) {kernel_shape=[2,2], strides=[2,2]}
output %m
)");
  ASSERT_LE(b.golden.value_count(), b.quantized.value_count());
  for (int64_t i = 0; i < b.golden.value_count(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    EXPECT_EQ(b.golden[id].name, b.quantized[id].name);
    EXPECT_EQ(b.golden[id].shape, b.quantized[id].shape);
    EXPECT_EQ(b.golden[id].producer, b.quantized[id].producer);
  }
  for (int64_t i = 0; i < b.golden.node_count(); ++i) {
    const NodeId id{static_cast<int32_t>(i)};
    EXPECT_EQ(b.golden[id].name, b.quantized[id].name);
    EXPECT_EQ(b.golden[id].outputs, b.quantized[id].outputs);
  }
}

TEST(Quantize, ChainsOfMaxPoolShareOneSetOfParameters) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,1,1] = random(1)
%c = Conv(%x, %w) {activation="SiLU"}
%p1 = MaxPool(%c) {kernel_shape=[5,5], pads=[2,2,2,2]}
%p2 = MaxPool(%p1) {kernel_shape=[5,5], pads=[2,2,2,2]}
%y = Concat(%c, %p1, %p2) {axis=1}
output %y
)");
  const QuantParams q = *value_of(b.quantized, "c").quant;
  for (const char* name : {"p1", "p2", "y"}) EXPECT_EQ(*value_of(b.quantized, name).quant, q) << name;
  EXPECT_EQ(test::count_ops(b.quantized, "Convert"), 0);
}

TEST(Quantize, ConcatPushesItsRangeBackToProducersOnlyItReads) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,3,8,8]
%small : f32[4,3,1,1] = fill(0.01)
%large : f32[4,3,1,1] = fill(1)
%a = Conv(%x, %small)
%b = Conv(%x, %large)
%y = Concat(%a, %b) {axis=1}
output %y
)");
  EXPECT_EQ(*value_of(b.quantized, "a").quant, *value_of(b.quantized, "y").quant);
  EXPECT_EQ(*value_of(b.quantized, "b").quant, *value_of(b.quantized, "y").quant);
  EXPECT_EQ(test::count_ops(b.quantized, "Convert"), 0);
}

// A tensor others read would lose resolution: its own parameters stay, the edge is requantized.
TEST(Quantize, ConcatRequantizesAnInputThatOthersReadAndThatIsMuchNarrower) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,3,8,8]
%small : f32[4,3,1,1] = fill(0.01)
%large : f32[4,3,1,1] = fill(1)
%w : f32[4,4,1,1] = random(1)
%a = Conv(%x, %small)
%b = Conv(%x, %large)
%y = Concat(%a, %b) {axis=1}
%z = Conv(%a, %w)
output %y
output %z
)");
  EXPECT_NE(*value_of(b.quantized, "a").quant, *value_of(b.quantized, "y").quant);
  EXPECT_EQ(*value_of(b.quantized, "b").quant, *value_of(b.quantized, "y").quant);
  const Node& concat = test::producer_of(b.quantized, "y");
  EXPECT_EQ(b.quantized[concat.inputs[0]].name, "a__int8");
  EXPECT_EQ(*b.quantized[concat.inputs[0]].quant, *value_of(b.quantized, "y").quant);
  const Node& convert = test::producer_of(b.quantized, "a__int8");
  ASSERT_TRUE(convert.fixed);
  EXPECT_EQ(convert.fixed->scale.size(), 1u);
}

TEST(Quantize, AReluThatStandsAloneGivesItsRangeToWhatFeedsIt) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,1,1] = random(1)
%c = Conv(%x, %w)
%r = Clip(%c) {min=0.0, max=0.5}
output %r
)");
  EXPECT_EQ(*value_of(b.quantized, "c").quant, *value_of(b.quantized, "r").quant);
  EXPECT_EQ(value_of(b.quantized, "c").quant->zero_point[0], -128);
  EXPECT_NEAR(value_of(b.quantized, "c").quant->scale[0], 0.5 / 255, 1e-9);
}

TEST(Quantize, SigmoidStaysInsideItsRange) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,1,1] = fill(40)
%c = Conv(%x, %w) {activation="Sigmoid"}
output %c
)");
  EXPECT_EQ(*value_of(b.quantized, "c").quant, params_of_range(0, b.calibration.at("c").highest, DType::Int8, false));
  EXPECT_LE(value_of(b.quantized, "c").quant->scale[0], 1.0 / 255);
}

TEST(Quantize, PadBringsItsFillIntoTheRange) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,1,4,4]
%p = Pad(%x) {pads=[0,0,1,1,0,0,1,1], mode="constant", value=3.0}
%q = Pad(%x) {pads=[0,0,1,1,0,0,1,1], mode="constant", value=-3e38}
%w : f32[1,1,1,1] = fill(1)
%y = Conv(%p, %w)
%m = MaxPool(%q) {kernel_shape=[3,3]}
output %y
output %m
)");
  const Node& pad = test::producer_of(b.quantized, "p");
  ASSERT_TRUE(pad.fixed);
  EXPECT_EQ(pad.fixed->low, 127);
  EXPECT_EQ(test::producer_of(b.quantized, "q").fixed->low, -128) << "stands for minus infinity";
  EXPECT_LT(value_of(b.quantized, "q").quant->scale[0], 0.05) << "and has no say in the range";
}

TEST(Quantize, DividesByAConstantByMultiplying) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,3,4,4]
%eight : f32[] = {8}
%y = Div(%x, %eight)
%w : f32[2,3,1,1] = random(1)
%z = Conv(%y, %w)
output %z
)");
  const Node& node = test::producer_of(b.quantized, "y");
  EXPECT_EQ(node.op, "Mul");
  const Value& factor = b.quantized[node.inputs[1]];
  EXPECT_DOUBLE_EQ(to_doubles(dequantize_tensor(*factor.constant, *factor.quant))[0], 0.125);
}

TEST(Quantize, GivesAConstantUsedTwiceTwoForms) {
  const Built b = build_text(R"(ir 1
input %x : f32[1,2,2,2]
%k : f32[1,2,1,1] = {0.5, 2}
%a = Add(%x, %k)
%e = Exp(%x)
%m = Pow(%e, %k)
output %a
output %m
)");
  const Value& coded = b.quantized[test::producer_of(b.quantized, "a").inputs[1]];
  const Value& half = b.quantized[test::producer_of(b.quantized, "m").inputs[1]];
  EXPECT_EQ(coded.dtype, DType::Int8);
  EXPECT_EQ(half.dtype, DType::Float16);
  EXPECT_EQ(static_cast<float>(half.constant->values<Float16>()[1]), 2.0f);
}

TEST(Quantize, NamesTensorsThatWereNotCalibrated) {
  const Graph golden = parse_graph(R"(ir 1
input %x : f32[1,2,2,2]
%w : f32[2,2,1,1] = random(1)
%c = Conv(%x, %w)
output %c
)");
  try {
    quantize(golden, assign_precision(golden, test::target(), {}), {}, {});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::QuantizeNoStatistics);
    EXPECT_EQ(error.diagnostics.size(), 2u);
    EXPECT_EQ(error.diagnostics[0].where.tensor, "x");
  }
}

Graph half_build(std::string_view text) {
  const Graph golden = parse_graph(text);
  Graph graph = quantize(golden, assign_precision(golden, test::target(), {.quantize = false}), {}, {});
  lower(graph, test::target());
  verify(graph);
  return graph;
}

TEST(Float16Build, RoundsConstantsAndKeepsBiasesWide) {
  const Graph graph = half_build(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[2,2,1,1] = random(1)
%b : f32[2] = random(2)
%c = Conv(%x, %w, %b)
%k = Cast(%c) {to=0}
%i = ArgMax(%c) {axis=1}
output %k
output %i
)");
  EXPECT_EQ(value_of(graph, "x").dtype, DType::Float16);
  EXPECT_EQ(value_of(graph, "w").dtype, DType::Float16);
  EXPECT_EQ(value_of(graph, "b").dtype, DType::Float32);
  EXPECT_EQ(value_of(graph, "k").dtype, DType::Float16);
  EXPECT_EQ(value_of(graph, "i").dtype, DType::Int64);
  EXPECT_EQ(test::count_ops(graph, "Convert"), 0);
}

TEST(Float16Build, NamesEveryWeightThatOverflows) {
  try {
    half_build(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[2,2,1,1] = {1, 2, 1000000, 3}
%c = Conv(%x, %w)
%k : f32[] = {70000}
%m = Mul(%c, %k)
output %m
)");
    FAIL() << "accepted";
  } catch (const Error& error) {
    ASSERT_EQ(error.diagnostics.size(), 2u);
    EXPECT_EQ(error.diagnostics[0].code, Code::QuantizeHalfOverflow);
    EXPECT_EQ(error.diagnostics[0].where.tensor, "w");
    EXPECT_EQ(error.diagnostics[1].where.tensor, "k");
  }
}

TEST(Float16Build, SaturatesMasksAndSaysSo) {
  std::string said;
  const LogSink before = set_log_sink([&](LogLevel, std::string_view, std::string_view message) { said += message; });
  const Graph graph = half_build(R"(ir 1
input %x : f32[2,2]
%mask : f32[2,2] = {0, -1e9, -inf, 0}
%m = Add(%x, %mask)
%s = Softmax(%m) {axis=1}
output %s
)");
  set_log_sink(before);
  const std::span<const Float16> mask = value_of(graph, "mask").constant->values<Float16>();
  EXPECT_EQ(static_cast<float>(mask[1]), -65504.0f);
  EXPECT_TRUE(std::isinf(static_cast<float>(mask[2])));
  EXPECT_NE(said.find("mask"), std::string::npos) << said;
}

}  // namespace
}  // namespace openrknn
