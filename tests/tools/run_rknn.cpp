// run_rknn MODEL.rknn OUT X.npy...: runs the compiled graph of a file, then its golden if it holds one, on arrays in
// the graph's own types and layout. Output i is written to OUT<i>.npy, golden's to OUTgolden<i>.npy. For comparing the
// bits of two machines.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/base/npy.h"
#include "core/executor/run.h"
#include "core/rknn_file/rknn_file.h"

namespace {

using namespace openrknn;

void run(const Graph& graph, const Arithmetic& arithmetic, const std::vector<Tensor>& arrays, const std::string& out) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < graph.inputs.size(); ++i) inputs.push_back(cast(arrays.at(i), graph[graph.inputs[i]].dtype));
  ThreadPool pool(2);
  const std::vector<Tensor> outputs = run_graph(graph, arithmetic, inputs, pool, {});
  for (size_t i = 0; i < outputs.size(); ++i) write_file(out + std::to_string(i) + ".npy", to_npy(outputs[i]));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: run_rknn MODEL.rknn OUT X.npy...\n");
    return 2;
  }
  try {
    const Model model = read(MappedFile::open(argv[1]));
    std::vector<Tensor> arrays;
    for (int i = 3; i < argc; ++i) arrays.push_back(read_npy(argv[i]));
    run(model.variants.front(), model.arithmetic, arrays, argv[2]);
    if (model.golden) run(*model.golden, model.arithmetic, arrays, std::string(argv[2]) + "golden");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
