#include "support.h"

namespace openrknn {
namespace {

/// Dtype of the node that computes `tensor`.
DType dtype_of_node(const Graph& graph, const PrecisionMap& map, std::string_view tensor) {
  return map.at(test::value_of(graph, tensor).producer).dtype;
}
PrecisionMap assign(const Graph& graph) { return assign_precision(graph, test::target(), {}); }

void expect_dtypes(std::string_view text, std::initializer_list<std::pair<std::string_view, DType>> expected) {
  const Graph graph = parse_graph(text);
  const PrecisionMap map = assign(graph);
  for (const auto& [tensor, dtype] : expected) {
    EXPECT_EQ(dtype_of_node(graph, map, tensor), dtype)
        << tensor << ": " << map.at(test::value_of(graph, tensor).producer).rule;
  }
}

TEST(AssignPrecision, QuantizesLayersAndLeavesSoftmaxInFloat16) {
  expect_dtypes(R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,3,3] = random(1)
%c = Conv(%x, %w) {activation="SiLU"}
%g = GlobalAveragePool(%c)
%f = Reshape(%g) {shape=[1,4]}
%p = Softmax(%f) {axis=1}
output %p
)",
                {{"c", DType::Int8}, {"g", DType::Int8}, {"f", DType::Float16}, {"p", DType::Float16}});
}

TEST(AssignPrecision, MovesBetweenFloatNodesStayFloat) {
  expect_dtypes(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[4,2,1,1] = random(1)
%c = Conv(%x, %w)
%e = Exp(%c)
%r = Reshape(%e) {shape=[1,8,8]}
%t = Transpose(%r) {perm=[0,2,1]}
%s = Softmax(%t) {axis=2}
output %s
)",
                {{"c", DType::Int8}, {"r", DType::Float16}, {"t", DType::Float16}});
}

// One conversion in front of the Split instead of two behind it.
TEST(AssignPrecision, AMoveFollowsItsUsersIfTheyAllDisagreeWithItsProducer) {
  expect_dtypes(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[4,2,1,1] = random(1)
%c = Conv(%x, %w)
%a, %b = Split(%c) {axis=1, split=[2,2]}
%ea = Exp(%a)
%eb = Sqrt(%b)
output %ea
output %eb
)",
                {{"c", DType::Int8}, {"a", DType::Float16}});
}

TEST(AssignPrecision, AMoveWithMixedUsersFollowsItsProducer) {
  expect_dtypes(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[4,2,1,1] = random(1)
%c = Conv(%x, %w)
%a, %b = Split(%c) {axis=1, split=[2,2]}
%ea = Exp(%a)
%cb = Conv(%b, %w)
output %ea
output %cb
)",
                {{"a", DType::Int8}, {"cb", DType::Int8}, {"ea", DType::Float16}});
}

TEST(AssignPrecision, AMoveThatIsAGraphOutputFollowsItsProducer) {
  expect_dtypes(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[4,2,1,1] = random(1)
%c = Conv(%x, %w)
%r = Reshape(%c) {shape=[1,64]}
%s = Softmax(%r) {axis=1}
output %r
output %s
)",
                {{"r", DType::Int8}, {"s", DType::Float16}});
}

// The variance of a layer normalisation written in primitives: squares of activations do not fit 8 bits.
TEST(AssignPrecision, CheapArithmeticBetweenFloatNodesStaysFloat) {
  expect_dtypes(R"(ir 1
input %x : f32[1,4,8]
%two : f32[] = {2}
%eps : f32[] = {0.00001}
%w : f32[8,8] = random(1)
%m = MatMul(%x, %w)
%p = Pow(%m, %two)
%v = ReduceMean(%p) {axes=[2], keepdims=1}
%a = Add(%v, %eps)
%s = Sqrt(%a)
%d = Div(%m, %s)
%y = MatMul(%d, %w)
output %y
)",
                {{"m", DType::Int8},
                 {"p", DType::Float16},
                 {"v", DType::Float16},
                 {"a", DType::Float16},
                 {"d", DType::Float16},
                 {"y", DType::Int8}});
}

