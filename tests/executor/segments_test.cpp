#include "core/executor/segments.h"

#include <gtest/gtest.h>

#include "core/graph/text.h"

namespace openrknn {
namespace {

std::vector<Tensor> run_verified(const std::string& text, const std::vector<Tensor>& inputs) {
  ThreadPool pool(1);
  const Graph graph = parse_graph(text);
  verify(graph);
  return run_graph(graph, {}, inputs, pool);
}

template <class T>
std::vector<T> numbers(const Tensor& tensor) {
  const std::span<const T> values = tensor.values<T>();
  return {values.begin(), values.end()};
}

Tensor vector_of(const std::vector<float>& values) { return Tensor::from<float>({std::ssize(values)}, values); }

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

const std::string kPositiveDoubled = R"(ir 1
input %x : f32[4]
%zero : f32[] = {0.0}
%two : f32[] = {2.0}
%m = Greater(%x, %zero)
%kept = Compress(%x, %m)
%y = Mul(%kept, %two)
%n = Shape(%y)
output %y
output %n
)";

TEST(Segments, WhatFollowsAnUnknownExtentIsPlannedWhenItIsKnown) {
  const std::vector<Tensor> some = run_verified(kPositiveDoubled, {vector_of({1, -1, 3, -4})});
  EXPECT_EQ(numbers<float>(some[0]), (std::vector<float>{2, 6}));
  EXPECT_EQ(numbers<int64_t>(some[1]), (std::vector<int64_t>{2}));
  const std::vector<Tensor> none = run_verified(kPositiveDoubled, {vector_of({-1, -1, -3, -4})});
  EXPECT_EQ(none[0].shape(), (Shape{0}));
}

TEST(Segments, PlansAreKeptByShapeAndAreBounded) {
  ThreadPool pool(1);
  SegmentedRun run(parse_graph(kPositiveDoubled), {}, {}, pool);
  const auto pass = [&](const std::vector<float>& x) { return run.run(std::vector{vector_of(x)})[0].shape()[0]; };
  EXPECT_EQ(pass({1, 1, -1, -1}), 2);
  const int64_t first = run.plans_made();
  EXPECT_EQ(pass({-1, -1, 1, 1}), 2);
  EXPECT_EQ(run.plans_made(), first);
  EXPECT_EQ(pass({1, 1, 1, 1}), 4);
  EXPECT_EQ(run.plans_made(), first + 1);
  EXPECT_EQ(pass({1, -1, 1, -1}), 2);  // still there
  EXPECT_EQ(run.plans_made(), first + 1);
}

TEST(Segments, StaticGraphsNeedNoneAndPlansRefuseTheOthers) {
  EXPECT_FALSE(needs_segments(parse_graph("ir 1\ninput %x : f32[4]\n%y = Relu(%x)\noutput %y\n")));
  const Graph graph = parse_graph(kPositiveDoubled);
  EXPECT_TRUE(needs_segments(graph));
  Weights weights;
  const std::string planned = message_of([&] { plan(graph, {}, {}, weights); });
  EXPECT_NE(planned.find("kept"), std::string::npos) << planned;
  const std::string compiled = message_of([&] { require_fixed_shapes(graph, "a compile"); });
  EXPECT_NE(compiled.find("kept (Compress)"), std::string::npos) << compiled;
  EXPECT_NE(compiled.find("graph.run"), std::string::npos) << compiled;
}

TEST(Segments, AConstantsExtentsAreKnownWhenItIsRead) {
  const Graph graph = parse_graph("ir 1\n%c : f32[3] = {1.0, 0.0, 2.0}\n%z = NonZero(%c)\noutput %z\n", {}, evaluate);
  EXPECT_EQ(graph[graph.outputs[0]].shape, (Shape{1, 2}));
  EXPECT_FALSE(needs_segments(graph));
  verify(graph);
}

const std::string kBranches = R"(ir 1
input %c : bool[]
input %x : f32[3]
%y = If(%c, %x) {
  then_branch=graph{ir 1
    input %x : f32[3]
    %t = Neg(%x)
    output %t},
  else_branch=graph{ir 1
    input %x : f32[3]
    %e = Concat(%x, %x) {axis=0}
    output %e}}
%z = Abs(%y)
output %y
output %z
)";

