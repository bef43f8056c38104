// The file users edit: written in the shapes their scripts match, read whatever YAML it has become.
#include "toolkit/hybrid_config.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace openrknn {
namespace {

HybridConfig parse(const std::string& text) { return parse_hybrid_config(text, "net.quantization.cfg"); }

std::string refusal(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::ConfigBadValue) << text.substr(0, 200);
    return error.what();
  }
  ADD_FAILURE() << "it was taken: " << text.substr(0, 200);
  return {};
}

TensorParameters relu6(std::string name) {
  TensorParameters tensor{.name = std::move(name)};
  tensor.dtype = "int8";
  tensor.min = {0};
  tensor.max = {6};
  tensor.scale = {6.0 / 255};
  tensor.zero_point = {-128};
  tensor.ori_min = {0};
  tensor.ori_max = {6};
  return tensor;
}

TEST(HybridConfig, IsWrittenInTheDocumentedShapes) {
  EXPECT_EQ(to_text({.parameters = {relu6("FeatureExtractor/MobilenetV2/Conv/Relu6:0")}}),
            "custom_quantize_layers: {}\n"
            "quantize_parameters:\n"
            "    FeatureExtractor/MobilenetV2/Conv/Relu6:0:\n"
            "        qtype: asymmetric_quantized\n"
            "        qmethod: layer\n"
            "        dtype: int8\n"
            "        min:\n        -   0.0\n"
            "        max:\n        -   6.0\n"
            "        scale:\n        -   0.023529411764705882\n"
            "        zero_point:\n        -   -128\n"
            "        ori_min:\n        -   0.0\n"
            "        ori_max:\n        -   6.0\n");
}

TEST(HybridConfig, IsReadAsItWasWritten) {
  TensorParameters empty{.name = "half"};
  empty.dtype = "float16";
  const HybridConfig config{.layers = {{.name = "a:0", .dtype = "float16", .comment = "why"}},
                            .parameters = {relu6("a:0"), empty}};
  const HybridConfig read = parse(to_text(config));
  ASSERT_EQ(read.layers.size(), 1u);
  EXPECT_EQ(read.layers[0].name, "a:0");
  EXPECT_EQ(read.layers[0].dtype, "float16");
  EXPECT_EQ(read.layers[0].line, 2);
  ASSERT_EQ(read.parameters.size(), 2u);
  EXPECT_EQ(read.parameters[0].scale, config.parameters[0].scale);
  EXPECT_EQ(read.parameters[0].zero_point, config.parameters[0].zero_point);
  EXPECT_TRUE(read.parameters[1].scale.empty());
}

TEST(HybridConfig, KeepsEveryNameThroughYaml) {
  for (const std::string name : {"plain", "a/b:0", "/model.22/cv2/Conv_output_0",
                                 "a: b",  "a #b",  "- a",
                                 "-a",    "?",     "? a",
                                 ": a",   ":a",    "a:",
                                 " a",    "a ",    "'a'",
                                 "\"a\"", "a\\b",  "[a",
                                 "{a}",   "a,b",   "*a",
                                 "&a",    "!a",    "%a",
                                 "@a",    "`a",    "|",
                                 ">",     "#a",    "null",
                                 "~",     "true",  "378",
                                 "1e5",   "a\tb",  "a\nb",
                                 "\x01",  "ünï",   "---",
                                 "...",   "<<",    "a\"b\\",
                                 "=",     ".inf"}) {
    const HybridConfig read =
        parse(to_text({.layers = {{.name = name, .dtype = "int8"}}, .parameters = {relu6(name)}}));
    ASSERT_EQ(read.layers.size(), 1u) << name;
    EXPECT_EQ(read.layers[0].name, name);
    ASSERT_EQ(read.parameters.size(), 1u) << name;
    EXPECT_EQ(read.parameters[0].name, name);
  }
}

TEST(HybridConfig, IsReadInAnyStyleOfYaml) {
  for (const std::string text : {
           "quantize_parameters: {a: {dtype: int8, min: [0.0], max: [6], scale: 0.5, zero_point: [-128]}}\n"
           "customized_quantize_layers: {a: int16}\n",
           "# mine\nother: [1, {x: y}]\n\"quantize_parameters\":\n  'a':\n    min: [+0.0]\n    max:\n    - 6.0e+0\n    "
           "scale: [5e-1]\n    zero_point:\n      - -128\ncustom_quantize_layers:\n  a : int16 # why\n",
       }) {
    const HybridConfig read = parse(text);
    ASSERT_EQ(read.layers.size(), 1u) << text;
    EXPECT_EQ(read.layers[0].dtype, "int16");
    ASSERT_EQ(read.parameters.size(), 1u);
    EXPECT_EQ(read.parameters[0].max, std::vector<double>{6});
    EXPECT_EQ(read.parameters[0].scale, std::vector<double>{0.5});
    EXPECT_EQ(read.parameters[0].zero_point, std::vector<int64_t>{-128});
  }
}

TEST(HybridConfig, NamesFileAndLineOfWhatIsBroken) {
  const std::string text = refusal("custom_quantize_layers:\n    a: int8\n    b: [x\nquantize_parameters: {}\n");
  EXPECT_NE(text.find("net.quantization.cfg:"), std::string::npos) << text;
  EXPECT_NE(refusal("custom_quantize_layers:\n    a: int8\n    a: int8\nquantize_parameters: {}\n").find("cfg:3"),
            std::string::npos);
}

TEST(HybridConfig, TellsAllProblemsTogether) {
  const std::string text = refusal(
      "custom_quantize_layers:\n    a:\n    b: [1]\nquantize_parameters:\n    c:\n        min: x\n        max: .nan\n");
  for (const char* const part : {"'a' has no dtype", "'b' has no dtype", "['min']", "['max']"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
}

TEST(HybridConfig, RefusesWhatWouldTakeTheReaderApart) {
  const auto repeated = [](std::string_view text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  const std::string head = "quantize_parameters: ";
  refusal(head + repeated("[", 1 << 20));
  refusal(head + repeated("{a: ", 100000));
  refusal(head + repeated("- ", 100000));
  refusal("a: &x [1, 2]\nquantize_parameters: *x\n");
  refusal("a: &a [&b [&c x, *c, *c], *b, *b]\nquantize_parameters: {}\n");
  refusal("");
  refusal("\n\n");
  refusal("\xff\xfe");
  refusal("a");
  refusal("- a");
  refusal("quantize_parameters: 3");
  refusal("custom_quantize_layers: 3\nquantize_parameters: {}");
  refusal("custom_quantize_layers: {}\ncustomized_quantize_layers: {}\nquantize_parameters: {}");
  refusal(std::string((1 << 26) + 1, ' '));
}

}  // namespace
}  // namespace openrknn