TEST(AssignPrecision, AnAddWithAnInt8NeighbourIsQuantized) {
  expect_dtypes(R"(ir 1
input %x : f32[1,4,8]
%w : f32[8,8] = random(1)
%e = Exp(%x)
%m = MatMul(%x, %w)
%a = Add(%e, %m)
%s = Exp(%a)
output %s
)",
                {{"a", DType::Int8}});
}

TEST(AssignPrecision, LeavesWhatInt8CannotSay) {
  expect_dtypes(R"(ir 1
input %x : f32[1,2,4,4]
input %z : f32[1,2,4,4]
%c = Conv(%x, %z)
%w : f32[2,2,1,1] = random(1)
%k = Conv(%x, %w)
%d = Div(%k, %z)
%zero : f32[1] = {0}
%d0 = Div(%k, %zero)
%four : f32[1] = {4}
%d4 = Div(%k, %four)
%u = Resize(%k) {sizes=[1,2,8,8], scales=[1.0,1.0,2.0,2.0], mode="cubic"}
%mask : f32[1] = {-1e9}
%m = Add(%k, %mask)
%i = ArgMax(%k) {axis=1}
output %c
output %d
output %d0
output %d4
output %u
output %m
output %i
)",
                {{"c", DType::Float16},
                 {"k", DType::Int8},
                 {"d", DType::Float16},
                 {"d0", DType::Float16},
                 {"d4", DType::Int8},
                 {"u", DType::Float16},
                 {"m", DType::Float16},
                 {"i", DType::Int64}});
}

TEST(AssignPrecision, SaysWhy) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[1,2,4,4]
input %z : f32[1,2,4,4]
%d = Div(%x, %z)
%e = Exp(%d)
output %e
)");
  const PrecisionMap map = assign(graph);
  EXPECT_EQ(map.at(test::value_of(graph, "d").producer).rule, "float16: integers have no division by a tensor");
  EXPECT_EQ(map.at(test::value_of(graph, "e").producer).rule, "float16: Exp is never quantized");
}

TEST(AssignPrecision, Float16BuildQuantizesNothing) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[2,2,1,1] = random(1)
%c = Conv(%x, %w)
%i = ArgMax(%c) {axis=1}
output %i
)");
  const PrecisionMap map = assign_precision(graph, test::target("rk2118"), {.quantize = false});
  EXPECT_EQ(dtype_of_node(graph, map, "c"), DType::Float16);
  EXPECT_EQ(dtype_of_node(graph, map, "i"), DType::Int64);
}

TEST(AssignPrecision, TheSchemeSaysWhatIntegersAre) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[2,2,1,1] = random(1)
%c = Conv(%x, %w)
%e = Exp(%c)
output %e
)");
  const auto dtype = [&](Scheme scheme) {
    const PrecisionMap map = assign_precision(graph, test::target("rv1106"), {.scheme = scheme});
    EXPECT_EQ(dtype_of_node(graph, map, "e"), DType::Float16);
    return dtype_of_node(graph, map, "c");
  };
  EXPECT_EQ(dtype(Scheme::W8A8), DType::Int8);
  EXPECT_EQ(dtype(Scheme::W16A16I), DType::Int16);
  EXPECT_EQ(dtype(Scheme::W16A16I_DFP), DType::Int16);
  EXPECT_EQ(dtype(Scheme::W8A16), DType::Float16);
  EXPECT_EQ(dtype(Scheme::W4A16), DType::Float16);
}

TEST(AssignPrecision, SoftmaxIsQuantizedBetweenIntegerNodesWhereTheNpuHasIt) {
  constexpr std::string_view kAttention = R"(ir 1
input %q : f32[2,4,8]
input %k : f32[2,8,4]
%a = MatMul(%q, %k)
%s = Softmax(%a) {axis=2}
%y = MatMul(%s, %q)
%end = Softmax(%y) {axis=2}
output %end
)";
  expect_dtypes(kAttention, {{"a", DType::Int8}, {"s", DType::Int8}, {"y", DType::Int8}, {"end", DType::Float16}});
  const Graph graph = parse_graph(kAttention);
  const PrecisionMap without = assign_precision(graph, test::target("rk3566"), {});
  EXPECT_EQ(dtype_of_node(graph, without, "s"), DType::Float16);
}

}  // namespace
}  // namespace openrknn
