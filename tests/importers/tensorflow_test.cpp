// TensorFlow graphs: what a reader may be given. Results are held to their definitions in
// tests/python/test_import_tensorflow.py.
#include "compiler/importers/tensorflow/importer.h"
#include "importers/one_file.h"

namespace openrknn::tensorflow {
namespace {

Graph import(const std::shared_ptr<const MappedFile>& file) { return import_graph(file, {}); }

TEST(Tensorflow, GraphsVerify) { test::expect_files_that_verify(test::files_of("fuzz_tensorflow"), import); }

// A graph that is cut between nodes is another graph.
TEST(Tensorflow, EveryCutIsAnErrorOrAnotherGraph) {
  test::expect_cut_files_are_errors_or_graphs(test::files_of("fuzz_tensorflow"), import);
}

TEST(Tensorflow, EveryChangedByteIsAnErrorOrAGraphThatVerifies) {
  test::expect_changed_bytes_are_errors_or_graphs(test::files_of("fuzz_tensorflow"), import);
}

}  // namespace
}  // namespace openrknn::tensorflow
