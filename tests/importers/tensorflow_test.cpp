// TensorFlow graphs: what a reader may be given. Results are held to their definitions in
// tests/python/test_import_tensorflow.py.
#include <gtest/gtest.h>

#include <filesystem>

#include "compiler/importers/tensorflow/importer.h"

namespace openrknn::tensorflow {
namespace {

Graph import(const std::string& bytes) {
  return import_graph(MappedFile::copy_of(std::as_bytes(std::span(bytes)), "net.pb"), {});
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(OPENRKNN_SOURCE_DIR "/fuzz/seeds/fuzz_tensorflow"))
    all.push_back(read_text_file(entry.path()));
  return all;
}

TEST(Tensorflow, ModelsAreGraphsThatVerify) {
  ASSERT_GE(seeds().size(), 3u);
  for (const std::string& bytes : seeds()) {
    const Graph graph = import(bytes);
    EXPECT_NO_THROW(verify(graph));
    EXPECT_FALSE(graph.outputs.empty());
  }
}

// A graph that is cut between nodes is another graph.
TEST(Tensorflow, EveryCutIsAnErrorOrAnotherGraph) {
  for (const std::string& bytes : seeds()) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      try {
        verify(import(bytes.substr(0, size)));
      } catch (const Error& error) {
        EXPECT_FALSE(error.diagnostics.empty()) << size;
      }
    }
  }
}

TEST(Tensorflow, EveryFlippedByteIsAnErrorOrAGraphThatVerifies) {
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

}  // namespace
}  // namespace openrknn::tensorflow
