// Files that are not what they should be, and files larger than memory would like.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "core/base/dtype.h"
#include "onnx_writer.h"

namespace openrknn::onnx_test {
namespace {

GraphParts identity_conv() {
  GraphParts parts;
  parts.inputs = {value("x", {1, 1, 2, 2})};
  parts.outputs = {value("y", {1, 1, 2, 2})};
  parts.initializers = {floats("w", {1, 1, 1, 1}, {2})};
  parts.nodes = {node("Conv", {"x", "w"}, {"y"})};
  return parts;
}

Code code_of(std::string_view bytes) {
  const std::vector<Diagnostic> problems = problems_of([&] { import_bytes(bytes); });
  return problems.empty() ? Code{} : problems[0].code;
}

TEST(OnnxFile, EveryTruncationIsAnErrorThatNamesTheFile) {
  const Message whole = model(identity_conv());
  EXPECT_EQ(problems_of([&] { import_bytes(whole); }).size(), 0u);
  int truncated = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<Diagnostic> problems =
        problems_of([&] { import_bytes(std::string_view(whole).substr(0, size)); });
    // The last field is the opset: a cut exactly before it leaves a whole message that does not say its opset.
    ASSERT_FALSE(problems.empty()) << "cut at " << size;
    EXPECT_NE(problems[0].where.file.find("model.onnx"), std::string::npos);
    truncated += problems[0].code == Code::ImportTruncated;
  }
  EXPECT_GT(truncated, static_cast<int>(whole.size()) * 3 / 4);
}

TEST(OnnxFile, GarbageIsNotAnOnnxFile) {
  EXPECT_EQ(code_of(""), Code::ImportBadFile);
  EXPECT_EQ(code_of("this is a text file, not a model"), Code::ImportBadFile);
  EXPECT_EQ(code_of(std::string(1000, '\0')), Code::ImportBadFile);
  EXPECT_EQ(code_of(std::string(1000, '\xff')), Code::ImportBadFile);
  EXPECT_EQ(code_of("\x08\x08"), Code::ImportBadFile);  // a protobuf message without a graph
}

TEST(OnnxFile, EveryFlippedByteImportsOrFailsCleanly) {
  const Message whole = model(identity_conv());
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      Message damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ mask);
      problems_of([&] { import_bytes(damaged); });  // anything but Error, or a crash, fails the test
    }
  }
}

TEST(OnnxFile, GraphsNestedWithoutEndAreRefused) {
  Message inner = graph({});
  for (int depth = 0; depth < 200; ++depth) {
    GraphParts around;
    around.nodes = {node("If", {"c"}, {"y"}, {graph_attribute("then_branch", inner)})};
    inner = graph(around);
  }
  GraphParts parts;
  parts.nodes = {node("If", {"c"}, {"y"}, {graph_attribute("then_branch", inner)})};
  EXPECT_EQ(code_of(model(parts)), Code::ImportBadFile);
}

TEST(OnnxFile, OpsetsAfterTwentyEightAreRefused) {
  for (const int64_t opset : {0, 29, 1000}) {
    const std::vector<Diagnostic> problems = problems_of([&] { import_model(identity_conv(), opset); });
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].code, Code::ImportUnsupportedVersion);
    if (opset == 0) continue;
    EXPECT_NE(problems[0].problem.find("1 to 28"), std::string::npos);
  }
  for (const int64_t opset : {6, 7, 28}) EXPECT_NO_THROW(import_model(identity_conv(), opset));
}

TEST(OnnxFile, IrVersionsUpToTheNewestAreRead) {
  for (const int64_t version : {3, 8, 13, 14}) {
    ModelParts more;
    more.ir_version = version;
    EXPECT_NO_THROW(import_bytes(model(identity_conv(), more)));
  }
  ModelParts more;
  more.ir_version = 99;
  EXPECT_EQ(code_of(model(identity_conv(), more)), Code::ImportUnsupportedVersion);
}

TEST(OnnxFile, MetadataIsKept) {
  ModelParts more;
  more.metadata = {{"character", "a\nb"}, {"names", "{0: 'cat'}"}};
  const Graph graph = import_bytes(model(identity_conv(), more));
  EXPECT_EQ(graph.metadata.at("character"), "a\nb");
  EXPECT_EQ(graph.metadata.at("names"), "{0: 'cat'}");
  EXPECT_EQ(graph.metadata.at("onnx.producer_name"), "openrknn tests");
  EXPECT_EQ(graph.metadata.at("onnx.opset"), "17");
  EXPECT_EQ(graph.metadata.at("onnx.graph_name"), "test graph");
}

TEST(OnnxFile, IsRecognisedByExtensionAndByContent) {
  const Folder folder;
  const Message whole = model(identity_conv());
  EXPECT_EQ(importer_for(folder.write("net.ONNX", whole)).framework, "ONNX");
  EXPECT_EQ(importer_for(folder.write("net", whole)).framework, "ONNX");
  EXPECT_EQ(importer_for(folder.write("other.onnx", "flatTFL3 and more")).framework, "TFLite");
  const auto code = [&](const std::filesystem::path& path) {
    return problems_of([&] { importer_for(path); }).at(0).code;
  };
  EXPECT_EQ(code(folder.write("notes.txt", "hello")), Code::ImportBadFile);
  EXPECT_EQ(code(folder.path() / "absent.onnx"), Code::FileNotFound);
}

