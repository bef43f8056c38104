#include "core/executor/run.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/executor/profile.h"
#include "core/graph/text.h"
#include "executor/executor_support.h"
#include "support/random_graph.h"

namespace openrknn {
namespace {

using test::floats;
using test::kOneByOne;

Tensor vector(std::vector<float> values) { return Tensor::from<float>({static_cast<int64_t>(values.size())}, values); }

/// A graph in text form, planned and ready.
struct Planned {
  explicit Planned(const std::string& text, PlanOptions options = {}, int threads = 1)
      : graph(parse_graph(text)), pool(threads), run(plan(graph, {}, options, weights), pool) {}
  ValueId operator[](std::string_view name) const { return graph.find(name); }
  std::string name_of(NodeId id) const { return id == NodeId::None ? "" : graph[id].name; }

  Graph graph;
  Weights weights;
  ThreadPool pool;
  Run run;
};

template <class Action>
Code code_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return Code{0};
}

const std::string kChain = R"(ir 1
input %x : f32[3]
%a = Relu(%x)
%b = Neg(%a)
%c = Abs(%b)
output %c
)";

TEST(Run, StepsThroughNodesAndStartsOver) {
  Planned p(kChain);
  p.run.set(p["x"], vector({-1, 2, 3}));
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(p.name_of(p.run.step()), "a");
    EXPECT_EQ(floats(p.run.get(p["a"])), (std::vector<float>{0, 2, 3}));
    EXPECT_EQ(p.name_of(p.run.step()), "b");
    EXPECT_EQ(floats(p.run.get(p["b"])), (std::vector<float>{0, -2, -3}));
    EXPECT_EQ(p.name_of(p.run.step()), "c");
    EXPECT_EQ(p.run.step(), NodeId::None);
    EXPECT_EQ(floats(p.run.get(p["c"])), (std::vector<float>{0, 2, 3}));
  }
  p.run.run();
  EXPECT_EQ(p.name_of(p.run.step()), "a");
}

TEST(Run, StepsOverConversionsWithTheirReader) {
  Planned p(R"(ir 1
input %x : f32[1,2,3,3]
%w : f32[2,2,1,1] = random(1)
%a = Conv(%x, %w) )" +
            kOneByOne + R"(
%m = MatMul(%a, %a)
output %m
)");
  p.run.set(p["x"], Tensor::zeros(DType::Float32, {1, 2, 3, 3}));
  EXPECT_EQ(p.name_of(p.run.step()), "a");
  EXPECT_EQ(p.name_of(p.run.step()), "m");
  EXPECT_EQ(p.run.step(), NodeId::None);
}

