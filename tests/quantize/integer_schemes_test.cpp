// Every operator that must run on integers does so in each integer scheme: no conversion to float16, by the stored
// integers within a code or so of real arithmetic, and by the fast kernels with the bits of the reference.
#include <fmt/format.h>

#include "support.h"

namespace openrknn {
namespace {

using test::Dice;

struct SchemeCase {
  Scheme scheme;
  DType codes;
  double worst;  // codes between the law and one rounding of the real result
};
// Int16 codes are finer than the multiplier's 15 bits: far from the zero point it is worth up to two of them. Powers of
// two are exact, but for the pre-activation of a curve.
constexpr SchemeCase kSchemeCases[] = {{Scheme::W8A8, DType::Int8, 1.001},
                                       {Scheme::W16A16I, DType::Int16, 3.001},
                                       {Scheme::W16A16I_DFP, DType::Int16, 2.001}};

struct OperatorCase {
  const char* name;
  const char* body;     // from %x : [2,3,6,8], %z of the same shape; the result is %y
  double range = 1;     // of the inputs: -range to range
  double more = 0;      // codes beyond the scheme's own
  bool in_wide = true;  // false: int16 keeps it in float16
};
constexpr OperatorCase kOperators[] = {
    {"Conv", "%w : f32[5,3,3,3] = random(1)\n%b : f32[5] = random(2)\n%y = Conv(%x, %w, %b) {pads=[1,1,1,1]}"},
    {"ConvRelu", "%w : f32[5,3,3,3] = random(1)\n%y = Conv(%x, %w) {activation=\"Relu\"}"},
    {"ConvClip",
     "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"Clip\", activation_min=-0.1, activation_max=0.4}"},
    {"ConvLeakyRelu",
     "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"LeakyRelu\", activation_alpha=0.1}"},
    {"ConvSigmoid", "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"Sigmoid\"}"},
    {"ConvTanh", "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"Tanh\"}"},
    {"ConvSoftplus", "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"Softplus\"}"},
    {"ConvHardSigmoid", "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"HardSigmoid\"}", 3},
    {"ConvHardSwish", "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"HardSwish\"}", 3},
    {"ConvElu", "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"Elu\"}"},
    {"ConvSiLU", "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"SiLU\"}"},
    {"ConvMish", "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"Mish\"}"},
    {"ConvGelu", "%w : f32[5,3,1,1] = random(1)\n%y = Conv(%x, %w) {activation=\"Gelu\"}"},
    {"Depthwise", "%w : f32[6,1,3,3] = random(1)\n%y = Conv(%x, %w) {group=3, strides=[2,1]}"},
    {"ConvTranspose",
     "%w : f32[3,4,2,2] = random(1)\n%b : f32[4] = random(2)\n"
     "%y = ConvTranspose(%x, %w, %b) {strides=[2,2]}"},
    {"GroupedConvTranspose", "%w : f32[3,2,3,3] = random(1)\n%y = ConvTranspose(%x, %w) {group=3, strides=[2,2]}"},
    {"MatMul", "%w : f32[8,7] = random(1)\n%b : f32[7] = random(2)\n%y = MatMul(%x, %w, %b)"},
    {"MatMulGelu", "%w : f32[8,7] = random(1)\n%y = MatMul(%x, %w) {activation=\"Gelu\"}"},
    {"MatMulByVector", "%w : f32[8] = random(1)\n%y = MatMul(%x, %w)"},
    {"DynamicMatMul", "%t = Transpose(%z) {perm=[0,1,3,2]}\n%y = MatMul(%x, %t)"},
    {"Add", "%y = Add(%x, %z)"},
    {"AddRelu", "%y = Add(%x, %z) {activation=\"Relu\"}"},
    {"AddConstant", "%k : f32[3,1,1] = random(4)\n%y = Add(%x, %k)"},
    {"Sub", "%y = Sub(%x, %z)"},
    {"Mul", "%y = Mul(%x, %z)"},
    {"DivByConstant", "%k : f32[] = {3}\n%y = Div(%x, %k)"},
    {"Max", "%y = Max(%x, %z)"},
    {"Min", "%y = Min(%x, %z)"},
    {"MaxPool", "%y = MaxPool(%x) {kernel_shape=[2,2], strides=[2,2]}"},
    {"AveragePool", "%y = AveragePool(%x) {kernel_shape=[3,3], pads=[1,1,1,1]}"},
    {"GlobalMaxPool", "%y = GlobalMaxPool(%x)"},
    {"GlobalAveragePool", "%y = GlobalAveragePool(%x)"},
    {"Concat", "%s = Mul(%z, %z)\n%o = Neg(%x)\n%y = Concat(%x, %s, %o) {axis=1}"},
    {"Split", "%y, %r = Split(%x) {axis=3, split=[3,5]}"},
    {"Slice", "%y = Slice(%x) {starts=[0,0,1,0], ends=[2,3,6,8], steps=[1,1,2,3]}"},
    {"Reshape", "%y = Reshape(%x) {shape=[2,18,8]}"},
    {"Transpose", "%y = Transpose(%x) {perm=[0,2,3,1]}"},
    {"Pad", "%y = Pad(%x) {pads=[0,0,1,2,0,0,0,1], mode=\"constant\", value=0.25}"},
    {"PadReflect", "%y = Pad(%x) {pads=[0,0,1,2,0,0,0,1], mode=\"reflect\"}"},
    {"ResizeNearest", "%y = Resize(%x) {sizes=[2,3,12,16], scales=[1.0,1.0,2.0,2.0], mode=\"nearest\"}"},
    {"ResizeLinear", "%y = Resize(%x) {sizes=[2,3,9,12], scales=[1.0,1.0,1.5,1.5], mode=\"linear\"}"},
    {"Expand",
     "%n = Slice(%x) {starts=[0,0,0,0], ends=[2,3,6,1], steps=[1,1,1,1]}\n"
     "%y = Expand(%n) {shape=[2,3,6,4]}"},
    {"Tile", "%y = Tile(%x) {repeats=[1,2,1,1]}"},
    {"Gather", "%i : i64[2] = {2, 0}\n%y = Gather(%x, %i) {axis=1}"},
    {"Relu", "%y = Relu(%x)"},
    {"Clip", "%y = Clip(%x) {min=-0.25, max=0.5}"},
    {"LeakyRelu", "%y = LeakyRelu(%x) {alpha=0.2}"},
    {"PRelu", "%s : f32[3,1,1] = {0.1, -0.5, 1.75}\n%y = PRelu(%x, %s)"},
    {"PReluOfOne", "%s : f32[1] = {0.25}\n%y = PRelu(%x, %s)"},
    {"Sigmoid", "%y = Sigmoid(%x)", 6},
    {"Tanh", "%y = Tanh(%x)", 3},
    {"HardSigmoid", "%y = HardSigmoid(%x) {alpha=0.16666667, beta=0.5}", 6},
    {"HardSwish", "%y = HardSwish(%x)", 6},
    {"Softplus", "%y = Softplus(%x)", 6},
    {"Elu", "%y = Elu(%x)", 3},
    {"Selu", "%y = Selu(%x)", 3},
    {"Celu", "%y = Celu(%x) {alpha=0.5}", 3},
    {"Softsign", "%y = Softsign(%x)", 3},
    {"ThresholdedRelu", "%y = ThresholdedRelu(%x) {alpha=0.5}", 1, 0, false},
    {"SiLU", "%y = SiLU(%x)", 8},
    {"Mish", "%y = Mish(%x)", 8},
    {"Gelu", "%y = Gelu(%x)", 4},
    {"GeluTanh", "%y = Gelu(%x) {approximate=\"tanh\"}", 4},
    {"Neg", "%y = Neg(%x)"},
    {"Abs", "%y = Abs(%x)"},
    {"Softmax", "%w : f32[8,8] = random(1)\n%a = MatMul(%x, %w)\n%s = Softmax(%a) {axis=3}\n%y = MatMul(%s, %w)", 4, 1},
    {"SoftmaxOfChannels",
     "%w : f32[3,3,1,1] = random(1)\n%a = Conv(%x, %w)\n%s = Softmax(%a) {axis=1}\n%y = Conv(%s, %w)", 4, 1},
    {"ReduceMean", "%y = ReduceMean(%x) {axes=[2,3], keepdims=1}"},
    {"ReduceSum", "%y = ReduceSum(%x) {axes=[1], keepdims=0}"},
    {"ReduceMax", "%y = ReduceMax(%x) {axes=[3], keepdims=1}"},
    {"ReduceMin", "%y = ReduceMin(%x) {axes=[1], keepdims=1}"},
    {"DepthToSpace", "%t = Tile(%x) {repeats=[1,4,1,1]}\n%y = DepthToSpace(%t) {blocksize=2, mode=\"DCR\"}"},
    {"SpaceToDepth", "%y = SpaceToDepth(%x) {blocksize=2}"},
    {"Where", "%c : bool[1,3,6,1] = {1,0,1,1,0,0,1,0,1,0,1,1,0,1,0,0,1,1}\n%s = Mul(%z, %z)\n%y = Where(%c, %x, %s)"},
    {"BatchNormalization",
     "%g : f32[3] = random(5)\n%b : f32[3] = random(2)\n%m : f32[3] = random(3)\n"
     "%v : f32[3] = {0.01, 1, 30}\n"
     "%y = BatchNormalization(%x, %g, %b, %m, %v) {epsilon=0.001}"},
};

std::string graph_of(const OperatorCase& c) {
  const std::string_view body = c.body;
  const bool second = body.find("%z") != std::string_view::npos, rest = body.find("%r ") != std::string_view::npos;
  return fmt::format("ir 1\ninput %x : f32[2,3,6,8]\n{}{}\noutput %y\n{}", second ? "input %z : f32[2,3,6,8]\n" : "",
                     body, rest ? "output %r\n" : "");
}

class IntegerSchemes : public testing::TestWithParam<OperatorCase> {};

TEST_P(IntegerSchemes, ComputeIt) {
  const OperatorCase& op = GetParam();
  const std::string text = graph_of(op);
  for (const SchemeCase& scheme : kSchemeCases) {
    if (scheme.codes == DType::Int16 && !op.in_wide) continue;
    for (const std::string_view soc_name : {"rk3588", "rv1106"}) {
      const Target& soc = test::target(soc_name);
      for (uint32_t seed = 1; seed <= 3; ++seed) {
        SCOPED_TRACE(fmt::format("{} in {} on {}, seed {}", op.name, name(scheme.scheme), soc_name, seed));
        Dice dice(seed);
        Graph golden = parse_graph(text);
        const test::MemorySamples samples = test::uniform_samples(golden, dice, 2, -op.range, op.range);
        const test::Built b = test::build(std::move(golden), samples, options_of(scheme.scheme), soc, scheme.scheme);
        for (const NodeId id : b.quantized.order()) {
          for (const ValueId output : b.quantized[id].outputs) {
            EXPECT_EQ(name(b.quantized[output].dtype), name(scheme.codes)) << b.quantized[output].name;
          }
        }
        const std::vector<Tensor> input = samples.get(0);
        const auto fixed = test::run_real(b.quantized, input, false, soc);
        const auto ideal = test::run_real(b.quantized, input, true, soc);
        EXPECT_EQ(test::run_real(b.quantized, input, false, soc, false), fixed) << "a fast kernel has other bits";
        for (size_t o = 0; o < fixed.size(); ++o) {
          const double scale = b.quantized[b.quantized.outputs[o]].quant->scale[0];
          double worst = 0;
          for (size_t i = 0; i < fixed[o].size(); ++i) {
            worst = std::max(worst, std::abs(fixed[o][i] - ideal[o][i]) / scale);
          }
          EXPECT_LE(worst, scheme.worst + op.more);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Operators, IntegerSchemes, testing::ValuesIn(kOperators),
                         [](const auto& operator_case) { return std::string(operator_case.param.name); });

}  // namespace
}  // namespace openrknn
