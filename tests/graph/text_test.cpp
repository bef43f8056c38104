#include "core/graph/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace openrknn {
namespace {

/// Text -> graph -> text and back; contents included.
std::string round_trip(const Graph& graph) {
  std::vector<Tensor> data, again;
  const std::string text = to_text(graph, {}, &data);
  const Graph read = parse_graph(text, data);
  EXPECT_EQ(to_text(read, {}, &again), text);
  EXPECT_EQ(again.size(), data.size());
  for (size_t i = 0; i < data.size() && i < again.size(); ++i) EXPECT_TRUE(identical(data[i], again[i]));
  verify(read);
  return text;
}

void expect_syntax_error(std::string_view text, int64_t line, std::string_view part) {
  try {
    parse_graph(text);
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics[0].where.line, line) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << "got: " << error.what();
  }
}

TEST(GraphText, PrintsOneLineANode) {
  const Graph graph = parse_graph(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[1,2,3,3] = fill(0.5)
%relu1:0 = Conv(%x, %w) {strides=[2,2], pads=[1,1,1,1], activation="Relu"} as conv1 from [conv1, relu1]
output %relu1:0
)");
  EXPECT_EQ(to_text(graph), R"(ir 1
origin conv1 : Conv %relu1:0
origin relu1 : Conv %relu1:0
input %x : f32[1,2,4,4]
%w : f32[1,2,3,3] = data(0)
%relu1:0 : f32[1,1,2,2] = Conv(%x, %w) {activation="Relu", pads=[1,1,1,1], strides=[2,2]} as conv1 from [conv1, relu1]
output %relu1:0
)");
}

TEST(GraphText, RoundTripsEverythingAValueAndANodeCanHold) {
  Graph graph = parse_graph(R"(ir 1   # a comment
metadata "key \"a\"" = "two\nlines"
origin conv1 : Conv %c {file="net.onnx", node="n", tensor="t", line=12}
origin "" : "Odd op" %"odd tensor"
origin "" : Relu %r
unplaced [@1]
input %x : i8[1,2,4,4] q(0.0235, -128) aka [%first, %"second name"]
%w : i8[3,2,1,1] q([0.1, 0.25, 1e-10], [0, -3, 127], axis=0) = {1, -2, 3, 4, 5, 6}
%b : i32[3] = iota
%c : i8[1,3,4,4] q(0.5, 3) = Conv(%x, %w, %b) on npu fixed(channel=[16384, 3, 4], channel_shift=13, scale=[[20000, 12], [-3, 0]], slope=[1, -2], low=-128, high=127) from [conv1]
%f : f16[1,3,4,4] = Convert(%c) from [@2]
%s : i64[4] known {1, 3, 4, 4} = Shape(%f)
output %f
output %s
output %f
)");
  const std::string text = round_trip(graph);
  for (const char* part :
       {"metadata \"key \\\"a\\\"\" = \"two\\nlines\"", "aka [%first, %\"second name\"]", "q(0.0235, -128)",
        "q([0.1, 0.25, 1e-10], [0, -3, 127], axis=0)", "on npu", "known {1, 3, 4, 4}", "unplaced [@1]",
        "scale=[[20000, 12], [-3, 0]]", "{file=\"net.onnx\", node=\"n\", tensor=\"t\", line=12}"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nin\n" << text;
  }
}

TEST(GraphText, RoundTripsAttributesOfAllTypes) {
  Graph graph = parse_graph("ir 1\ninput %x : f32[2]\n%y = Relu(%x)\noutput %y\n");
  Attributes& attributes = graph[graph[graph.find("y")].producer].attributes;
  attributes["int"] = int64_t{-5};
  attributes["float"] = 3.0;
  attributes["inf"] = -std::numeric_limits<double>::infinity();
  attributes["string"] = std::string("a\"\\\x01\x7f é");
  attributes["ints"] = std::vector<int64_t>{1, std::numeric_limits<int64_t>::min()};
  attributes["no ints"] = std::vector<int64_t>{};
  attributes["floats"] = std::vector<double>{1, 0.1, 1e300};
  attributes["no_floats"] = std::vector<double>{};
  attributes["strings"] = std::vector<std::string>{"", "b"};
  attributes["no_strings"] = std::vector<std::string>{};
  attributes["tensor"] = Tensor::from<uint64_t>({2}, {0, std::numeric_limits<uint64_t>::max()});
  attributes["graph"] = std::make_shared<const Graph>(parse_graph("ir 1\ninput %i : f32[]\n%o = Neg(%i)\noutput %o\n"));
  const std::string text = to_text(graph);
  // Relu has none of these attributes: reading must say so, and name them all.
  try {
    parse_graph(text);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics.size(), attributes.size()) << error.what();
    EXPECT_EQ(error.code(), Code::GraphBadAttribute);
  }
  EXPECT_NE(text.find("float=3.0, floats=[1.0,0.1,1e+300]"), std::string::npos) << text;
  EXPECT_NE(text.find("inf=-inf"), std::string::npos) << text;
  EXPECT_NE(text.find("int=-5"), std::string::npos) << text;
  EXPECT_NE(text.find("\"no ints\"=[], no_floats=floats[], no_strings=strings[]"), std::string::npos) << text;
  EXPECT_NE(text.find("string=\"a\\\"\\\\\\x01\\x7f é\", strings=[\"\",\"b\"]"), std::string::npos) << text;
  EXPECT_NE(text.find("tensor u64[2] {0, 18446744073709551615}"), std::string::npos) << text;
  EXPECT_NE(text.find("graph {\n  ir 1\n  input %i : f32[]\n  %o : f32[] = Neg(%i)\n  output %o\n}"), std::string::npos)
      << text;
}

