// LSTM, GRU and RNN: the fast rows give the reference's bytes, in every output.
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::has_fast_rows;
using fast_cases::is_reference;
using fast_cases::Random;

struct Layer {
  std::string op;
  int64_t gates, functions;
  size_t outputs;
};
const Layer kLayers[] = {{"LSTM", 4, 3, 3}, {"GRU", 3, 2, 2}, {"RNN", 1, 1, 2}};

struct Sizes {
  int64_t steps, batch, input, hidden;
};
const Sizes kSizes[] = {{1, 1, 1, 1},   {3, 1, 5, 16},  {2, 3, 7, 20},   {5, 2, 33, 64},
                        {4, 19, 8, 24}, {70, 1, 3, 48}, {300, 2, 4, 10}, {2, 8, 16, 130}};

/// A layer with everything it refers to.
struct Call3 {
  std::string text;
  Node node;
  std::vector<Tensor> inputs;
  std::vector<Operand> input_operands, outputs;
  Call call() const { return {node, input_operands, outputs, nullptr, false}; }
};

struct Options {
  std::string direction = "forward";
  bool bias = true, lengths = false, initial = false, peephole = false, clip = false, flag = false, odd = false;
  bool only_last = false;
};

Call3 make(const Layer& layer, const Sizes& s, const Options& o, DType dtype, uint32_t seed) {
  Random random(seed);
  Call3 c;
  c.text = layer.op + ' ' + to_string(Shape{s.steps, s.batch, s.input, s.hidden}) + ' ' + o.direction + ' ' +
           std::string(name(dtype)) + " seed " + std::to_string(seed);
  const int64_t directions = o.direction == "bidirectional" ? 2 : 1, rows = layer.gates * s.hidden;
  c.node.name = c.node.op = layer.op;
  std::vector<std::string> functions;
  const std::vector<std::string> usual = {"Sigmoid", "Tanh", "Tanh"}, odd = {"HardSigmoid", "Softsign", "LeakyRelu"};
  for (int64_t i = 0; i < directions * layer.functions; ++i) {
    const auto place = static_cast<size_t>(layer.op == "RNN" ? 1 : i % layer.functions);
    functions.push_back(o.odd ? odd[place] : usual[place]);
  }
  c.node.attributes = {{"direction", o.direction},
                       {"activation_alpha", std::vector<double>(functions.size(), 0.2)},
                       {"activation_beta", std::vector<double>(functions.size(), 0.5)},
                       {"activations", functions}};
  if (o.clip) c.node.attributes["clip"] = 0.4;
  if (o.clip && layer.op == "LSTM") c.node.attributes["cell_clip"] = 0.2;
  if (o.flag && layer.op == "LSTM") c.node.attributes["input_forget"] = int64_t{1};
  if (o.flag && layer.op == "GRU") c.node.attributes["linear_before_reset"] = int64_t{1};
  c.inputs.push_back(random.reals(dtype, {s.steps, s.batch, s.input}));
  c.inputs.push_back(random.reals(dtype, {directions, rows, s.input}, 0.3f));
  c.inputs.push_back(random.reals(dtype, {directions, rows, s.hidden}, 0.3f));
  const auto optional = [&](bool there, const Shape& shape) {
    c.inputs.push_back(there ? random.reals(dtype, shape, 0.5f) : Tensor());
  };
  optional(o.bias, {directions, 2 * rows});
  Tensor lengths(DType::Int32, {s.batch});
  for (int32_t& n : lengths.mutable_values<int32_t>()) n = static_cast<int32_t>(random.integer(0, s.steps));
  c.inputs.push_back(o.lengths ? lengths : Tensor());
  optional(o.initial, {directions, s.batch, s.hidden});
  if (layer.op == "LSTM") {
    optional(o.initial, {directions, s.batch, s.hidden});
    optional(o.peephole, {directions, 3 * s.hidden});
  }
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    Operand operand;
    operand.dtype = c.inputs[i].dtype();
    operand.shape = c.inputs[i].shape();
    operand.present = i < 3 || c.inputs[i].size() > 0;
    c.input_operands.push_back(operand);
  }
  const Shape shapes[] = {{s.steps, directions, s.batch, s.hidden}, {directions, s.batch, s.hidden}};
  for (size_t i = 0; i < layer.outputs; ++i) {
    Operand operand;
    operand.dtype = dtype;
    operand.shape = shapes[i == 0 ? 0 : 1];
    operand.present = i > 0 || !o.only_last;
    c.outputs.push_back(operand);
  }
  return c;
}

void judge_recurrent(Call3 c) {
  for (const size_t i : {size_t{1}, size_t{2}, size_t{3}}) {
    if (c.input_operands[i].present) c.input_operands[i].constant = &c.inputs[i];
  }
  const Call call = c.call();
  Weights weights;
  const Kernel* reference = choose_kernel(reference_kernels(), call, 0);
  ASSERT_NE(reference, nullptr) << c.text;
  const std::vector<Tensor> expected = run_kernel(*reference, call, c.inputs, weights);
  int judged = 0;
  for (const Kernel& row : builtin_kernels()) {
    if (row.op != c.node.op || is_reference(row) || (row.needs & ~detect_cpu()) != 0) continue;
    ASSERT_TRUE(row.accepts(call)) << row.name << ": " << c.text;
    ++judged;
    const std::vector<Tensor> got = run_kernel(row, call, c.inputs, weights);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_TRUE(identical(got[i], expected[i])) << row.name << ", output " << i << ": " << c.text;
    }
  }
  EXPECT_GE(judged, 1) << c.text;
}

void judge_all(const Options& options) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 1;
  for (const Layer& layer : kLayers) {
    for (const Sizes& sizes : kSizes) {
      for (const DType dtype : {DType::Float32, DType::Float16})
        judge_recurrent(make(layer, sizes, options, dtype, seed++));
    }
  }
}

TEST(FastRecurrent, ForwardEqualsReference) { judge_all({}); }
TEST(FastRecurrent, ReverseWithoutBiasEqualsReference) { judge_all({.direction = "reverse", .bias = false}); }
TEST(FastRecurrent, BothDirectionsWithLengthsAndStatesEqualReference) {
  judge_all({.direction = "bidirectional", .lengths = true, .initial = true});
}
TEST(FastRecurrent, PeepholesAndClipEqualReference) { judge_all({.peephole = true, .clip = true}); }
TEST(FastRecurrent, OtherFunctionsAndFlagsEqualReference) { judge_all({.flag = true, .odd = true}); }
TEST(FastRecurrent, PeepholesWithInputForgetEqualReference) {
  judge_all({.direction = "bidirectional", .initial = true, .peephole = true, .flag = true});
}
TEST(FastRecurrent, OnlyTheLastStateEqualsReference) { judge_all({.lengths = true, .only_last = true}); }
TEST(FastRecurrent, NonConstantWeightsAreLeftToTheReference) {
  Call3 c = make(kLayers[0], kSizes[1], {}, DType::Float32, 1);
  for (const Kernel& row : builtin_kernels()) {
    if (row.op != "LSTM") continue;
    EXPECT_EQ(row.accepts(c.call()), is_reference(row)) << row.name;
  }
}

}  // namespace
}  // namespace openrknn