TEST(Segments, IfRunsOneBranch) {
  const Tensor x = vector_of({1, 2, 3});
  EXPECT_EQ(numbers<float>(run_verified(kBranches, {Tensor::scalar(true), x})[0]), (std::vector<float>{-1, -2, -3}));
  const std::vector<Tensor> other = run_verified(kBranches, {Tensor::scalar(false), x});
  EXPECT_EQ(other[1].shape(), (Shape{6}));
}

std::string counting_loop(const std::string& next) {
  return R"(ir 1
input %m : i64[]
input %x : f32[2]
%y, %all = Loop(%m, _, %x, %x) {carried=1, body=graph{ir 1
    input %i : i64[]
    input %c : bool[]
    input %a : f32[?]
    input %x : f32[2]
    )" + next +
         R"(
    output %c
    output %b
    output %a}}
output %y
output %all
)";
}

TEST(Segments, LoopCarriesValuesAndStacksSlices) {
  const std::string text = counting_loop("%b = Add(%a, %x)");
  const std::vector<Tensor> got = run_verified(text, {Tensor::scalar<int64_t>(3), vector_of({1, 2})});
  EXPECT_EQ(numbers<float>(got[0]), (std::vector<float>{4, 8}));
  EXPECT_EQ(got[1].shape(), (Shape{3, 2}));
  EXPECT_EQ(numbers<float>(got[1]), (std::vector<float>{1, 2, 2, 4, 3, 6}));
}

TEST(Segments, AnIterationIsPlannedOnceForEachShape) {
  ThreadPool pool(1);
  SegmentedRun run(parse_graph(counting_loop("%b = Add(%a, %x)")), {}, {}, pool);
  run.run(std::vector{Tensor::scalar<int64_t>(50), vector_of({1, 2})});
  EXPECT_EQ(run.plans_made(), 1);
}

TEST(Segments, UnequalSlicesAreRefusedNamingTheIteration) {
  const std::string text = counting_loop("%b = Concat(%a, %x) {axis=0}");
  const std::string message = message_of([&] { run_verified(text, {Tensor::scalar<int64_t>(3), vector_of({1, 2})}); });
  EXPECT_NE(message.find("iteration 1 gives shape [4]"), std::string::npos) << message;
  EXPECT_NE(message.find("Loop"), std::string::npos) << message;
}

TEST(Segments, AnEndlessLoopCanBeStopped) {
  const std::string text = R"(ir 1
input %x : f32[2]
%y = Loop(_, _, %x) {carried=1, body=graph{ir 1
    input %i : i64[]
    input %c : bool[]
    input %a : f32[2]
    %b = Neg(%a)
    output %c
    output %b}}
output %y
)";
  ThreadPool pool(1);
  SegmentedRun run(parse_graph(text), {}, {}, pool);
  int64_t calls = 0;
  run.set_checkpoint([&] {
    if (++calls == 1000) fail(Code::Cancelled, "enough");
  });
  EXPECT_NE(message_of([&] { run.run(std::vector{vector_of({1, 2})}); }).find("enough"), std::string::npos);
  EXPECT_EQ(calls, 1000);
}

TEST(Segments, ScanSlicesBackwardsAndStacksInFront) {
  const std::string text = R"(ir 1
input %s : f32[]
input %x : f32[2,3]
%total, %sums = Scan(%s, %x) {states=1, scan_inputs=1, input_axes=[1], input_directions=[1], output_axes=[0], output_directions=[1], body=graph{ir 1
    input %s : f32[]
    input %v : f32[2]
    %r = ReduceSum(%v) {axes=[0], keepdims=0}
    %t = Add(%s, %r)
    output %t
    output %t}}
output %total
output %sums
)";
  const std::vector<Tensor> got =
      run_verified(text, {Tensor::scalar(0.0f), Tensor::from<float>({2, 3}, {1, 2, 3, 10, 20, 30})});
  EXPECT_EQ(numbers<float>(got[0]), (std::vector<float>{66}));
  EXPECT_EQ(numbers<float>(got[1]), (std::vector<float>{66, 55, 33}));
}

}  // namespace
}  // namespace openrknn