/// Imports a model whose only constant is `tensor` (named w) and gives that constant.
Tensor constant_of(const Message& tensor, const Shape& shape, int type, const Folder* folder = nullptr) {
  GraphParts parts;
  std::vector<Dim> dims;
  for (const int64_t d : shape) dims.emplace_back(static_cast<int>(d));
  parts.inputs = {value("x", dims, type)};
  parts.outputs = {value("y", dims, type)};
  parts.initializers = {tensor};
  parts.nodes = {node("Concat", {"x", "w"}, {"y"}, {attribute("axis", 0)})};
  const Graph graph =
      folder != nullptr ? import_onnx(folder->write("model.onnx", model(parts)), {}) : import_model(parts);
  return *graph[graph.find("w")].constant;
}

TEST(OnnxTensor, RawDataOfEveryAlignmentIsRead) {
  for (int padding = 0; padding < 8; ++padding) {  // the name's length moves the data
    GraphParts parts;
    const std::string name = "w" + std::string(static_cast<size_t>(padding), '_');
    parts.inputs = {value("x", {3})};
    parts.outputs = {value("y", {3})};
    parts.initializers = {floats(name, {3}, {1, 2, 3})};
    parts.nodes = {node("Add", {"x", name}, {"y"})};
    const Graph graph = import_model(parts);
    EXPECT_TRUE(identical(*graph[graph.find(name)].constant, Tensor::from<float>({3}, {1, 2, 3})));
  }
}

TEST(OnnxTensor, SixteenBitFloatsAndDoublesBecomeFloat32) {
  const uint16_t half[] = {float_to_half_bits(1.5f), float_to_half_bits(-2.0f)};
  const std::string_view half_bytes(reinterpret_cast<const char*>(half), sizeof half);
  const Tensor wanted = Tensor::from<float>({2}, {1.5f, -2.0f});
  EXPECT_TRUE(identical(constant_of(raw_tensor("w", 10, {2}, half_bytes), {2}, 10), wanted));
  const uint16_t brain[] = {float_to_bfloat16_bits(1.5f), float_to_bfloat16_bits(-2.0f)};
  const std::string_view brain_bytes(reinterpret_cast<const char*>(brain), sizeof brain);
  EXPECT_TRUE(identical(constant_of(raw_tensor("w", 16, {2}, brain_bytes), {2}, 16), wanted));
  EXPECT_TRUE(identical(constant_of(tensor<double>("w", {2}, {1.5, -2.0}), {2}, 11), wanted));
}

TEST(OnnxTensor, TypedFieldsAreReadPackedAndUnpacked) {
  const Tensor wanted = Tensor::from<float>({2}, {1.5f, -2.0f});
  const auto typed = [](int type, const auto& fill) {
    return message([&](pbf_writer& w) {
      w.add_int64(1, 2);
      w.add_int32(2, type);
      w.add_string(8, "w");
      fill(w);
    });
  };
  const std::vector<float> values = {1.5f, -2.0f};
  EXPECT_TRUE(identical(
      constant_of(typed(1, [&](pbf_writer& w) { w.add_packed_float(4, values.begin(), values.end()); }), {2}, 1),
      wanted));
  EXPECT_TRUE(identical(constant_of(typed(1,
                                          [&](pbf_writer& w) {
                                            for (float v : values) w.add_float(4, v);
                                          }),
                                    {2}, 1),
                        wanted));
  const std::vector<int32_t> bits = {float_to_half_bits(1.5f), float_to_half_bits(-2.0f)};
  EXPECT_TRUE(identical(
      constant_of(typed(10, [&](pbf_writer& w) { w.add_packed_int32(5, bits.begin(), bits.end()); }), {2}, 10),
      wanted));
  const std::vector<int32_t> codes = {-128, 127};
  EXPECT_TRUE(identical(
      constant_of(typed(3, [&](pbf_writer& w) { w.add_packed_int32(5, codes.begin(), codes.end()); }), {2}, 3),
      Tensor::from<int8_t>({2}, {-128, 127})));
  const std::vector<int64_t> large = {-1, int64_t{1} << 40};
  EXPECT_TRUE(identical(
      constant_of(typed(7, [&](pbf_writer& w) { w.add_packed_int64(7, large.begin(), large.end()); }), {2}, 7),
      Tensor::from<int64_t>({2}, large)));
  // Four-bit codes come two to an entry, low nibble first.
  const Tensor four = constant_of(typed(22, [&](pbf_writer& w) { w.add_int32(5, 0xf1); }), {2}, 22);
  EXPECT_EQ(four.dtype(), DType::Int4);
  EXPECT_EQ(to_ints(four), (std::vector<int64_t>{1, -1}));
}

