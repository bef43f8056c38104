// run_graph_text GRAPH OUT [--reference] [--data A.npy]... [--input X.npy]...: runs a graph written in the text form.
// data(N) in the text is the N-th --data array; output i is written to OUT<i>.npy. With --reference only kernels of
// kernels/reference are used. For comparing operators with other implementations from Python.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/base/npy.h"
#include "core/executor/run.h"
#include "core/graph/text.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: run_graph_text GRAPH OUT [--reference] [--data A.npy]... [--input X.npy]...\n");
    return 2;
  }
  try {
    std::vector<openrknn::Tensor> data, inputs;
    openrknn::PlanOptions options;
    for (size_t i = 2; i < arguments.size(); ++i) {
      if (arguments[i] == "--reference") {
        options.reference_only = true;
      } else if (i + 1 < arguments.size() && (arguments[i] == "--data" || arguments[i] == "--input")) {
        (arguments[i] == "--data" ? data : inputs).push_back(openrknn::read_npy(arguments[i + 1]));
        ++i;
      } else {
        std::fprintf(stderr, "unknown argument %s\n", arguments[i].c_str());
        return 2;
      }
    }
    const openrknn::Graph graph = openrknn::parse_graph(openrknn::read_text_file(arguments[0]), data);
    openrknn::verify(graph);
    openrknn::ThreadPool pool(2);
    const std::vector<openrknn::Tensor> outputs =
        openrknn::run_graph(graph, openrknn::Arithmetic{}, inputs, pool, options);
    for (size_t i = 0; i < outputs.size(); ++i) {
      openrknn::write_file(arguments[1] + std::to_string(i) + ".npy", openrknn::to_npy(outputs[i]));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
