// What holds for reference kernels as a whole: the float rules, tiles that do not know of each other, what is refused.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "core/kernels/data_dependent.h"
#include "core/kernels/reference/sums.h"
#include "op_cases.h"

namespace openrknn {
namespace {

using op_cases::BoundNode;
using op_cases::reference_of;
using op_cases::run_node;

Graph graph_of(const std::string& text) { return parse_graph("ir 1\n" + text); }
Tensor result_of(const std::string& text) {
  const Graph graph = graph_of(text);
  return run_node(graph, graph.order().back()).front();
}

std::vector<float> random_floats(size_t count, uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(count);
  for (float& v : values) v = std::ldexp(static_cast<float>(engine()) - 0x1p31f, -31 + static_cast<int>(engine() % 8));
  return values;
}

TEST(ReferenceKernels, EveryOperatorHasOne) {
  constexpr std::string_view kControlFlow[] = {"If", "Loop", "Scan"};  // computed by running their bodies
  for (const OpSchema& schema : all_schemas()) {
    if (find_data_dependent(schema.name) != nullptr) continue;  // makes its outputs itself
    if (std::find(std::begin(kControlFlow), std::end(kControlFlow), schema.name) != std::end(kControlFlow)) continue;
    const auto has_op = [&](const Kernel& kernel) { return kernel.op == schema.name; };
    EXPECT_TRUE(std::any_of(reference_kernels().begin(), reference_kernels().end(), has_op)) << schema.name;
  }
}

TEST(ReferenceKernels, NamesAreUniqueInAnOperatorAndRowsAreWhole) {
  std::vector<std::pair<std::string_view, std::string_view>> names;
  for (const Kernel& kernel : reference_kernels()) {
    EXPECT_TRUE(kernel.accepts && kernel.prepare && kernel.run) << kernel.name;
    EXPECT_NE(find_schema(kernel.op), nullptr) << kernel.op;
    EXPECT_EQ(kernel.needs, 0u) << kernel.name;
    names.emplace_back(kernel.op, kernel.name);
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  EXPECT_TRUE(twice == names.end()) << twice->first << ' ' << twice->second;
}

// ---- The order of additions ----

float sixteen_lanes(const std::vector<float>& x) {  // docs/arithmetic.md, written out once more
  float a[16] = {};
  for (size_t i = 0; i < x.size(); ++i) a[i % 16] += x[i];
  const auto pair = [&](int i) { return (a[i] + a[i + 8]) + (a[i + 4] + a[i + 12]); };
  return (pair(0) + pair(2)) + (pair(1) + pair(3));
}

TEST(InterleavedSum, FoldsHalvesWhateverTheRunsAre) {
  for (const size_t count : {0u, 1u, 15u, 16u, 17u, 100u, 1000u}) {
    const std::vector<float> x = random_floats(count, 7);
    EXPECT_EQ(reference::sum_contiguous(x.data(), static_cast<int64_t>(count)), sixteen_lanes(x)) << count;
    reference::InterleavedSum parts;
    for (size_t begin = 0, run = 1; begin < count; begin += run, run = run * 3 % 41 + 1) {
      run = std::min(run, count - begin);
      parts.add(x.data() + begin, static_cast<int64_t>(run), [](float v) { return v; });
    }
    EXPECT_EQ(parts.total(), sixteen_lanes(x)) << count;
  }
}

TEST(ReferenceReduce, AddsContiguousElementsInSixteenLanes) {
  const Graph graph = graph_of("%x : f32[3,50,7] = random(5)\n%y = ReduceSum(%x) {axes=[1,2]}");
  const NodeId id = graph.order().back();
  const auto x = graph[graph[id].inputs[0]].constant->values<float>();
  const std::vector<Tensor> y = run_node(graph, id);
  for (size_t i = 0; i < 3; ++i) {
    const std::vector<float> row(x.begin() + 350 * i, x.begin() + 350 * (i + 1));
    EXPECT_EQ(y[0].values<float>()[i], sixteen_lanes(row));
  }
}

TEST(ReferenceReduce, AddsOtherAxesOneAfterTheOther) {
  const Graph graph = graph_of("%x : f32[100,3] = random(5)\n%y = ReduceSum(%x) {axes=[0], keepdims=0}");
  const NodeId id = graph.order().back();
  const auto x = graph[graph[id].inputs[0]].constant->values<float>();
  for (size_t c = 0; c < 3; ++c) {
    float sum = 0;
    for (size_t i = 0; i < 100; ++i) sum += x[i * 3 + c];
    EXPECT_EQ(run_node(graph, id)[0].values<float>()[c], sum);
  }
}

TEST(ReferenceConv, FusesMultiplyAndAddOverTapsThenChannels) {
  const Graph graph = graph_of("%x : f32[1,5,4,4] = random(1)\n%w : f32[1,5,3,3] = random(2)\n%y = Conv(%x, %w)");
  const NodeId id = graph.order().back();
  const auto x = graph[graph[id].inputs[0]].constant->values<float>(),
             w = graph[graph[id].inputs[1]].constant->values<float>();
  const Tensor y = run_node(graph, id)[0];
  for (size_t oh = 0; oh < 2; ++oh) {
    for (size_t ow = 0; ow < 2; ++ow) {
      float sum = 0;
      for (size_t kh = 0; kh < 3; ++kh) {
        for (size_t kw = 0; kw < 3; ++kw) {
          for (size_t c = 0; c < 5; ++c) {
            sum = std::fma(x[(c * 4 + oh + kh) * 4 + ow + kw], w[(c * 3 + kh) * 3 + kw], sum);
          }
        }
      }
      EXPECT_EQ(y.values<float>()[oh * 2 + ow], sum);
    }
  }
}

TEST(ReferenceMatMul, FusesMultiplyAndAddAlongK) {
  const Graph graph = graph_of("%a : f32[2,40] = random(1)\n%b : f32[40,3] = random(2)\n%y = MatMul(%a, %b)");
  const NodeId id = graph.order().back();
  const auto a = graph[graph[id].inputs[0]].constant->values<float>(),
             b = graph[graph[id].inputs[1]].constant->values<float>();
  const Tensor y = run_node(graph, id)[0];
  for (size_t m = 0; m < 2; ++m) {
    for (size_t n = 0; n < 3; ++n) {
      float sum = 0;
      for (size_t k = 0; k < 40; ++k) sum = std::fma(a[m * 40 + k], b[k * 3 + n], sum);
      EXPECT_EQ(y.values<float>()[m * 3 + n], sum);
    }
  }
}

TEST(ReferencePow, StaysWithinHalfAUnitInTheLastPlace) {
  const std::vector<float> numbers = random_floats(40000, 11);
  for (size_t i = 0; i + 1 < numbers.size(); i += 2) {
    const float x = std::fabs(numbers[i]) + 1e-6f, y = numbers[i + 1];
    const Graph graph = parse_graph("ir 1\n%x : f32[1] = data(0)\n%e : f32[1] = data(1)\n%y = Pow(%x, %e)",
                                    std::vector<Tensor>{Tensor::from<float>({1}, {x}), Tensor::from<float>({1}, {y})});
    if (i > 2000) break;  // parsing is the slow part
    const float result = run_node(graph, graph.order().back())[0].values<float>()[0];
    const double exact = std::pow(static_cast<double>(x), static_cast<double>(y));
    if (exact < 1e-37 || exact > 1e38) continue;
    EXPECT_LE(std::fabs(result - exact), exact * 0x1.001p-24) << "seed 11: " << x << "^" << y;
  }
}

// ---- Tiles ----

/// One line per family, large enough for several tiles; most dimensions are odd.
const char* const kLargeCases[] = {
    "%x : f32[1,19,61,67] = random(1)\n%w : f32[23,19,1,1] = random(2)\n%y = Conv(%x, %w)",
    "%x : f32[2,8,33,35] = random(1)\n%w : f32[8,9,2,2] = random(2)\n%y = ConvTranspose(%x, %w) {strides=[2,2]}",
    "%a : f32[3,201,17] = random(1)\n%b : f32[17,203] = random(2)\n%y = MatMul(%a, %b)",
    "%x : f32[1,21,63,65] = random(1)\n%y = MaxPool(%x) {kernel_shape=[3,3], pads=[1,1,1,1]}",
    "%x : f32[1,21,63,65] = random(1)\n%y = AveragePool(%x) {kernel_shape=[3,3], pads=[1,1,1,1]}",
    "%x : f16[5,7001] = random(1)\n%y = Sigmoid(%x)",
    "%x : f32[37,1,1001] = random(1)\n%z : f32[3,1001] = random(2)\n%y = Sub(%x, %z)",
    "%x : i32[37,1,1001] = random(1)\n%z : i32[3,1] = random(2)\n%y = Less(%x, %z)",
    "%x : f32[90001] = random(1)\n%y = Cast(%x) {to=1}",
    "%x : f32[90001] = random(1)\n%y = Cast(%x) {to=4}",
    "%x : u4[90001] = random(1)\n%y = Cast(%x) {to=10}",
    "%x : f32[90001] = random(1)\n%y = Atan(%x)",
    "%x : u16[37,1,1001] = random(1)\n%z : u16[3,1001] = random(2)\n%y = BitShift(%x, %z) {direction=\"LEFT\"}",
    "%x : i64[40001] = random(1)\n%y = BitwiseNot(%x)",
    "%x : f32[70001] = random(1)\n%y = BitCast(%x) {to=10}",
    "%x : f32[37,3,1001] = random(1)\n%s : f32[3] = {0.5, 2, 0.01}\n%y = QuantizeLinear(%x, %s) {axis=1, to=4}",
    "%x : i8[37,3,1001] = random(1)\n%s : f32[37,3,334] = random(2)\n"
    "%y = DequantizeLinear(%x, %s) {axis=2, block_size=3}",
    "%a : i32[3,201,117] = random(1)\n%b : i32[117,203] = random(2)\n%y = MatMul(%a, %b)",
    "%x : i32[1,19,61,67] = random(1)\n%w : i32[23,19,1,1] = random(2)\n%y = Conv(%x, %w)",
    "%x : i16[61,67,37] = random(1)\n%y, %z = TopK(%x) {axis=1, k=9}",
    "%x : f32[999,5,5] = random(1)\n%y = Det(%x)",
    "%x : f32[1001,37] = random(1)\n%y = Softmax(%x) {axis=1}",
    "%x : f32[37,1001] = random(1)\n%y = LogSoftmax(%x) {axis=0}",
    "%x : f32[1001,37] = random(1)\n%s : f32[37] = random(2)\n%y = LayerNormalization(%x, %s) {axis=1}",
    "%x : f32[3,5,61,67] = random(1)\n%s : f32[5] = random(2)\n%y = InstanceNormalization(%x, %s, %s)",
    "%x : f32[61,67,37] = random(1)\n%y = ReduceMean(%x) {axes=[1]}",
    "%x : f32[61,67,37] = random(1)\n%y = ReduceLogSumExp(%x) {axes=[0,2]}",
    "%x : f32[61,67,37] = random(1)\n%y = ArgMax(%x) {axis=1}",
    "%x : f32[61,67,37] = random(1)\n%y = Transpose(%x) {perm=[2,0,1]}",
    "%x : u8[61,67,37] = random(1)\n%y = Transpose(%x) {perm=[1,0,2]}",
    "%x : f32[61,67,37] = random(1)\n%z : f32[61,5,37] = random(1)\n%y = Concat(%x, %z, %x) {axis=1}",
    "%x : f32[61,67,37] = random(1)\n%y, %z = Split(%x) {axis=2, split=[30,7]}",
    "%x : f32[61,67,37] = random(1)\n%y = Slice(%x) {starts=[1,2,36], ends=[61,60,-1], steps=[1,3,-1]}",
    "%x : f32[61,67,37] = random(1)\n%y = Pad(%x) {pads=[1,2,3,3,2,1], mode=\"reflect\"}",
    "%x : f32[61,67,37] = random(1)\n%y = Tile(%x) {repeats=[1,2,1]}",
    "%x : f32[61,1,37] = random(1)\n%y = Expand(%x) {shape=[61,40,37]}",
    "%x : f32[9,7,31,33] = random(1)\n%y = Resize(%x) {sizes=[9,7,40,50], mode=\"linear\"}",
    "%x : f32[9,7,31,33] = random(1)\n%y = Resize(%x) {sizes=[9,7,40,50]}",
    "%x : f32[200,31,33] = random(1)\n%i : i64[3] = {1, 30, 0}\n%y = Gather(%x, %i) {axis=1}",
    "%x : f32[50,31,33] = random(1)\n%y = Trilu(%x)",
};

std::vector<std::byte> bytes_of(const Tensor& tensor) { return {tensor.bytes().begin(), tensor.bytes().end()}; }

struct Storage {
  std::vector<std::vector<std::byte>> memory;
  std::byte* add(size_t bytes, std::byte fill) {
    memory.emplace_back(bytes + 192, fill);
    std::byte* data = memory.back().data();
    return data + (64 - reinterpret_cast<uintptr_t>(data) % 64) % 64;
  }
};

TEST(ReferenceKernels, TilesGiveTheSameBytesInAnyOrderAndWithAnyScratch) {
  for (const char* text : kLargeCases) {
    SCOPED_TRACE(text);
    const Graph graph = graph_of(text);
    const BoundNode bound(graph, graph.order().back(), true);
    const Kernel& kernel = reference_of(bound.call());
    Weights weights;
    const std::vector<Tensor> expected = run_kernel(kernel, bound.call(), bound.inputs(), weights);
    const Prepared prepared = kernel.prepare(bound.call(), weights);
    EXPECT_GE(prepared.tiles, 2);
    Storage storage;
    std::vector<Buffer> buffers;
    for (const Tensor& input : bound.inputs()) {
      buffers.push_back({storage.add(input.bytes().size(), std::byte{0xff})});  // NaN around and after
      std::memcpy(buffers.back().data, input.bytes().data(), input.bytes().size());
    }
    for (const Tensor& output : expected) buffers.push_back({storage.add(output.bytes().size(), std::byte{0xff})});
    for (int64_t tile = prepared.tiles; tile-- > 0;) {
      std::byte* scratch = storage.add(static_cast<size_t>(prepared.scratch), std::byte{0xff});
      kernel.run(prepared, buffers, tile, scratch);
      storage.memory.pop_back();
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      const std::byte* data = buffers[bound.inputs().size() + i].data;
      const size_t size = expected[i].bytes().size();
      EXPECT_EQ(std::memcmp(data, expected[i].bytes().data(), size), 0);
      for (size_t past = size; past < size + 64; ++past)
        ASSERT_EQ(data[past], std::byte{0xff}) << "written past the end";
    }
  }
}

TEST(ReferenceKernels, RunInPlaceWhereTheySaySo) {
  for (const std::string text :
       {"%x : f32[40000] = random(1)\n%y = SiLU(%x)",
        "%x : f32[400,100] = random(1)\n%z : f32[100] = random(2)\n%y = Mul(%x, %z)",
        "%x : f32[100] = random(1)\n%z : f32[400,100] = random(2)\n%y = Sub(%x, %z)",
        "%x : f32[400,100] = random(1)\n%y = Reshape(%x) {shape=[40000]}",
        "%x : f32[9] = random(1)\n%i : i64[1,1] = {4}\n%u : f32[1] = {7}\n%y = ScatterND(%x, %i, %u)",
        "%x : u8[40000] = random(1)\n%y = BitwiseNot(%x)", "%x : f32[40000] = random(1)\n%y = BitCast(%x) {to=10}",
        "%x : f32[9] = random(1)\n%i : i64[1] = {4}\n%u : f32[1] = {7}\n%y = ScatterElements(%x, %i, %u) {axis=0}"}) {
    SCOPED_TRACE(text);
    const Graph graph = graph_of(text);
    const BoundNode bound(graph, graph.order().back(), false);
    const Kernel& kernel = reference_of(bound.call());
    Weights weights;
    const Tensor expected = run_kernel(kernel, bound.call(), bound.inputs(), weights)[0];
    const Prepared prepared = kernel.prepare(bound.call(), weights);
    ASSERT_GE(prepared.in_place, 0);
    std::vector<Tensor> inputs = bound.inputs();
    std::vector<Buffer> buffers;
    for (Tensor& input : inputs) buffers.push_back({input.mutable_bytes().data()});
    buffers.push_back(buffers[static_cast<size_t>(prepared.in_place)]);
    std::vector<std::byte> scratch(static_cast<size_t>(prepared.scratch) + 64);
    for (int64_t tile = 0; tile < prepared.tiles; ++tile) kernel.run(prepared, buffers, tile, scratch.data());
    EXPECT_EQ(bytes_of(inputs[static_cast<size_t>(prepared.in_place)]), bytes_of(expected));
  }
}

TEST(ReferenceKernels, LeaveEmptyTensorsAlone) {
  for (const char* text :
       {"%x : f32[0,3] = fill(0)\n%y = Relu(%x)", "%x : f32[2,0] = fill(0)\n%y = Transpose(%x) {perm=[1,0]}",
        "%x : f32[0,3] = fill(0)\n%z : f32[1,3] = fill(0)\n%y = Add(%x, %z)",
        "%x : f32[2,0] = fill(0)\n%y = Concat(%x, %x) {axis=1}", "%x : f32[3,0] = fill(0)\n%y = Softmax(%x) {axis=1}",
        "%x : f32[0,4] = fill(0)\n%w : f32[4,2] = fill(0)\n%y = MatMul(%x, %w)",
        "%x : f32[3] = fill(0)\n%i : i64[0] = fill(0)\n%y = Gather(%x, %i) {axis=0}",
        "%x : f32[0,3] = fill(0)\n%s : f32[3] = fill(1)\n%y = QuantizeLinear(%x, %s) {axis=1, to=6}",
        "%x : i8[2,0] = fill(0)\n%s : f32[0] = fill(1)\n%y = DequantizeLinear(%x, %s) {axis=1}",
        "%x : u8[0,3] = fill(0)\n%z : u8[1,3] = fill(0)\n%y = BitwiseXor(%x, %z)",
        "%x : u4[0] = fill(0)\n%y = Cast(%x) {to=0}", "%x : f32[3,0] = fill(0)\n%y, %z = TopK(%x) {axis=1, k=0}",
        "%x : f32[3,4] = fill(0)\n%y, %z = TopK(%x) {axis=1, k=0}",
        "%x : i32[0,4] = fill(0)\n%w : i32[4,2] = fill(0)\n%y = MatMul(%x, %w)",
        "%x : f32[0,3] = fill(0)\n%i : i64[0,3] = fill(0)\n%u : f32[0,3] = fill(0)\n"
        "%y = ScatterElements(%x, %i, %u) {axis=0}",
        "%x : f32[0,2,2] = fill(0)\n%y = Det(%x)"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(result_of(text).size(), 0);
  }
  EXPECT_EQ(result_of("%x : f32[2,0] = fill(0)\n%y = ReduceSum(%x) {axes=[1]}").values<float>()[1], 0.0f);
  EXPECT_EQ(result_of("%x : f32[2,0] = fill(0)\n%z : f32[0,2] = fill(0)\n%y = MatMul(%x, %z)").values<float>()[3],
            0.0f);
}

// ---- Refusals ----

bool is_taken(const std::string& text) {
  const Graph graph = graph_of(text);
  const BoundNode bound(graph, graph.order().back(), false);
  return choose_kernel(reference_kernels(), bound.call(), 0) != nullptr;
}

TEST(ReferenceKernels, MoveCodesOnlyBetweenEqualParameters) {
  EXPECT_TRUE(is_taken("%x : i8[4] q(0.5, 1) = iota\n%y : i8[2,2] q(0.5, 1) = Reshape(%x) {shape=[2,2]}"));
  EXPECT_FALSE(is_taken("%x : i8[4] q(0.5, 1) = iota\n%y : i8[2,2] q(0.5, 2) = Reshape(%x) {shape=[2,2]}"));
  EXPECT_FALSE(is_taken("%x : i8[2,2] q(0.5, 1) = iota\n%y : i8[2,2] q(0.25, 1) = Transpose(%x) {perm=[1,0]}"));
  EXPECT_FALSE(is_taken("%x : i8[1,1,2,2] q(0.5, 1) = iota\n%y : i8[1,1,1,1] q(0.25, 1) = GlobalMaxPool(%x)"));
}

TEST(ReferenceKernels, LeaveArithmeticOfCodesToTheIntegerRows) {
  const Graph graph = graph_of("%x : i8[4] q(0.5, 1) = iota\n%y : i8[4] q(0.5, 1) = Add(%x, %x)");
  const BoundNode bound(graph, graph.order().back(), false);
  const Kernel* kernel = choose_kernel(reference_kernels(), bound.call(), 0);
  EXPECT_TRUE(kernel == nullptr || kernel->name != "add_reference");
}

TEST(ReferenceGather, RefusesIndicesOutsideTheDimension) {
  for (const char* index : {"3", "-4", "9223372036854775807"}) {
    const std::string text = std::string("%x : f32[3] = iota\n%i : i64[1] = {") + index + "}\n";
    try {
      result_of(text + "%y = Gather(%x, %i) {axis=0} as pick");
      ADD_FAILURE() << "accepted " << index;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::RuntimeBadInput);
      EXPECT_EQ(error.diagnostics[0].where.node, "pick");
      EXPECT_NE(std::string(error.what()).find(index), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace openrknn
