// TFLite: what a reader may be given. Results are held to LiteRT in tests/python/test_import_tflite.py.
#include "compiler/importers/tflite/importer.h"
#include "importers/one_file.h"

namespace openrknn::tflite {
namespace {

Graph import(const std::shared_ptr<const MappedFile>& file) { return import_model(file, {}); }

TEST(Tflite, ModelsAreGraphsThatVerify) { test::expect_files_that_verify(test::files_of("fuzz_tflite"), import); }

TEST(Tflite, EveryCutIsAnError) {
  for (const std::string& bytes : test::files_of("fuzz_tflite")) {
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_THROW(test::import_bytes(bytes.substr(0, size), import), Error) << size;
  }
}

TEST(Tflite, EveryChangedByteIsAnErrorOrAGraphThatVerifies) {
  test::expect_changed_bytes_are_errors_or_graphs(test::files_of("fuzz_tflite"), import);
}

TEST(Tflite, InputsAndOutputsKeepTheLayoutOfTheSource) {
  const std::string bytes = read_text_file(OPENRKNN_SOURCE_DIR "/fuzz/seeds/fuzz_tflite/codes");
  const Graph graph = test::import_bytes(bytes, import);
  const std::vector<int> nhwc{0, 2, 3, 1};
  EXPECT_EQ(graph[graph.inputs[0]].shape, (Shape{1, 4, 3, 3}));
  EXPECT_EQ(graph.input_orders, std::vector<std::vector<int>>{nhwc});
  EXPECT_EQ(graph.output_orders, std::vector<std::vector<int>>{nhwc});
}

}  // namespace
}  // namespace openrknn::tflite