TEST(GraphText, WritesLongListsToTheData) {
  Graph graph;
  std::vector<double> scale(40, 0.25);
  scale[7] = 1.0 / 3;
  Value w{.name = "w", .dtype = DType::Int8, .shape = {40, 1}};
  w.quant = QuantParams{.scale = scale, .zero_point = std::vector<int32_t>(40, 1), .axis = 0, .group = 0};
  w.constant = Tensor::zeros(DType::Int8, {40, 1});
  graph.outputs = {graph.add(std::move(w))};
  const std::string text = round_trip(graph);
  EXPECT_NE(text.find("q(data(0), data(1), axis=0) = data(2)"), std::string::npos) << text;
}

TEST(GraphText, RoundTripsAnyName) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    Graph graph;
    std::string name;
    for (int i = 0, n = 1 + static_cast<int>(random() % 6); i < n; ++i) name += static_cast<char>(random() % 256);
    Value x{.name = name, .shape = {3}}, y{.name = name + ":", .shape = {3}};
    graph.inputs = {graph.add(x)};
    graph.outputs = {graph.add(y)};
    graph.origins.push_back({"Relu", name, name, {}});
    graph.add(Node{.name = ":" + name, .op = "Relu", .inputs = graph.inputs, .outputs = graph.outputs, .origins = {0}});
    std::vector<Tensor> data;
    const Graph read = parse_graph(to_text(graph), data);
    EXPECT_EQ(read[read.inputs[0]].name, name) << "seed 1, round " << round;
    EXPECT_EQ(read[read.outputs[0]].name, name + ":");
    EXPECT_EQ(read[read.order()[0]].name, ":" + name);
    EXPECT_EQ(read.origins[0].node, name);
  }
}

TEST(GraphText, RoundTripsFloatContentsExactly) {
  std::mt19937 random(2);
  for (const DType dtype : {DType::Float32, DType::Float64, DType::Float16, DType::BFloat16}) {
    Tensor tensor(dtype, {16});
    for (std::byte& byte : tensor.mutable_bytes()) byte = static_cast<std::byte>(random());
    const std::vector<double> values = to_doubles(tensor);
    if (std::any_of(values.begin(), values.end(), [](double v) { return v != v; })) continue;  // NaN payloads are lost
    Graph graph;
    graph.outputs = {graph.add_constant("c", tensor)};
    const Graph read = parse_graph(to_text(graph));
    EXPECT_TRUE(identical(*read[read.outputs[0]].constant, tensor)) << to_text(graph);
  }
}