TEST(Run, TakesInputsInEitherLayout) {
  Planned p(R"(ir 1
input %x : f32[1,2,1,3]
%w : f32[2,2,1,1] = {1, 0, 0, 1}
%a = Conv(%x, %w) )" +
            kOneByOne + R"(
output %a
output %x
)");
  EXPECT_EQ(p.run.layout(p["x"]), Layout::ChannelsLast);
  const Tensor logical = Tensor::from<float>({1, 2, 1, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor last = Tensor::from<float>({1, 1, 3, 2}, {1, 4, 2, 5, 3, 6});
  p.run.set(p["x"], last, Layout::ChannelsLast);
  p.run.run();
  EXPECT_TRUE(identical(p.run.get(p["a"]), logical));
  EXPECT_TRUE(identical(p.run.get(p["x"]), logical));
  const std::span<const std::byte> raw = p.run.raw(p["a"]);
  EXPECT_TRUE(std::equal(raw.begin(), raw.end(), last.bytes().begin(), last.bytes().end()));
  p.run.set(p["x"], Tensor::zeros(DType::Float32, {1, 2, 1, 3}));
  p.run.set(p["x"], logical);
  p.run.run();
  EXPECT_TRUE(identical(p.run.get(p["a"]), logical));
}

TEST(Run, RefusesInputsOfWrongTypeShapeOrName) {
  Planned p(kChain);
  EXPECT_EQ(code_of([&] { p.run.set(p["x"], vector({1, 2})); }), Code::RuntimeBadInput);
  EXPECT_EQ(code_of([&] { p.run.set(p["x"], Tensor::zeros(DType::Float16, {3})); }), Code::RuntimeBadInput);
  EXPECT_EQ(code_of([&] { p.run.set(ValueId(77), vector({1, 2, 3})); }), Code::GraphUnknownName);
  EXPECT_EQ(code_of([&] { p.run.get(ValueId::None); }), Code::GraphUnknownName);
}

TEST(Run, NamesInputsThatWereNotSet) {
  Planned p(R"(ir 1
input %x : f32[3]
input %y : f32[3]
input %unused : f32[3]
%a = Add(%x, %y)
output %a
)");
  p.run.set(p["x"], vector({1, 2, 3}));
  try {
    p.run.run();
    FAIL() << "ran without %y";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::RuntimeInputNotSet);
    EXPECT_NE(std::string(error.what()).find("'y'"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("unused"), std::string::npos) << error.what();
  }
  p.run.set(p["y"], vector({1, 1, 1}));
  p.run.run();
  EXPECT_EQ(floats(p.run.get(p["a"])), (std::vector<float>{2, 3, 4}));
}

TEST(Run, KeepsInputsForTheNextRun) {
  // Relu and Neg work in place; the input must survive them.
  Planned p(kChain);
  p.run.set(p["x"], vector({-1, 2, 3}));
  for (int i = 0; i < 3; ++i) {
    p.run.run();
    EXPECT_EQ(floats(p.run.get(p["c"])), (std::vector<float>{0, 2, 3}));
    EXPECT_EQ(floats(p.run.get(p["x"])), (std::vector<float>{-1, 2, 3}));
  }
}

TEST(Run, WorksInPlaceOnlyOnTheLastUse) {
  Planned p(R"(ir 1
input %x : f32[64]
%a = Abs(%x)
%b = Neg(%a)
%c = Exp(%b)
%d = Add(%a, %c)
%e = Mul(%d, %d)
output %e
)");
  Tensor x(DType::Float32, {64});
  for (float& v : x.mutable_values<float>()) v = 0;
  x.mutable_values<float>()[1] = -3;
  p.run.set(p["x"], x);
  p.run.run();
  EXPECT_EQ(floats(p.run.get(p["e"]))[0], 1);
  EXPECT_NEAR(floats(p.run.get(p["e"]))[1], 9.30119, 1e-4);
  // The input stays; %a, and %b with everything after it in one place.
  EXPECT_LE(summary(*plan(p.graph, {}, {}, p.weights)).arena_bytes, 3 * (256 + 64));
}

TEST(Run, NeverWritesOverAnOutputThatIsReadAgain) {
  Planned p(R"(ir 1
input %x : f32[3]
%a = Abs(%x)
%r = Reshape(%a) {shape=[3,1]}
%b = Neg(%r)
output %a
output %b
output %a
)");
  p.run.set(p["x"], vector({-1, 2, -3}));
  p.run.run();
  EXPECT_EQ(floats(p.run.get(p["a"])), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(floats(p.run.get(p["b"])), (std::vector<float>{-1, -2, -3}));
}

TEST(RunGraph, GivesOutputsThatAreInputsConstantsOrTwiceTheSame) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[2]
%c : f32[2] = {7, 8}
%y = Neg(%x)
output %x
output %c
output %y
output %y
)");
  ThreadPool pool(1);
  const Tensor x = vector({1, 2});
  const std::vector<Tensor> got = run_graph(graph, {}, std::span(&x, 1), pool);
  ASSERT_EQ(got.size(), 4u);
  EXPECT_EQ(floats(got[0]), (std::vector<float>{1, 2}));
  EXPECT_EQ(floats(got[1]), (std::vector<float>{7, 8}));
  EXPECT_EQ(floats(got[2]), (std::vector<float>{-1, -2}));
  EXPECT_TRUE(identical(got[2], got[3]));
  EXPECT_EQ(code_of([&] { run_graph(graph, {}, {}, pool); }), Code::RuntimeBadInput);
}

