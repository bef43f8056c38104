// TFLite: what a reader may be given. Results are held to LiteRT in tests/python/test_import_tflite.py.
#include <gtest/gtest.h>

#include <filesystem>

#include "compiler/importers/tflite/importer.h"

namespace openrknn::tflite {
namespace {

Graph import(const std::string& bytes) {
  return import_model(MappedFile::copy_of(std::as_bytes(std::span(bytes)), "net.tflite"), {});
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(OPENRKNN_SOURCE_DIR "/fuzz/seeds/fuzz_tflite"))
    all.push_back(read_text_file(entry.path()));
  return all;
}

TEST(Tflite, ModelsAreGraphsThatVerify) {
  ASSERT_GE(seeds().size(), 4u);
  for (const std::string& bytes : seeds()) {
    const Graph graph = import(bytes);
    EXPECT_NO_THROW(verify(graph));
    EXPECT_FALSE(graph.outputs.empty());
  }
}

TEST(Tflite, EveryCutIsAnError) {
  for (const std::string& bytes : seeds()) {
    for (size_t size = 0; size < bytes.size(); ++size) EXPECT_THROW(import(bytes.substr(0, size)), Error) << size;
  }
}

TEST(Tflite, EveryFlippedByteIsAnErrorOrAGraphThatVerifies) {
  for (const std::string& bytes : seeds()) {
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (const int flip : {1, 0x80, 0xff}) {
        std::string other = bytes;
        other[at] = static_cast<char>(other[at] ^ flip);
        try {
          verify(import(other));
        } catch (const Error& error) {
          EXPECT_FALSE(error.diagnostics.empty());
        }
      }
    }
  }
}

TEST(Tflite, InputsAndOutputsKeepTheLayoutOfTheSource) {
  const Graph graph = import(read_text_file(OPENRKNN_SOURCE_DIR "/fuzz/seeds/fuzz_tflite/codes"));
  const std::vector<int> nhwc{0, 2, 3, 1};
  EXPECT_EQ(graph[graph.inputs[0]].shape, (Shape{1, 4, 3, 3}));
  EXPECT_EQ(graph.input_orders, std::vector<std::vector<int>>{nhwc});
  EXPECT_EQ(graph.output_orders, std::vector<std::vector<int>>{nhwc});
}

}  // namespace
}  // namespace openrknn::tflite
