#include "toolkit/run_model.h"

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>

#include "compiler/compile.h"
#include "compiler/dataset/frame.h"
#include "compiler/dataset/image.h"
#include "compiler/importers/importer.h"
#include "core/base/npy.h"
#include "core/rknn_file/rknn_file.h"
#include "toolkit/graph_runner.h"
#include "toolkit/simulator.h"

namespace openrknn {
namespace {

// A model of either kind behind one face: raw arrays in, outputs out.
struct Runnable {
  std::vector<Port> inputs, outputs;
  std::vector<Value> values;  // of the inputs: shape and dtype
  std::function<std::vector<Tensor>(const std::vector<SimulatorInput>&)> run;
};

Runnable from_graph(Graph graph, std::vector<Port> inputs, std::vector<Port> outputs, int threads) {
  Runnable runnable{.inputs = std::move(inputs), .outputs = std::move(outputs), .values = {}, .run = {}};
  for (const ValueId id : graph.inputs) runnable.values.push_back(graph[id]);
  auto runner = std::make_shared<GraphRunner>(std::move(graph), threads);
  runnable.run = [runner, ports = runnable.inputs, values = runnable.values,
                  given = runnable.outputs](const std::vector<SimulatorInput>& arrays) {
    std::vector<Tensor> fed;
    for (size_t i = 0; i < arrays.size(); ++i) {
      fed.push_back(to_graph(ports[i], values[i], arrays[i].array, arrays[i].layout, false, Layout::Logical));
    }
    std::vector<Tensor> results = runner->run(fed);
    const Graph& computed = runner->graph();
    for (size_t i = 0; i < results.size(); ++i)
      results[i] = openrknn::from_graph(given[i], computed[computed.outputs[i]], results[i], false);
    return results;
  };
  return runnable;
}

bool is_rknn(const std::filesystem::path& path) { return path.extension() == ".rknn"; }

Runnable open_rknn(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const Model model = read(plain_file(file));
  Runnable runnable{.inputs = model.inputs, .outputs = model.outputs, .values = {}, .run = {}};
  const Graph& graph = model.variants.front();
  for (const ValueId id : graph.inputs) {
    runnable.values.push_back(graph[id]);
    runnable.values.back().shape = with_batch(graph[id].shape, model.batch);
  }
  auto simulator = std::make_shared<Simulator>(
      std::string(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()), model.inputs,
      model.variants.size());
  runnable.run = [simulator](const std::vector<SimulatorInput>& arrays) { return simulator->run(arrays); };
  return runnable;
}

Runnable open_golden(const std::filesystem::path& path, int threads) {
  const Model model = read(MappedFile::open(path));
  if (!model.golden) {
    fail(Code::RuntimeBadArgument, Location{.file = path.string()},
         "this file holds no golden model, so there is nothing to compare with",
         "convert again with --keep-golden, or name a model file: --against model.onnx");
  }
  if (model.batch > 1) {
    fail(Code::NotBuilt, Location{.file = path.string()}, "comparing a batch with its golden model is not built yet",
         "compare a build with rknn_batch_size=1");
  }
  return from_graph(*model.golden, model.inputs, model.outputs, threads);
}

// A float model to compare with is fed what the .rknn is fed: same shapes, same mean and std.
Runnable open_source(const std::filesystem::path& path, const RunRequest& request, const Runnable* like) {
  ImportOptions options = request.source;
  for (const Port& port : like != nullptr ? like->inputs : std::vector<Port>{}) {
    if (port.pixel_format.empty()) continue;
    fail(Code::NotBuilt, Location{.file = path.string(), .tensor = port.name},
         fmt::format("comparing a model of {} frames with its source, which takes pictures, is not built yet",
                     port.pixel_format),
         "convert with --keep-golden and compare with that: --against the .rknn itself");
  }
  if (like != nullptr) {
    options.input_shapes.clear();
    for (size_t i = 0; i < like->values.size(); ++i)
      options.input_shapes.push_back(expected_shape(like->inputs[i], like->values[i].shape, PortLayout::Source));
  }
  Graph graph = importer_for(path).import(path, options);
  std::vector<Port> inputs = source_inputs(graph), outputs = source_outputs(graph);
  for (size_t i = 0; like != nullptr && i < inputs.size() && i < like->inputs.size(); ++i) {
    inputs[i].mean = like->inputs[i].mean;
    inputs[i].std = like->inputs[i].std;
  }
  graph.input_orders.clear();  // the ports have them
  graph.output_orders.clear();
  return from_graph(optimize(graph), std::move(inputs), std::move(outputs), request.threads);
}

SimulatorInput read_input(const std::filesystem::path& path, const Port& port, const Value& value) {
  const Shape source = expected_shape(port, value.shape, PortLayout::Source);
  const Shape nhwc = value.shape.size() == 4 ? expected_shape(port, value.shape, PortLayout::Nhwc) : Shape{};
  if (is_image_path(path)) {
    if (nhwc.empty() || (nhwc[3] != 1 && nhwc[3] != 3)) {
      fail(Code::RuntimeBadInput, Location{.file = path.string(), .tensor = port.name},
           fmt::format("an image cannot be the input of shape {}", to_string(value.shape)), "give a .npy file");
    }
    if (const PixelFormat* format = find_pixel_format(port.pixel_format)) {
      return {read_frame(path, *format, value.shape).reshaped(nhwc), PortLayout::Nhwc, false};
    }
    const Tensor image = read_image(path, nhwc[3] == 1);
    const bool fits = image.shape()[0] == nhwc[1] && image.shape()[1] == nhwc[2];
    return {(fits ? image : resize_bilinear(image, nhwc[1], nhwc[2])).reshaped(nhwc), PortLayout::Nhwc, false};
  }
  const Tensor array = read_npy(path);
  if (array.shape() == source) return {array, PortLayout::Source, false};
  if (!nhwc.empty() && array.shape() == nhwc) return {array, PortLayout::Nhwc, false};
  fail(Code::RuntimeBadInput, Location{.file = path.string(), .tensor = port.name},
       fmt::format("the array has shape {}, expected {}{}", to_string(array.shape()), to_string(source),
                   nhwc.empty() ? "" : " or NHWC " + to_string(nhwc)));
}

// Pixels for inputs with mean or std, numbers around 0 otherwise, small whole numbers for integer inputs.
SimulatorInput random_input(const Port& port, const Value& value, uint64_t seed) {
  std::mt19937_64 generator(seed);
  Tensor array(DType::Float32, expected_shape(port, value.shape, PortLayout::Source));
  const bool pixels = !port.mean.empty() || !port.std.empty();
  for (float& element : array.mutable_values<float>()) {
    const float unit = static_cast<float>(generator() >> 40) * 0x1p-24f;
    element = !is_floating(port.dtype) ? static_cast<float>(generator() % 2)
              : pixels                 ? static_cast<float>(static_cast<int>(unit * 256))
                                       : unit * 2 - 1;
  }
  return {is_floating(port.dtype) ? array : cast(array, port.dtype), PortLayout::Source, false};
}

std::vector<SimulatorInput> gather_inputs(const RunRequest& request, const Runnable& runnable) {
  std::vector<std::optional<SimulatorInput>> slots(runnable.inputs.size());
  size_t position = 0;
  for (const std::string& text : request.inputs) {
    const size_t equals = text.find('=');
    size_t slot = position;
    std::string file = text;
    if (equals != std::string::npos && !std::filesystem::exists(text)) {
      const std::string wanted = text.substr(0, equals);
      file = text.substr(equals + 1);
      for (slot = 0; slot < runnable.inputs.size() && runnable.inputs[slot].name != wanted;) ++slot;
    } else {
      ++position;
    }
    if (slot >= slots.size()) {
      fail(Code::RuntimeBadInput,
           fmt::format("--input {}: the model has no such input, it has {}", text, runnable.inputs.size()));
    }
    slots[slot] = read_input(file, runnable.inputs[slot], runnable.values[slot]);
  }
  std::vector<SimulatorInput> inputs;
  for (size_t i = 0; i < slots.size(); ++i) {
    inputs.push_back(slots[i] ? std::move(*slots[i])
                              : random_input(runnable.inputs[i], runnable.values[i], request.seed + i));
  }
  return inputs;
}

}  // namespace

RunResult run_model(const RunRequest& request) {
  const Runnable runnable =
      is_rknn(request.model) ? open_rknn(request.model) : open_source(request.model, request, nullptr);
  const std::vector<SimulatorInput> inputs = gather_inputs(request, runnable);
  RunResult result;
  for (const Port& port : runnable.outputs) result.names.push_back(port.name);
  result.outputs = runnable.run(inputs);
  const auto start = std::chrono::steady_clock::now();
  runnable.run(inputs);
  result.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (!request.against.empty()) {
    const Runnable other = request.against == "golden" ? open_golden(request.model, request.threads)
                           : is_rknn(request.against)  ? open_rknn(request.against)
                                                       : open_source(request.against, request, &runnable);
    result.errors = compare_outputs(other.run(inputs), result.outputs, result.names);
  }
  return result;
}

}  // namespace openrknn
