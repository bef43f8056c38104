// Caffe: what a reader may be given. Results are held to OpenCV and to Caffe's definitions in
// tests/python/test_import_caffe.py.
#include "compiler/importers/caffe/importer.h"
#include "compiler/importers/caffe/text_format.h"
#include "importers/two_files.h"

namespace openrknn::caffe {
namespace {

Graph import(const test::NetworkFiles& files) {
  const auto model = MappedFile::copy_of(std::as_bytes(std::span(files.weights)), "net.caffemodel");
  return import_net(files.text, "net.prototxt", *model, {});
}

TEST(Caffe, NetsAreGraphsThatVerify) {
  const auto nets = test::seeds_of("fuzz_caffe");
  ASSERT_GE(nets.size(), 4u);
  test::expect_graphs_that_verify(nets, import);
}

TEST(Caffe, EveryCutIsAnErrorOrAnotherNet) { test::expect_cuts_are_errors(test::seeds_of("fuzz_caffe"), import); }

std::string problems_of(const std::string& net) {
  try {
    import({.text = net, .weights = test::seeds_of("fuzz_caffe").front().weights});
  } catch (const Error& error) {
    return error.what();
  }
  return "imported";
}

TEST(Caffe, LayersOfPlanesRefuseOtherInputs) {
  for (const std::string layer :
       {"'Pooling' pooling_param { kernel_size: 1 }", "'Interp' interp_param { zoom_factor: 2 }", "'Resize'",
        "'Upsample'", "'Reorg'", "'bn'", "'Normalize'",
        "'Convolution' convolution_param { num_output: 1 kernel_size: 1 }",
        "'PriorBox' bottom: 'x' prior_box_param { min_size: 1 }"}) {
    const std::string problem = problems_of(
        "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 3 } } }"
        "layer { name: 'y' bottom: 'x' top: 'y' type: " +
        layer + " }");
    EXPECT_NE(problem.find("4 dimensions"), std::string::npos) << layer << ": " << problem;
  }
}

TEST(Caffe, LayersWithoutBottomsAreRefused) {
  for (const std::string type : {"Dropout", "ReLU", "Eltwise", "Concat", "Split", "Softmax"}) {
    const std::string problem = problems_of(
        "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 3 } } }"
        "layer { name: 'y' top: 'y' type: '" +
        type + "' }");
    EXPECT_NE(problem.find("0 bottoms"), std::string::npos) << type << ": " << problem;
  }
}

TEST(Caffe, WeightsBeyondAllMemoryAreRefused) {
  const std::string problem = problems_of(
      "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: [1, 1000000, 1, 1] } } }"
      "layer { name: 'y' bottom: 'x' top: 'y' type: 'Convolution'"
      " convolution_param { num_output: 1000000 kernel_h: 1000000 kernel_w: 1000000 } }");
  EXPECT_NE(problem.find("y"), std::string::npos) << problem;
  EXPECT_NE(problem, "imported");
}

TEST(Caffe, TheTextFormIsReadAsProtobufReadsIt) {
  const Message message = parse_text(
      "# a comment\n"
      "name: 'a' \"b\"  # two strings are one\n"
      "n: 1; n: 2, list: [3, 4] list: 5\n"
      "inner { x: 1.5f y: -2e-1 } inner < x: 3 >\n"
      "escaped: \"q\\\"q\" on: true off: False word: MAX\n",
      "net.prototxt");
  EXPECT_EQ(message.text("name"), "ab");
  EXPECT_EQ(message.integer("n", 0), 2) << "the last of two counts";
  EXPECT_EQ(message.integers("list"), (std::vector<int64_t>{3, 4, 5}));
  ASSERT_EQ(message.messages("inner").size(), 2u);
  EXPECT_EQ(message.messages("inner")[0]->number("x", 0), 1.5);
  EXPECT_EQ(message.messages("inner")[0]->number("y", 0), -0.2);
  EXPECT_EQ(message.message("inner").number("x", 0), 3);
  EXPECT_EQ(message.text("escaped"), "q\"q");
  EXPECT_TRUE(message.boolean("on", false));
  EXPECT_FALSE(message.boolean("off", true));
  EXPECT_EQ(message.text("word"), "MAX");
  EXPECT_TRUE(message.message("absent").fields.empty());
}

TEST(Caffe, FieldsOfAnotherFormNameTheirLine) {
  const Message message = parse_text("a: x\nb { }\nc: 1\nd: nan\n", "net.prototxt");
  const auto line_of = [&](const auto& read) -> int64_t {
    try {
      read();
    } catch (const Error& error) {
      return error.diagnostics.front().where.line;
    }
    return 0;
  };
  EXPECT_EQ(line_of([&] { message.integer("a", 0); }), 1);
  EXPECT_EQ(line_of([&] { message.boolean("a", true); }), 1);
  EXPECT_EQ(line_of([&] { message.text("b"); }), 2);
  EXPECT_EQ(line_of([&] { message.message("c"); }), 3);
  EXPECT_EQ(line_of([&] { message.number("d", 0); }), 4);
  EXPECT_EQ(line_of([&] { message.integer("c", 0, 2, 3); }), 3);
}

}  // namespace
}  // namespace openrknn::caffe
