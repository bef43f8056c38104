// The whole list on random convolutional networks: valid after every pass, the same numbers at the end.
#include <gtest/gtest.h>

#include <random>

#include "compiler/passes/pass.h"
#include "core/graph/text.h"
#include "passes/run_both.h"

namespace openrknn {
namespace {

/// Text of a random network over [1, channels, size, size] images, with everything the passes look for strewn in.
class Network {
 public:
  explicit Network(uint32_t seed) : random_(seed) {
    text_ =
        "ir 1\ninput %x : f32[1,4,8,8]\n%c0 : f32[] = {0}\n%c1 : f32[] = {1}\n%half : f32[] = {0.5}\n"
        "%three : f32[] = {3}\n%six : f32[] = {6}\n%root : f32[] = {1.4142135}\n%twice : f32[1] = {2}\n";
    live_ = {"x"};
    const int blocks = 3 + pick(6);
    for (int i = 0; i < blocks; ++i) block();
    const std::string last = live_.back();
    const std::string pooled = node("ReduceMean(%" + last + ") {axes=[2,3], keepdims=" + (pick(2) ? "0" : "1") + "}");
    const std::string flat = node("Reshape(%" + pooled + ") {shape=[1,4]}");
    const std::string product = node("MatMul(%" + flat + ", %" + constant("4,5") + ")");
    text_ += "output %" + node("Add(%" + product + ", %" + constant("5") + ")") + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  std::string any() { return live_[static_cast<size_t>(pick(static_cast<int>(live_.size())))]; }
  std::string constant(const std::string& shape) {
    const std::string name = "k" + std::to_string(++count_);
    text_ += "%" + name + " : f32[" + shape + "] = random(" + std::to_string(count_) + ")\n";
    return name;
  }
  std::string node(const std::string& expression) {
    const std::string name = "n" + std::to_string(++count_);
    text_ += "%" + name + " = " + expression + " from [" + name + "]\n";
    return name;
  }
  std::string conv(const std::string& x) {
    switch (pick(4)) {
      case 0:
        return node("Conv(%" + x + ", %" + constant("4,1,3,3") + ") {group=4, pads=[1,1,1,1]}");
      case 1:
        return node("Conv(%" + x + ", %" + constant("4,4,1,1") + ", %" + constant("4") + ")");
      case 2:
        return node("ConvTranspose(%" + x + ", %" + constant("4,4,3,3") + ") {pads=[1,1,1,1]}");
      default: {
        const std::string padded = node("Pad(%" + x + ") {pads=[0,0,1,1,0,0,1,1]}");
        return node("Conv(%" + padded + ", %" + constant("4,4,3,3") + ")");
      }
    }
  }
  std::string scaled(const std::string& x) {
    switch (pick(5)) {
      case 0: {
        const std::string variance = node("Exp(%" + constant("4") + ")");
        return node("BatchNormalization(%" + x + ", %" + constant("4") + ", %" + constant("4") + ", %" + constant("4") +
                    ", %" + variance + ")");
      }
      case 1:
        return node("Mul(%" + x + ", %" + constant("1,4,1,1") + ")");
      case 2:
        return node("Add(%" + constant("4,1,1") + ", %" + x + ")");
      case 3:
        return node("Sub(%" + x + ", %half)");
      default:
        return node("Div(%" + x + ", %twice)");
    }
  }
  std::string activated(const std::string& x) {
    switch (pick(7)) {
      case 0:
        return node("Relu(%" + x + ")");
      case 1:
        return node("Min(%" + node("Max(%" + x + ", %c0)") + ", %six)");
      case 2:
        return node("Mul(%" + x + ", %" + node("Sigmoid(%" + x + ")") + ")");
      case 3: {
        const std::string clip = node("Clip(%" + node("Add(%" + x + ", %three)") + ") {min=0, max=6}");
        return node("Div(%" + node("Mul(%" + x + ", %" + clip + ")") + ", %six)");
      }
      case 4: {
        const std::string erf = node("Erf(%" + node("Div(%" + x + ", %root)") + ")");
        const std::string inner = node("Mul(%" + x + ", %" + node("Add(%" + erf + ", %c1)") + ")");
        return node("Mul(%" + inner + ", %half)");
      }
      case 5:
        return node("Mul(%" + x + ", %" + node("Tanh(%" + node("Softplus(%" + x + ")") + ")") + ")");
      default:
        return node("LeakyRelu(%" + x + ") {alpha=0.1}");
    }
  }
  std::string moved(const std::string& x) {
    const std::string there = node("Transpose(%" + x + ") {perm=[0,2,3,1]}");
    const std::string flat = node("Reshape(%" + there + ") {shape=[64,4]}");
    const std::string back = node("Reshape(%" + flat + ") {shape=[1,8,8,4]}");
    return node("Transpose(%" + back + ") {perm=[0,3,1,2]}");
  }
  void block() {
    std::string x = conv(any());
    for (int i = pick(3); i > 0; --i) x = scaled(x);
    if (pick(3)) x = activated(x);
    if (!pick(3)) x = moved(x);
    if (!pick(3)) x = node("Add(%" + x + ", %" + any() + ")");
    if (!pick(3)) x = activated(x);
    live_.push_back(x);
  }

  std::mt19937 random_;
  std::string text_;
  std::vector<std::string> live_;
  int count_ = 0;
};

/// Every list until it rests, as compile.cpp runs them; verified after each pass.
void run_lists(Graph& graph) {
  const PassContext context{.evaluate = evaluate, .note = {}};
  for (const std::span<const Pass> list : {clean_passes(), fold_passes(), fuse_passes(), clean_passes()}) {
    bool changed = true;
    for (int round = 0; changed; ++round) {
      ASSERT_LT(round, 30) << "never settles";
      changed = false;
      for (const Pass& pass : list) {
        SCOPED_TRACE(pass.name);
        changed = pass.run(graph, context) || changed;
        ASSERT_NO_THROW(verify(graph));
      }
    }
  }
}

// Folding a factor into the weights behind it must not take the end of a pattern away.
TEST(PassLists, FindFunctionsThatEndInAFactorBeforeALayer) {
  const Graph original = parse_graph(R"(ir 1
input %x : f32[1,6,8]
%w : f32[8,4] = random(3)
%root : f32[1] = {1.4142135}
%one : f32[1] = {1}
%half : f32[1] = {0.5}
%ratio = Div(%x, %root)
%erf = Erf(%ratio)
%sum = Add(%erf, %one)
%product = Mul(%x, %sum)
%gelu = Mul(%product, %half)
%y = MatMul(%gelu, %w)
output %y
)",
                                     {}, evaluate);
  Graph graph = original;
  run_lists(graph);
  std::vector<std::string> ops;
  for (const NodeId id : graph.order()) ops.push_back(graph[id].op);
  EXPECT_EQ(ops, (std::vector<std::string>{"Gelu", "MatMul"}));
  expect_same_numbers(original, graph, 1e-5, 2);
}

TEST(PassLists, KeepRandomNetworksValidAndTheirNumbersTheSame) {
  int64_t before = 0, after = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph original = parse_graph(Network(seed).text(), {}, evaluate);
    Graph graph = original;
    run_lists(graph);
    if (HasFatalFailure()) return;
    expect_same_numbers(original, graph, 1e-4, 1);
    if (HasFailure()) return;
    before += static_cast<int64_t>(original.order().size());
    after += static_cast<int64_t>(graph.order().size());
    for (const Origin& origin : original.origins) {
      const bool placed = !graph.computing(origin.tensor).empty() || graph.find(origin.tensor) != ValueId::None;
      const int32_t index = static_cast<int32_t>(&origin - original.origins.data());
      const std::vector<int32_t>& unplaced = graph.unplaced_origins;
      EXPECT_TRUE(placed || std::find(unplaced.begin(), unplaced.end(), index) != unplaced.end()) << origin.tensor;
    }
  }
  EXPECT_LT(after * 2, before) << "the passes should leave less than half of the nodes";
}

}  // namespace
}  // namespace openrknn
