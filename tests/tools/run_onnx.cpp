// run_onnx MODEL OUT [--reference] [--dim NAME=N]... [--inputs A,B] [--outputs A,B] [--shape 1,3,8,8]... [--text]
// [X.npy]...: imports an ONNX model, runs it and writes output i to OUT<i>.npy. With --text the imported graph is
// printed. For comparing the importer with other implementations from Python.
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/importers/importer.h"
#include "core/base/file.h"
#include "core/base/npy.h"
#include "core/executor/run.h"
#include "core/graph/text.h"

namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: run_onnx MODEL OUT [options] [X.npy]...\n");
    return 2;
  }
  try {
    openrknn::ImportOptions import;
    openrknn::PlanOptions options;
    std::vector<openrknn::Tensor> inputs;
    bool print = false;
    for (size_t i = 2; i < arguments.size(); ++i) {
      const std::string& option = arguments[i];
      const auto next = [&] { return i + 1 < arguments.size() ? arguments[++i] : std::string(); };
      if (option == "--reference") {
        options.reference_only = true;
      } else if (option == "--text") {
        print = true;
      } else if (option == "--dim") {
        const std::vector<std::string> pair = split(next(), '=');
        import.dimensions[pair.at(0)] = std::stoll(pair.at(1));
      } else if (option == "--inputs") {
        import.inputs = split(next(), ',');
      } else if (option == "--outputs") {
        import.outputs = split(next(), ',');
      } else if (option == "--shape") {
        openrknn::Shape shape;
        for (const std::string& extent : split(next(), ',')) shape.push_back(std::stoll(extent));
        import.input_shapes.push_back(shape);
      } else {
        inputs.push_back(openrknn::read_npy(option));
      }
    }
    const openrknn::Graph graph = openrknn::importer_for(arguments[0]).import(arguments[0], import);
    openrknn::verify(graph);
    if (print) std::printf("%s", openrknn::to_text(graph).c_str());
    if (inputs.empty() && !graph.inputs.empty()) return 0;
    for (size_t i = 0; i < inputs.size() && i < graph.inputs.size(); ++i) {
      inputs[i] = openrknn::cast(inputs[i], graph[graph.inputs[i]].dtype);
    }
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
