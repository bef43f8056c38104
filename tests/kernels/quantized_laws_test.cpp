// The integer laws of docs/arithmetic.md, by hand-made integers: ties, zero points before and after the shift, clamps.
#include <gtest/gtest.h>

#include "core/kernels/fixed_point.h"
#include "core/kernels/kernel.h"

namespace openrknn {
namespace {

constexpr Law kAfter{.family = "after", .zero_point_before_shift = false};
constexpr Law kBefore{.family = "before", .zero_point_before_shift = true};

struct Codes {
  Tensor tensor;
  QuantParams quant;
};
Codes codes(Shape shape, const std::vector<int8_t>& values, int32_t zero_point = 0, double scale = 1) {
  return {Tensor::from<int8_t>(std::move(shape), values), {{scale}, {zero_point}}};
}

/// Runs the reference row of the node on channels-last or logical data; inputs are constants too.
std::vector<int> run(const Node& node, const std::vector<Codes>& inputs, Shape out_shape, const QuantParams& out,
                     const Law& law, Layout layout = Layout::Logical, bool ideal = false) {
  std::vector<Operand> operands;
  std::vector<Tensor> tensors;
  for (const Codes& input : inputs) {
    Operand operand;
    operand.dtype = input.tensor.dtype();
    operand.shape = input.tensor.shape();
    operand.layout = operands.empty() ? layout : Layout::Logical;
    operand.quant = input.quant.scale.empty() ? nullptr : &input.quant;
    operand.constant = operands.empty() ? nullptr : &input.tensor;
    operands.push_back(operand);
    tensors.push_back(input.tensor);
  }
  const Operand result{.dtype = DType::Int8, .shape = std::move(out_shape), .layout = layout, .quant = &out};
  const Call call{node, operands, std::span(&result, 1), &law, ideal};
  const Kernel* kernel = choose_kernel(reference_kernels(), call, 0);
  if (kernel == nullptr) {
    ADD_FAILURE() << "no reference kernel takes " << node.op;
    return {};
  }
  Weights weights;
  const Tensor y = run_kernel(*kernel, call, tensors, weights)[0];
  return {y.values<int8_t>().begin(), y.values<int8_t>().end()};
}

Node lowered(std::string op, std::vector<std::pair<int32_t, int>> scale, int32_t low = -128, int32_t high = 127) {
  Node node;
  node.name = op;
  node.op = std::move(op);
  node.fixed = FixedPoint{.scale = std::move(scale), .low = low, .high = high};
  return node;
}

QuantParams params(int32_t zero_point, double scale = 1) { return {{scale}, {zero_point}}; }

TEST(RoundShift, RoundsHalfToEven) {
  for (const auto& [v, expected] : std::vector<std::pair<int64_t, int64_t>>{
           {-6, -2}, {-5, -1}, {-3, -1}, {-2, 0}, {-1, 0}, {0, 0}, {1, 0}, {2, 0}, {3, 1}, {5, 1}, {6, 2}, {7, 2}}) {
    EXPECT_EQ(round_shift(v, 2), expected) << v;
  }
}

// 1/2, 3/2, 5/2: "after" rounds each to even and adds the zero point; "before" rounds the sum to even.
TEST(QuantizedLaw, TheZeroPointEntersBeforeOrAfterTheShift) {
  const Node node = lowered("Convert", {{1, 1}});
  const std::vector<Codes> x = {codes({6}, {1, 3, 5, -1, -3, 2})};
  EXPECT_EQ(run(node, x, {6}, params(1), kAfter), (std::vector<int>{1, 3, 3, 1, -1, 2}));
  EXPECT_EQ(run(node, x, {6}, params(1), kBefore), (std::vector<int>{2, 2, 4, 0, 0, 2}));
  EXPECT_EQ(run(node, x, {6}, params(2), kAfter), run(node, x, {6}, params(2), kBefore)) << "even: no difference";
}

TEST(QuantizedLaw, SaturatesAndClampsOutputCodes) {
  const std::vector<Codes> x = {codes({4}, {127, -128, 10, -10})};
  EXPECT_EQ(run(lowered("Convert", {{4, 0}}), x, {4}, params(5), kAfter), (std::vector<int>{127, -128, 45, -35}));
  EXPECT_EQ(run(lowered("Convert", {{4, 0}}, -20, 40), x, {4}, params(5), kAfter),
            (std::vector<int>{40, -20, 40, -20}));
}

TEST(QuantizedConv, RoundsTwiceAndSkipsPadding) {
  Node node = lowered("Conv", {{3, 2}});
  node.attributes["kernel_shape"] = std::vector<int64_t>{1, 3};
  node.attributes["pads"] = std::vector<int64_t>{0, 1, 0, 1};
  node.fixed->channel = {16384, 8192};  // 1 and 1/2
  const Codes x = codes({1, 1, 3, 1}, {12, 7, 9}, 2);
  Codes w = codes({2, 1, 1, 3}, {1, 2, 3, 4, 5, 7}, 0);
  w.quant = {{1.0, 0.5}, {0, 1}, 0, 0};
  const Codes bias{Tensor::from<int32_t>({2}, {100, -1}), {}};
  // x - 2 = 10 5 7. Channel 0: 100 + (10*2 + 5*3), 100 + (10 + 10 + 21), 100 + (5 + 14).
  // Channel 1, w - 1 = 3 4 6: -1 + (40 + 30), -1 + (30 + 20 + 42), -1 + (15 + 28); halves: 34.5 -> 34, 45.5 -> 46, 21.
  const auto code = [](int v) { return static_cast<int>(round_shift(int64_t{v} * 3, 2)) - 30; };
  EXPECT_EQ(run(node, {x, w, bias}, {1, 1, 3, 2}, params(-30), kAfter, Layout::ChannelsLast),
            (std::vector<int>{code(135), code(34), code(141), code(46), code(119), code(21)}));
}

TEST(QuantizedConv, LeakyReluMultipliesNegativeSumsBySlope) {
  Node node = lowered("Conv", {{1, 0}});
  node.attributes["activation"] = std::string("LeakyRelu");
  node.fixed->slope = {4096};  // 1/4
  const Codes x = codes({1, 1, 4, 1}, {8, -8, -6, -10});
  const Codes w = codes({1, 1, 1, 1}, {1});
  EXPECT_EQ(run(node, {x, w}, {1, 1, 4, 1}, params(0), kAfter, Layout::ChannelsLast), (std::vector<int>{8, -2, -2, -2}))
      << "-1.5 and -2.5 go to even";
}

TEST(QuantizedConv, TransposedScattersWhatConvGathers) {
  Node node = lowered("ConvTranspose", {{1, 0}});
  node.attributes["kernel_shape"] = std::vector<int64_t>{1, 2};
  node.attributes["strides"] = std::vector<int64_t>{1, 2};
  const Codes x = codes({1, 1, 2, 1}, {3, 5}, 1);
  const Codes w = codes({1, 1, 1, 2}, {2, 7});
  EXPECT_EQ(run(node, {x, w}, {1, 1, 4, 1}, params(0), kAfter, Layout::ChannelsLast), (std::vector<int>{4, 14, 8, 28}));
}

TEST(QuantizedElementwise, AddsExactlyAndRoundsOnce) {
  // a in units of 1, b of 1/4, both held in quarters: a*4 + b, then / 4.
  const Node node = lowered("Add", {{4, 0}, {1, 0}, {1, 2}});
  const Codes a = codes({4}, {1, 2, 3, -3}), b = codes({4}, {12, 12, 11, 8}, 10);         // b - 10 = 2 2 1 -2
  EXPECT_EQ(run(node, {a, b}, {4}, params(0), kAfter), (std::vector<int>{2, 2, 3, -4}));  // 1.5 2.5 3.25 -3.5
  Node difference = node;
  difference.op = "Sub";
  EXPECT_EQ(run(difference, {a, b}, {4}, params(0), kAfter), (std::vector<int>{0, 2, 3, -2}));  // .5 1.5 2.75 -2.5
}

TEST(QuantizedElementwise, BroadcastsAndMultiplies) {
  const Node node = lowered("Mul", {{1, 1}});
  const Codes a = codes({2, 2}, {1, 3, 5, 7}, 1), b = codes({2, 1}, {3, -3});
  EXPECT_EQ(run(node, {a, b}, {2, 2}, params(0), kAfter), (std::vector<int>{0, 3, -6, -9}));
}

TEST(QuantizedElementwise, ChoosesAmongOutputCodes) {
  const Codes a = codes({3}, {10, 20, -5}), b = codes({3}, {4, 12, 3});
  EXPECT_EQ(run(lowered("Max", {{1, 1}, {1, 0}}), {a, b}, {3}, params(0), kAfter), (std::vector<int>{5, 12, 3}));
  EXPECT_EQ(run(lowered("Min", {{1, 1}, {1, 0}}), {a, b}, {3}, params(0), kAfter), (std::vector<int>{4, 10, -2}));
  const Codes condition{Tensor::from<bool>({3}, {true, false, true}), {}};
  EXPECT_EQ(run(lowered("Where", {{1, 1}, {1, 0}}), {condition, a, b}, {3}, params(0), kAfter),
            (std::vector<int>{5, 12, -2}));
}

TEST(QuantizedConcat, RequantizesEachOperand) {
  Node node = lowered("Concat", {{1, 1}, {2, 0}});
  node.attributes["axis"] = int64_t{1};
  const Codes a = codes({2, 1}, {6, 7}, 0, 0.5), b = codes({2, 2}, {1, 2, 3, 4}, 1, 2);
  EXPECT_EQ(run(node, {a, b}, {2, 3}, params(1), kAfter), (std::vector<int>{4, 1, 3, 5, 5, 7}));
}

TEST(QuantizedMatMul, BroadcastsBatchesAndTakesVectors) {
  const Node node = lowered("MatMul", {{1, 0}});
  const Codes a = codes({2, 1, 2}, {1, 2, 3, 4}), b = codes({2, 2}, {1, 2, 3, 5}, 1);  // b - 1 = 0 1 2 4
  EXPECT_EQ(run(node, {a, b}, {2, 1, 2}, params(0), kAfter), (std::vector<int>{4, 9, 8, 19}));
  const Codes v = codes({2}, {1, 2});
  EXPECT_EQ(run(node, {v, b}, {2}, params(0), kAfter), (std::vector<int>{4, 9}));
  EXPECT_EQ(run(node, {b, v}, {2}, params(0), kAfter), (std::vector<int>{2, 10}));
}

TEST(QuantizedPool, DividesByWhatEachWindowCounts) {
  Node node = lowered("AveragePool", {{1 << 14, 14}, {1 << 14, 15}, {21845, 16}});
  node.attributes["kernel_shape"] = std::vector<int64_t>{1, 3};
  node.attributes["pads"] = std::vector<int64_t>{0, 1, 0, 1};
  const Codes x = codes({1, 1, 3, 1}, {11, 14, 20}, 10);
  EXPECT_EQ(run(node, {x}, {1, 1, 3, 1}, params(0), kAfter, Layout::ChannelsLast), (std::vector<int>{2, 5, 7}));
}

TEST(QuantizedPRelu, HasASlopePerChannelInBothLayouts) {
  Node node = lowered("PRelu", {{1 << 14, 14}});
  node.fixed->slope = {8192, -16384};
  const Codes slope{Tensor::from<float>({2, 1, 1}, {0.5f, -1.0f}), {}};
  const Codes x = codes({1, 2, 1, 2}, {-4, 3, -4, 3});
  EXPECT_EQ(run(node, {x, slope}, {1, 2, 1, 2}, params(0), kAfter), (std::vector<int>{-2, 3, 4, 3}));
  const Codes last = codes({1, 1, 2, 2}, {-4, -4, 3, 3});
  EXPECT_EQ(run(node, {last, slope}, {1, 1, 2, 2}, params(0), kAfter, Layout::ChannelsLast),
            (std::vector<int>{-2, 4, 3, 3}));
}

TEST(QuantizedConvert, RoundsRealNumbersHalfToEvenAndTakesNanForZero) {
  Node node;
  node.op = "Convert";
  const Codes x{Tensor::from<float>({6}, {0.25f, 0.75f, 1e30f, -1e30f, __builtin_nanf(""), -0.25f}), {}};
  EXPECT_EQ(run(node, {x}, {6}, params(4, 0.5), kAfter), (std::vector<int>{4, 6, 127, -128, 4, 4}));
}

TEST(QuantizedKernels, RefuseNodesThatWereNotLowered) {
  Node node;
  node.op = "Add";
  const QuantParams quant = params(0);
  const Operand codes_operand{.dtype = DType::Int8, .shape = {1}, .quant = &quant};
  const std::vector<Operand> two = {codes_operand, codes_operand};
  EXPECT_EQ(choose_kernel(reference_kernels(), Call{node, two, std::span(two).first(1), &kAfter, false}, 0), nullptr);
  EXPECT_NE(choose_kernel(reference_kernels(), Call{node, two, std::span(two).first(1), &kAfter, true}, 0), nullptr);
}

}  // namespace
}  // namespace openrknn