TEST(Run, GivesACopyThatLaterRunsLeaveAlone) {
  Planned p(kChain);
  p.run.set(p["x"], vector({1, 2, 3}));
  p.run.run();
  const Tensor first = p.run.get(p["c"]);
  p.run.set(p["x"], vector({4, 5, 6}));
  p.run.run();
  EXPECT_EQ(floats(first), (std::vector<float>{1, 2, 3}));
}

TEST(Run, ReadsOnlyWhatIsStillThere) {
  Planned p(R"(ir 1
input %x : f32[64,64]
%a = Transpose(%x) {perm=[1,0]}
%b = Transpose(%a) {perm=[1,0]}
%c = Transpose(%b) {perm=[1,0]}
output %c
)");
  EXPECT_EQ(code_of([&] { p.run.get(p["x"]); }), Code::GraphUnknownName);
  EXPECT_EQ(code_of([&] { p.run.get(p["c"]); }), Code::GraphUnknownName);
  p.run.set(p["x"], Tensor::zeros(DType::Float32, {64, 64}));
  p.run.run();
  EXPECT_EQ(code_of([&] { p.run.get(p["a"]); }), Code::GraphUnknownName);
  EXPECT_EQ(p.run.get(p["c"]).shape(), (Shape{64, 64}));
}

TEST(Run, ReadsACopyInAnotherLayoutWhereTheFirstIsGone) {
  Planned p(R"(ir 1
input %x : f32[1,8,6,7]
input %grid : f32[1,3,4,2]
%lengths : i64[8] = {1, 1, 1, 1, 1, 1, 1, 1}
%t = ReverseSequence(%x, %lengths) {batch_axis=1, time_axis=0}
%scale : f32[8] = random(1)
%bias : f32[8] = random(2)
%zero : f32[8] = random(3)
%n = BatchNormalization(%t, %scale, %bias, %zero, %scale) {epsilon=1000.0}
%p = ReduceProd(%x) {axes=[1], keepdims=1}
%g = GridSample(%t, %grid) {align_corners=1, mode="linear", padding_mode="border"}
output %n
output %p
output %g
)",
            {.fuse = false});
  test::Dice dice(3);
  const Tensor x = test::random_tensor(dice, DType::Float32, {1, 8, 6, 7});
  p.run.set(p["x"], x);
  p.run.set(p["grid"], test::random_tensor(dice, DType::Float32, {1, 3, 4, 2}));
  while (p.name_of(p.run.step()) != "p") continue;
  EXPECT_EQ(code_of([&] { p.run.raw(p["t"]); }), Code::GraphUnknownName);
  EXPECT_EQ(p.run.stored(p["t"]).form.layout, Layout::ChannelsLast);
  EXPECT_TRUE(identical(p.run.get(p["t"]), x));  // sequences of length 1 are their own reverse
}

TEST(Run, KeepsEveryValueWhenAsked) {
  Planned p(R"(ir 1
input %x : f32[2,2]
%a = Neg(%x)
%r = Reshape(%a) {shape=[4]}
%b = Abs(%r)
%unused = Neg(%b)
output %b
)",
            {.keep_all = true});
  p.run.set(p["x"], Tensor::from<float>({2, 2}, {1, 2, 3, 4}));
  p.run.run();
  EXPECT_EQ(floats(p.run.get(p["a"])), (std::vector<float>{-1, -2, -3, -4}));
  EXPECT_EQ(floats(p.run.get(p["r"])), (std::vector<float>{-1, -2, -3, -4}));
  EXPECT_EQ(p.run.get(p["r"]).shape(), (Shape{4}));
  EXPECT_EQ(floats(p.run.get(p["b"])), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(floats(p.run.get(p["unused"])), (std::vector<float>{-1, -2, -3, -4}));
}