TEST(OnnxTensor, BooleansAreZeroOrOne) {
  const Tensor read = constant_of(raw_tensor("w", 9, {3}, std::string("\x00\x01\x07", 3)), {3}, 9);
  EXPECT_EQ(to_ints(read), (std::vector<int64_t>{0, 1, 1}));
}

TEST(OnnxTensor, WrongByteCountsAndShapesNameTheTensor) {
  const auto refused = [](const Message& bad) {
    const std::vector<Diagnostic> problems = problems_of([&] { constant_of(bad, {2}, 1); });
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].code, Code::ImportBadFile);
    EXPECT_EQ(problems[0].where.tensor, "w");
  };
  refused(raw_tensor("w", 1, {2}, "1234567"));
  refused(raw_tensor("w", 1, {2}, "123456789"));
  refused(raw_tensor("w", 1, {-2}, "12345678"));
  refused(raw_tensor("w", 1, {int64_t{1} << 62, int64_t{1} << 62}, "1234"));
  refused(raw_tensor("w", 1, {int64_t{1} << 40}, "1234"));
  refused(message([](pbf_writer& w) {
    w.add_int64(1, 2);
    w.add_int32(2, 1);
    w.add_string(8, "w");
    w.add_float(4, 1);
  }));
}

TEST(OnnxTensor, UnsupportedElementTypesAreNamed) {
  for (const auto& [type, name] :
       {std::pair(8, "string"), {17, "float8e4m3fn"}, {14, "complex64"}, {23, "float4e2m1"}}) {
    const std::vector<Diagnostic> problems =
        problems_of([&, t = type] { constant_of(raw_tensor("w", t, {2}, "12"), {2}, 1); });
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].code, Code::ImportUnsupportedType);
    EXPECT_NE(problems[0].problem.find(name), std::string::npos);
  }
}

TEST(OnnxTensor, NotANumberIsRefusedAndMaskInfinitiesAreNot) {
  const auto weights = [](float bad) {
    GraphParts parts = identity_conv();
    parts.initializers = {floats("w", {1, 1, 1, 1}, {bad})};
    return problems_of([&] { import_model(parts); });
  };
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const std::vector<Diagnostic> problems = weights(bad);
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].code, Code::ImportNotFinite);
    EXPECT_EQ(problems[0].where.tensor, "w");
  }
  EXPECT_NO_THROW(constant_of(floats("w", {2}, {0, -INFINITY}), {2}, 1));
  EXPECT_THROW(constant_of(floats("w", {2}, {0, NAN}), {2}, 1), Error);
}

TEST(OnnxExternalData, IsMappedFromTheModelsFolder) {
  const Folder folder;
  const float values[] = {0, 1, 2, 3};
  folder.write("weights.bin", {reinterpret_cast<const char*>(values), sizeof values});
  const Tensor read = constant_of(
      external_tensor("w", 1, {2}, {"location", "weights.bin", "offset", "8", "length", "8"}), {2}, 1, &folder);
  EXPECT_TRUE(identical(read, Tensor::from<float>({2}, {2, 3})));
}

TEST(OnnxExternalData, LiesBeyondFourGibibytesWithoutBeingReadWhole) {
  const Folder folder;
  const std::filesystem::path path = folder.write("weights.bin", "");
  const int64_t offset = (int64_t{5} << 30) + 4096;
  if (truncate(path.c_str(), offset) != 0) GTEST_SKIP() << "no sparse files here";
  const float values[] = {4, 5};
  std::ofstream(path, std::ios::binary | std::ios::app).write(reinterpret_cast<const char*>(values), sizeof values);
  const Tensor read = constant_of(
      external_tensor("w", 1, {2}, {"location", "weights.bin", "offset", std::to_string(offset), "length", "8"}), {2},
      1, &folder);
  EXPECT_TRUE(identical(read, Tensor::from<float>({2}, {4, 5})));
}

TEST(OnnxExternalData, NeverLeavesTheModelsFolder) {
  const Folder folder, elsewhere;
  const std::filesystem::path secret = elsewhere.write("secret.bin", "12345678");
  std::filesystem::create_symlink(secret, folder.path() / "link.bin");
  folder.write("short.bin", "1234");
  const Names bad_locations[] = {
      {"location", secret.string()},
      {"location", "../" + elsewhere.path().filename().string() + "/secret.bin"},
      {"location", "a/../../x"},
      {"location", "link.bin"},
      {"location", ""},
      {"location", "absent.bin"},
      {"location", "short.bin", "length", "8"},
      {"location", "short.bin", "offset", "99"},
      {"location", "short.bin", "offset", "-1"},
      {"location", "short.bin", "offset", "9223372036854775807", "length", "9223372036854775807"},
      {},
  };
  for (const Names& keys : bad_locations) {
    const std::vector<Diagnostic> problems =
        problems_of([&] { constant_of(external_tensor("w", 1, {2}, keys), {2}, 1, &folder); });
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].code, Code::ImportExternalData) << (keys.empty() ? "" : keys[1]);
    EXPECT_EQ(problems[0].where.tensor, "w");
  }
}

}  // namespace
}  // namespace openrknn::onnx_test
