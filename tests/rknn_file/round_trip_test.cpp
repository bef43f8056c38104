// What is written comes back: every part of a Model, every kind of attribute, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/rknn_file/decode.h"
#include "core/rknn_file/encode.h"
#include "support/random_graph.h"
#include "support/text_model.h"

namespace openrknn {
namespace {

using test::file_bytes;
using test::model_of;
using test::read_bytes;

constexpr std::string_view kQuantized = R"(ir 1
metadata "author" = "nobody"
metadata "key" = "two\nlines"
origin conv1 : Conv %c {file="net.onnx", node="n", tensor="t", line=12}
origin relu1 : Relu %r
origin gone : Identity %g
unplaced [@2]
input %x : i8[1,2,4,4] q(0.0235, -128) aka [%first, %"second name"]
%w : i8[3,2,1,1] q([0.1, 0.25, 1e-10], [0, -3, 127], axis=0) = {1, -2, 3, 4, 5, 6}
%b : i32[3] = iota
%c : i8[1,3,4,4] q(0.5, 3) = Conv(%x, %w, %b) {activation="Relu"} as conv1 on npu fixed(channel=[16384, 3, 4], channel_shift=13, scale=[[20000, 12]], slope=[1, -2, 3], low=-128, high=127) from [conv1, relu1]
output %c
)";

void expect_same_graph(const Graph& a, const Graph& b) {
  std::vector<Tensor> a_data, b_data;
  EXPECT_EQ(to_text(a, {}, &a_data), to_text(b, {}, &b_data));
  ASSERT_EQ(a_data.size(), b_data.size());
  for (size_t i = 0; i < a_data.size(); ++i) EXPECT_TRUE(identical(a_data[i], b_data[i])) << i;
}

/// Equal type and content, for all kinds but tensors and graphs.
bool equal(const Attribute& a, const Attribute& b) {
  return std::visit(
      [&]<class T>(const T& value) {
        if constexpr (std::is_same_v<T, Tensor> || std::is_same_v<T, std::shared_ptr<const Graph>>) {
          return false;
        } else {
          return std::holds_alternative<T>(b) && std::get<T>(b) == value;
        }
      },
      a);
}

TEST(RknnFile, KeepsGraphQuantizationStoredIntegersOriginsAndMetadata) {
  const Model model = model_of(kQuantized);
  const Model again = read_bytes(file_bytes(model));
  ASSERT_EQ(again.variants.size(), 1u);
  expect_same_graph(again.variants[0], model.variants[0]);
  EXPECT_EQ(again.variants[0].find("second name"), again.variants[0].inputs[0]);
  EXPECT_EQ(again.variants[0].metadata.at("key"), "two\nlines");
}

TEST(RknnFile, KeepsEverythingAroundTheGraph) {
  Model model = model_of(kQuantized);
  model.custom_string = "a \"custom\" string \x01";
  model.tool_version = "9.9";
  model.arithmetic = {"rv1106", 1};
  model.batch = 4;
  model.inputs[0].mean = {1.5f, 2};
  model.inputs[0].std = {58.395f, 3};
  model.inputs[0].source_order = {0, 2, 3, 1};
  model.inputs[0].dtype = DType::Float16;
  model.sections["pass log"] = Tensor::from<uint8_t>({3}, {1, 2, 3});
  model.sections["npu/a"] = Tensor::from<float>({2, 1}, {0.5f, -1});
  const Model again = read_bytes(file_bytes(model));
  EXPECT_EQ(again.inputs, model.inputs);
  EXPECT_EQ(again.outputs, model.outputs);
  EXPECT_EQ(again.target, model.target);
  EXPECT_EQ(again.custom_string, model.custom_string);
  EXPECT_EQ(again.tool_version, model.tool_version);
  EXPECT_EQ(again.source_framework, model.source_framework);
  EXPECT_EQ(again.arithmetic, model.arithmetic);
  EXPECT_EQ(again.batch, model.batch);
  ASSERT_EQ(again.sections.size(), 2u);
  for (const auto& [name, tensor] : model.sections) EXPECT_TRUE(identical(again.sections.at(name), tensor)) << name;
  EXPECT_FALSE(again.golden.has_value());
}

TEST(RknnFile, KeepsTheFormatOfFramesAndRefusesWhatCannotBeOne) {
  Model model = model_of("ir 1\ninput %x : f32[1,1,6,4]\n%y : f32[1,1,6,4] = Relu(%x)\noutput %y\n");
  model.inputs[0].pixel_format = "nv21";
  EXPECT_EQ(read_bytes(file_bytes(model)).inputs, model.inputs);
  model.inputs[0].pixel_format = "rgb";
  EXPECT_THROW(file_bytes(model), Error);
  model = model_of("ir 1\ninput %x : f32[1,4]\n%y : f32[1,4] = Relu(%x)\noutput %y\n");
  model.inputs[0].pixel_format = "nv12";
  EXPECT_THROW(file_bytes(model), Error);
}

TEST(RknnFile, KeepsEveryKindOfAttribute) {
  Model model = model_of(R"(ir 1
input %x : f32[2,2]
%y : f32[2,2] = Relu(%x)
output %y
)");
  Graph& graph = model.variants[0];
  const auto body = std::make_shared<const Graph>(graph);
  const Attributes all = {
      {"int", int64_t{-5}},
      {"float", std::nextafter(1.0, 2.0)},
      {"string", std::string("a\0b", 3)},
      {"ints", std::vector<int64_t>{1, INT64_MIN}},
      {"no ints", std::vector<int64_t>{}},
      {"floats", std::vector<double>{0.1, -0.0}},
      {"strings", std::vector<std::string>{"", "x"}},
  };
  graph[NodeId(0)].attributes = all;
  graph[NodeId(0)].attributes["tensor"] = Tensor::from<int16_t>({1, 2}, {7, -7});
  graph[NodeId(0)].attributes["graph"] = body;

  // No schema knows all of these, so read() would refuse them: encoder and decoder meet here without it.
  WeightsSection weights;
  const std::string encoded = encode_model(model, weights);
  std::string weight_bytes;
  for (const Bytes piece : weights.pieces()) weight_bytes += as_text(piece);
  const Model again = decode_model({"test", as_bytes(encoded), as_bytes(weight_bytes), nullptr}, {});
  Attributes read = again.variants[0][NodeId(0)].attributes;
  EXPECT_TRUE(identical(std::get<Tensor>(read.at("tensor")), Tensor::from<int16_t>({1, 2}, {7, -7})));
  expect_same_graph(*std::get<std::shared_ptr<const Graph>>(read.at("graph")), *body);
  read.erase("tensor");
  read.erase("graph");
  ASSERT_EQ(read.size(), all.size());
  for (const auto& [name, attribute] : all) EXPECT_TRUE(equal(read.at(name), attribute)) << name;
}

TEST(RknnFile, PairsGoldenAndQuantizedGraphById) {
  Model model = model_of(kQuantized);
  Graph golden = parse_graph(R"(ir 1
input %x : f32[1,2,4,4]
%w : f32[3,2,1,1] = fill(0.5)
%b : f32[3] = iota
%c : f32[1,3,4,4] = Conv(%x, %w, %b)
%r : f32[1,3,4,4] = Relu(%c)
output %r
)");
  model.golden = golden;
  const Model again = read_bytes(file_bytes(model));
  ASSERT_TRUE(again.golden.has_value());
  expect_same_graph(*again.golden, golden);
  const Graph& quantized = again.variants[0];
  for (const char* name : {"x", "w", "b", "c"}) EXPECT_EQ(quantized.find(name), again.golden->find(name)) << name;
  EXPECT_EQ(file_bytes(again), file_bytes(model));
}

TEST(RknnFile, DropsWhatTheGraphNoLongerUses) {
  Model model = model_of(R"(ir 1
input %x : f32[1,4]
%w : f32[1,4] = fill(1.0)
%a : f32[1,4] = Add(%x, %w)
%y : f32[1,4] = Relu(%a)
output %y
)");
  Graph& graph = model.variants[0];
  graph.set_inputs(graph[graph.find("y")].producer, {graph.find("x")});
  graph.remove_unused();
  const std::string bytes = file_bytes(model);
  const Model again = read_bytes(bytes);
  EXPECT_EQ(again.variants[0].find("w"), ValueId::None);
  EXPECT_EQ(again.variants[0].value_count(), 2);
  EXPECT_EQ(file_bytes(again), bytes);
}

TEST(RknnFile, StoresEqualConstantsOnce) {
  const std::string one = file_bytes(model_of(R"(ir 1
input %x : f32[1,4096]
%w : f32[1,4096] = random(1)
%y : f32[1,4096] = Add(%x, %w)
output %y
)"));
  const std::string two = file_bytes(model_of(R"(ir 1
input %x : f32[1,4096]
%w : f32[1,4096] = random(1)
%v : f32[1,4096] = random(1)
%a : f32[1,4096] = Add(%x, %w)
%y : f32[1,4096] = Mul(%a, %v)
output %y
)"));
  EXPECT_LT(two.size(), one.size() + 4096);
  const Model again = read_bytes(two);
  const Graph& graph = again.variants[0];
  EXPECT_EQ(graph[graph.find("w")].constant->bytes().data(), graph[graph.find("v")].constant->bytes().data());
}

TEST(RknnFile, MapsConstantsAlignedAndWithoutCopy) {
  const auto file = test::in_memory(file_bytes(model_of(kQuantized)));
  const Model model = read(file);
  const Graph& graph = model.variants[0];
  for (const char* name : {"w", "b"}) {
    const std::byte* data = graph[graph.find(name)].constant->bytes().data();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u) << name;
    EXPECT_GE(data, file->bytes().data());
    // Kernels may read 64 bytes past the end of a constant.
    EXPECT_LE(data + graph[graph.find(name)].constant->bytes().size() + 64,
              file->bytes().data() + file->bytes().size());
  }
}

TEST(RknnFile, GivesEqualBytesForEqualModels) {
  EXPECT_EQ(file_bytes(model_of(kQuantized)), file_bytes(model_of(kQuantized)));
}

TEST(RknnFile, RoundTripsRandomGraphs) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Model model;
    model.target = "rk3588";
    model.variants.push_back(test::RandomGraph(seed, {.quantized = seed % 2 == 1}).make());
    const Graph& graph = model.variants[0];
    model.inputs.resize(graph.inputs.size());
    model.outputs.resize(graph.outputs.size());
    const std::string bytes = file_bytes(model);
    const Model again = read_bytes(bytes);
    expect_same_graph(again.variants[0], graph);
    EXPECT_EQ(file_bytes(again), bytes);
  }
}

}  // namespace
}  // namespace openrknn