TEST(Run, FeedsGivenValuesIntoTheMiddle) {
  Planned p(kChain, {.keep_all = true});
  p.run.set(p["x"], vector({1, 2, 3}));
  p.run.step();
  p.run.set(p["a"], vector({10, 20, 30}));  // right after it was computed
  p.run.step();
  EXPECT_EQ(floats(p.run.get(p["b"])), (std::vector<float>{-10, -20, -30}));
  while (p.run.step() != NodeId::None) {
  }
  p.run.set(p["b"], vector({5, 6, 7}));  // long before it is computed
  p.run.run();
  EXPECT_EQ(floats(p.run.get(p["a"])), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(floats(p.run.get(p["b"])), (std::vector<float>{5, 6, 7}));
  EXPECT_EQ(floats(p.run.get(p["c"])), (std::vector<float>{5, 6, 7}));
  p.run.run();  // for one run only
  EXPECT_EQ(floats(p.run.get(p["c"])), (std::vector<float>{1, 2, 3}));
}

TEST(Run, FeedsGivenValuesIntoReusedMemoryToo) {
  Planned p(R"(ir 1
input %x : f32[8,8]
%a = Transpose(%x) {perm=[1,0]}
%b = Transpose(%a) {perm=[1,0]}
%c = Transpose(%b) {perm=[1,0]}
%d = Transpose(%c) {perm=[1,0]}
output %d
)");
  Tensor given(DType::Float32, {8, 8});
  for (float& v : given.mutable_values<float>()) v = 3;
  p.run.set(p["x"], Tensor::zeros(DType::Float32, {8, 8}));
  p.run.set(p["c"], given);
  p.run.run();
  EXPECT_TRUE(identical(p.run.get(p["d"]), given));
  for (int i = 0; i < 3; ++i) p.run.step();
  EXPECT_EQ(code_of([&] { p.run.set(p["a"], given); }), Code::RuntimeBadInput);  // %b has been computed from it
}

TEST(Run, RefusesToChangeAValueThroughItsAlias) {
  Planned p(R"(ir 1
input %x : f32[4]
%a = Neg(%x)
%r = Reshape(%a) {shape=[2,2]}
%b = Neg(%r)
%c = Exp(%a)
output %b
output %c
)");
  p.run.set(p["x"], vector({1, 2, 3, 4}));
  EXPECT_EQ(code_of([&] { p.run.set(p["r"], Tensor::zeros(DType::Float32, {2, 2})); }), Code::RuntimeBadInput);
  p.run.set(p["a"], vector({0, 0, 0, 0}));  // both want this one
  p.run.run();
  EXPECT_EQ(floats(p.run.get(p["c"])), (std::vector<float>{1, 1, 1, 1}));
}

/// Work that needs several threads: conversions, tiles, scratch.
const std::string kWide = R"(ir 1
input %x : f32[1,16,40,40]
%w : f32[16,16,1,1] = random(1)
%a = Conv(%x, %w) )" + kOneByOne +
                          R"(
%s = Softmax(%a) {axis=3}
%m = MatMul(%s, %a)
%g = Sigmoid(%m)
output %g
)";

TEST(Run, GivesTheSameBitsWithAnyNumberOfThreads) {
  test::Dice dice(5);
  const Tensor x = test::random_tensor(dice, DType::Float32, {1, 16, 40, 40});
  Tensor expected;
  for (const int threads : {1, 2, 3}) {
    Planned p(kWide, {}, threads);
    p.run.set(p["x"], x);
    p.run.run();
    const Tensor got = p.run.get(p["g"]);
    if (threads == 1) expected = got;
    EXPECT_TRUE(identical(got, expected)) << threads << " threads";
  }
}

