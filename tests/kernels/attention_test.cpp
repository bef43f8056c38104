// Attention by hand, against the operators it is made of, and every fast row against the reference.
#include "kernels/fast_cases.h"
#include "kernels/op_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::has_fast_rows;
using fast_cases::judge;
using fast_cases::Random;
using op_cases::expect_result;

TEST(Attention, PicksTheValueOfTheKeyThatFits) {
  // Scores 0 and 1000: the second key gets all.
  expect_result(R"(
%q : f32[1,2] = {0, 10}
%k : f32[2,2] = {1, 0, 0, 100}
%v : f32[2,3] = {1, 2, 3, 4, 5, 6}
%y = Attention(%q, %k, %v) {scale=1}
%e : f32[1,3] = {4, 5, 6})");
  // The same scores: the mean; a mask: only what it leaves.
  expect_result(R"(
%q : f32[1,2,2] = {1, 1, 1, 1}
%k : f32[1,2,2] = {1, 0, 0, 1}
%v : f32[1,2,1] = {2, 6}
%mask : f32[2,2] = {0, 0, 0, -1000}
%y = Attention(%q, %k, %v, %mask) {scale=0.5}
%e : f32[1,2,1] = {4, 2})");
}
TEST(Attention, KeepsScoresInFloat32BetweenHalves) {
  // 2049 and 2050 are not both halves: rounded to them, they would tie.
  expect_result(R"(
%q : f16[1,2] = {1, 1}
%k : f16[2,2] = {2048, 2048, 1, 129}
%v : f16[2,1] = {1, 3}
%y = Attention(%q, %k, %v) {scale=1}
%e : f16[1,1] = {3})");
}

struct Heads {
  Shape batch;
  int64_t queries, keys, size, values;
  Shape mask = {};
};
const Heads kHeads[] = {
    {{}, 1, 1, 1, 1},
    {{3}, 5, 7, 4, 9, {5, 7}},
    {{2, 3}, 65, 33, 17, 40, {1, 1, 65, 33}},
    {{2, 3}, 130, 64, 32, 64, {2, 1, 1, 64}},
    {{1, 2}, 64, 197, 64, 64},
    {{4}, 1, 300, 8, 3, {4, 1, 1}},
};
Shape with(const Shape& batch, int64_t rows, int64_t columns) {
  Shape shape = batch;
  shape.insert(shape.end(), {rows, columns});
  return shape;
}
Case attention(const Heads& h, DType dtype, Random& random, float spread) {
  Case c;
  c.text = to_string(with(h.batch, h.queries, h.keys)) + ' ' + std::string(name(dtype));
  c.node.name = c.node.op = "Attention";
  c.node.attributes["scale"] = 1 / std::sqrt(static_cast<double>(h.size));
  c.inputs = {random.reals(dtype, with(h.batch, h.queries, h.size), spread),
              random.reals(dtype, with(h.batch, h.size, h.keys), spread),
              random.reals(dtype, with(h.batch, h.keys, h.values))};
  if (!h.mask.empty()) c.inputs.push_back(random.reals(dtype, h.mask, spread));
  c.constant.assign(c.inputs.size(), false);
  c.output = dtype;
  c.output_shape = with(h.batch, h.queries, h.values);
  return c;
}

TEST(Attention, FastRowsEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  uint32_t seed = 1;
  for (const Heads& h : kHeads) {
    for (const DType dtype : {DType::Float32, DType::Float16}) {
      for (const float spread : {1.0f, 20.0f}) {  // 20: nearly all weights vanish
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed++);
        const Case c = attention(h, dtype, random, spread);
        EXPECT_GE(judge(c), 1) << c.text;
      }
    }
  }
}
TEST(Attention, MaskedOutKeysAndInvalidNumbersEqualReference) {
  if (!has_fast_rows()) GTEST_SKIP() << "no fast rows on this CPU";
  Random random(77);
  Case c = attention({{2}, 9, 20, 6, 5, {9, 20}}, DType::Float32, random, 1);
  for (float& v : c.inputs[3].mutable_values<float>()) {
    if (random.integer(0, 2) == 0) v = -INFINITY;
  }
  for (int64_t key = 0; key < 20; ++key) c.inputs[3].mutable_values<float>()[static_cast<size_t>(key)] = -INFINITY;
  c.inputs[2].mutable_values<float>()[7] = NAN;
  c.inputs[0].mutable_values<float>()[50] = INFINITY;
  EXPECT_GE(judge(c), 1) << c.text;
}

Tensor run_op(const std::string& op, Attributes attributes, std::vector<Tensor> inputs, const Shape& shape) {
  Case c;
  c.node.name = c.node.op = op;
  c.node.attributes = std::move(attributes);
  c.constant.assign(inputs.size(), false);
  c.inputs = std::move(inputs);
  c.output = c.inputs[0].dtype();
  c.output_shape = shape;
  const fast_cases::Bound bound(c);
  Weights weights;
  return run_kernel(*choose_kernel(reference_kernels(), bound.call, 0), bound.call, c.inputs, weights)[0];
}
// What the pass replaces: the float graph keeps its bits but for the factor's place.
TEST(Attention, HasTheBitsOfItsPartsInFloat32) {
  Random random(5);
  const Heads h = {{2, 2}, 13, 21, 8, 6, {13, 21}};
  Case c = attention(h, DType::Float32, random, 2);
  const double scale = std::get<double>(c.node.attributes["scale"]);
  const Shape scores = with(h.batch, h.queries, h.keys);
  const Tensor keys =
      run_op("Transpose", {{"perm", std::vector<int64_t>{0, 1, 3, 2}}}, {c.inputs[1]}, with(h.batch, h.size, h.keys));
  const Tensor product = run_op("MatMul", {}, {c.inputs[0], c.inputs[1]}, scores);
  const Tensor scaled = run_op("Mul", {}, {product, Tensor::from<float>({}, {static_cast<float>(scale)})}, scores);
  const Tensor masked = run_op("Add", {}, {scaled, c.inputs[3]}, scores);
  const Tensor weights = run_op("Softmax", {{"axis", int64_t{3}}}, {masked}, scores);
  const Tensor parts = run_op("MatMul", {}, {weights, c.inputs[2]}, c.output_shape);
  EXPECT_TRUE(identical(run_op("Attention", c.node.attributes, c.inputs, c.output_shape), parts));
}

}  // namespace
}  // namespace openrknn