/// A random elementwise and shape graph over [2,3,4] values.
Graph random_graph(uint32_t seed) {
  std::mt19937 random(seed);
  std::string text = "ir 1\ninput %v0 : f32[2,3,4]\ninput %v1 : f32[2,3,4]\n";
  constexpr const char* kUnary[] = {"Relu", "Sigmoid", "LeakyRelu", "Neg", "HardSwish"};
  constexpr const char* kBinary[] = {"Add", "Mul", "Sub", "Max"};
  const int count = 2 + static_cast<int>(random() % 20);
  for (int i = 2; i < count; ++i) {
    const auto pick = [&] { return "%v" + std::to_string(random() % static_cast<unsigned>(i)); };
    const std::string id = std::to_string(i), from = " from [n" + id + "]\n";
    switch (random() % 3) {
      case 0:
        text += "%v" + id + " = " + kUnary[random() % 5] + "(" + pick() + ") as \"node " + id + "\"" + from;
        break;
      case 1:
        text += "%v" + id + " = " + kBinary[random() % 4] + "(" + pick() + ", " + pick() + ")" + from;
        break;
      default:
        text += "%c" + id + " : f32[" + (random() % 2 ? "4" : "2,3,4") + "] = random(" + id + ")\n";
        text += "%v" + id + " = Add(" + pick() + ", %c" + id + ")" + from;
    }
  }
  return parse_graph(text + "output %v" + std::to_string(count - 1) + "\n");
}

TEST(GraphText, RoundTripsRandomGraphs) {
  for (uint32_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    round_trip(random_graph(seed));
  }
}

TEST(GraphText, NamesTheLineOfAProblem) {
  expect_syntax_error("hello", 1, "ir 1");
  expect_syntax_error("ir 2", 1, "got '2'");
  expect_syntax_error("ir 1\ninput %x\n", 3, "an input with its type");
  expect_syntax_error("ir 1\ninput %x : f33[2]\n", 2, "got 'f33', expected a type");
  expect_syntax_error("ir 1\ninput %x : f32[2]\n%y = Relu(%z)\n", 3, "%z is not defined above");
  expect_syntax_error("ir 1\ninput %x : f32[2]\ninput %x : f32[2]\n", 4, "%x is defined twice");
  expect_syntax_error("ir 1\ninput %x : f32[2]\n%y = Frob(%x)\n", 3, "unknown operator 'Frob'");
  expect_syntax_error("ir 1\ninput %x : f32[2]\n%y : f32[3] = Relu(%x)\n", 3, "said to be f32[3], but is f32[2]");
  expect_syntax_error("ir 1\n%c : f32[2] = {1}\n", 3, "1 elements for shape [2], expected 2");
  expect_syntax_error("ir 1\n%c : f32[2] = data(4)\n", 2, "data(4) does not exist");
  expect_syntax_error("ir 1\n%c : f32[100000000,100] = fill(1)\n", 2, "too many");
  expect_syntax_error("ir 1\nmetadata \"a\n", 2, "closing quote");
  expect_syntax_error("ir 1\ninput %x : f32[2]\n%y = Relu(%x) from [@3]\n", 3, "origin @3 does not exist");
  expect_syntax_error("ir 1\n!\n", 2, "unexpected character 0x21");
}

TEST(GraphText, RefusesGraphsNestedWithoutEnd) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "ir 1\n%y = Relu() {a=graph {";
  EXPECT_THROW(parse_graph(text), Error);
}

TEST(GraphText, SurvivesDamagedText) {
  const std::string good = to_text(random_graph(5));
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string bad = good;
    for (int i = 0; i < 3; ++i) {
      const size_t at = random() % bad.size();
      if (random() % 2) {
        bad[at] = static_cast<char>(random() % 256);
      } else {
        bad.erase(at, random() % 8);
      }
    }
    try {
      parse_graph(bad);
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace openrknn
