// Equations of onnx_edit: what they say about shapes, and the steps between their sides. Whole edits are held to
// onnxruntime in tests/python/test_onnx_edit.py.
#include "toolkit/dimension_equation.h"

#include <gtest/gtest.h>

namespace openrknn {
namespace {

BoundEquation bound(std::string_view text, const std::vector<DeclaredExtent>& shape) {
  Diagnostics problems;
  std::optional<DimensionEquation> equation = parse_dimension_equation(text, {}, problems);
  std::optional<BoundEquation> result = equation ? bind_equation(*equation, shape, {}, problems) : std::nullopt;
  problems.throw_if_any();
  return *result;
}

std::string new_shape(std::string_view text, const std::vector<DeclaredExtent>& shape) {
  const BoundEquation equation = bound(text, shape);
  return to_string(equation.shape_of(equation.to));
}

size_t problems_of(std::string_view text) {
  Diagnostics problems;
  EXPECT_FALSE(parse_dimension_equation(text, {}, problems)) << text;
  return problems.list().size();
}

const DeclaredExtent kBatch{-1, "batch"}, kOpen{};

TEST(DimensionEquation, GivesTheShapeOfTheRightSide) {
  EXPECT_EQ(new_shape("a,b,c,d->1,ad,b,c", {{4}, {48}, {1}, {8}}), "[1, 32, 48, 1]");
  EXPECT_EQ(new_shape(" ab , c [a=2] -> a, cb ", {{6}, {5}}), "[2, 15]");
  EXPECT_EQ(new_shape("1->", {{1}}), "[]");
  EXPECT_EQ(new_shape("->1", {}), "[1]");
}

TEST(DimensionEquation, KeepsTheSymbolOfADimensionThatGoesOverAlone) {
  EXPECT_EQ(new_shape("a,b->b,a", {kBatch, {3}}), "[3, batch]");
  EXPECT_EQ(new_shape("a,b->ab", {kBatch, {3}}), "[?]");
  EXPECT_EQ(new_shape("ab,c[b=2]->a,b,c", {kBatch, {3}}), "[?, 2, 3]");
  EXPECT_EQ(new_shape("a,b[a=1]->b,a", {kBatch, kOpen}), "[?, 1]");
}

TEST(DimensionEquation, NeedsNoMoreStepsThanItMust) {
  const auto kinds = [](const DimensionGroups& from, const DimensionGroups& to) {
    std::string text;
    for (const DimensionStep& step : steps_between(from, to)) text += step.order.empty() ? 'r' : 't';
    return text;
  };
  EXPECT_EQ(kinds({"a", "b"}, {"a", "b"}), "");
  EXPECT_EQ(kinds({"a", "b"}, {"b", "a"}), "t");
  EXPECT_EQ(kinds({"a", "b"}, {"", "ab"}), "r");
  EXPECT_EQ(kinds({"ab", "c"}, {"a", "bc"}), "r");
  EXPECT_EQ(kinds({"ab", "c"}, {"c", "a", "b"}), "rt");
  EXPECT_EQ(kinds({"a", "b", "c"}, {"c", "ab"}), "tr");
  EXPECT_EQ(kinds({"ab", "c"}, {"", "bc", "a"}), "rtr");
}

TEST(DimensionEquation, MovesElements) {
  const Tensor array = Tensor::from<int32_t>({2, 3}, {0, 1, 2, 3, 4, 5});
  EXPECT_TRUE(
      identical(transformed(array, bound("a,b->1,ba", {{2}, {3}})), Tensor::from<int32_t>({1, 6}, {0, 3, 1, 4, 2, 5})));
}

TEST(DimensionEquation, TellsEveryProblemOfItsText) {
  EXPECT_EQ(problems_of("a,b"), 1U);
  EXPECT_EQ(problems_of("a,b->c"), 3U);          // a and b are lost, c comes from nowhere
  EXPECT_EQ(problems_of("A,,b[c=0]->b,b"), 4U);  // no symbol, no dimension, no extent, b twice
}

TEST(DimensionEquation, RefusesExtentsThatLeaveTheIntegers) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  EXPECT_THROW(bound("a,b->ab", {{kHuge}, {4}}), Error);
  EXPECT_THROW(bound("a,b->ab", {{0}, {4}}), Error);
}

}  // namespace
}  // namespace openrknn