TEST(Run, ManyRunsShareAPlan) {
  const Graph graph = parse_graph(kWide);
  Weights weights;
  const std::shared_ptr<const Plan> shared = plan(graph, {}, {}, weights);
  std::vector<Tensor> inputs, expected, got(4);
  ThreadPool pool(1);
  test::Dice dice(6);
  for (size_t i = 0; i < got.size(); ++i) {
    inputs.push_back(test::random_tensor(dice, DType::Float32, {1, 16, 40, 40}));
    expected.push_back(run_graph(graph, {}, std::span(&inputs[i], 1), pool)[0]);
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < got.size(); ++i) {
    threads.emplace_back([&, i] {
      ThreadPool own(1);
      openrknn::Run run(shared, own);
      run.set(graph.inputs[0], inputs[i]);
      for (int pass = 0; pass < 3; ++pass) run.run();
      got[i] = run.get(graph.outputs[0]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(identical(got[i], expected[i])) << i;
}

TEST(ProfileRun, TimesEveryNodeInRunningOrder) {
  Planned p(kWide);
  p.run.set(p["x"], Tensor::zeros(DType::Float32, {1, 16, 40, 40}));
  p.run.step();  // a pass under way is given up
  const std::vector<StepTime> times = profile_run(*plan(p.graph, {}, {}, p.weights), p.run);
  std::string nodes;
  int64_t conversions = 0;
  for (const StepTime& time : times) {
    nodes += time.name + ":" + time.op + " ";
    conversions += time.conversions;
    EXPECT_GE(time.microseconds, 0);
    EXPECT_FALSE(time.kernel.empty());
  }
  EXPECT_EQ(nodes, "a:Conv s:Softmax m:MatMul+Sigmoid ");
  EXPECT_EQ(conversions, summary(*plan(p.graph, {}, {}, p.weights)).conversions);
  EXPECT_EQ(p.run.get(p["g"]).shape(), (Shape{1, 16, 40, 40}));
}

// A custom row that can write over its input and says so.
bool accept_all(const Call&) { return true; }
Prepared prepare_negate(const Call& call, Weights&) {
  Prepared prepared;
  prepared.state = std::make_shared<const int64_t>(element_count(call.inputs[0].shape));
  prepared.in_place = 0;
  return prepared;
}
void run_negate(const Prepared& prepared, std::span<const Buffer> buffers, int64_t, std::byte*) {
  const float* in = reinterpret_cast<const float*>(buffers[0].data);
  float* out = reinterpret_cast<float*>(buffers[1].data);
  for (int64_t i = 0; i < *static_cast<const int64_t*>(prepared.state.get()); ++i) out[i] = -2 * in[i];
}
constexpr Kernel kNegate[] = {
    {.op = "Neg", .name = "twice_negative", .accepts = accept_all, .prepare = prepare_negate, .run = run_negate}};

TEST(Run, PrefersCustomKernels) {
  Planned p(kChain, {.custom = kNegate});
  p.run.set(p["x"], vector({1, 2, 3}));
  p.run.run();
  EXPECT_EQ(floats(p.run.get(p["c"])), (std::vector<float>{2, 4, 6}));
  EXPECT_NE(to_text(*plan(p.graph, {}, {.custom = kNegate}, p.weights)).find("twice_negative"), std::string::npos);
}

TEST(Run, ReusesTheMemoryOfInputsThatKernelsWriteOver) {
  const std::string text = R"(ir 1
input %x : f32[1024]
%a = Neg(%x)
%b = Neg(%a)
%c = Neg(%b)
%d = Neg(%c)
output %d
)";
  Planned p(text, {.custom = kNegate});
  EXPECT_LE(summary(*plan(p.graph, {}, {.custom = kNegate}, p.weights)).arena_bytes, 2 * (4096 + 64));
  Tensor ones(DType::Float32, {1024});
  for (float& v : ones.mutable_values<float>()) v = 1;
  p.run.set(p["x"], ones);
  p.run.run();
  EXPECT_EQ(floats(p.run.get(p["d"]))[1023], 16);
  EXPECT_EQ(floats(p.run.get(p["x"]))[1023], 1);
}

}  // namespace
}  // namespace openrknn
