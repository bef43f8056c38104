#include "apps/board/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <future>
#include <optional>
#include <random>

#include "apps/results.h"
#include "core/base/error.h"
#include "core/base/npy.h"
#include "openrknn/session.hpp"
#include "runtime/session/element_types.h"

namespace openrknn {
namespace {

ElementType element_type(const Tensor& array, const std::string& file) {
  if (const std::optional<ElementType> type = element_type_of(array.dtype())) return *type;
  fail(Code::RuntimeBadInput, Location{.file = file},
       fmt::format("an array of {} cannot be an input", numpy_name(array.dtype())), "convert it to float32");
}

bool is_float(const NodeArg& input) { return input.type.find("float") != std::string::npos; }

/// -1 to 1 for floating inputs, 0 or 1 for others.
Tensor random_array(const NodeArg& input, uint64_t seed) {
  std::mt19937_64 generator(seed);
  Tensor array(DType::Float32, input.shape);
  for (float& element : array.mutable_values<float>()) {
    const float unit = static_cast<float>(generator() >> 40) * 0x1p-24f;
    element = is_float(input) ? unit * 2 - 1 : static_cast<float>(generator() % 2);
  }
  return array;
}

std::vector<Tensor> read_inputs(const BoardRun& request, const std::vector<NodeArg>& inputs) {
  std::vector<std::optional<Tensor>> slots(inputs.size());
  size_t position = 0;
  for (const std::string& text : request.inputs) {
    const size_t equals = text.find('=');
    const bool named = equals != std::string::npos && !std::filesystem::exists(text);
    const auto slot = named ? static_cast<size_t>(std::find_if(inputs.begin(), inputs.end(),
                                                               [&](const NodeArg& input) {
                                                                 return input.name == text.substr(0, equals);
                                                               }) -
                                                  inputs.begin())
                            : position++;
    if (slot >= slots.size()) {
      fail(Code::RuntimeBadInput,
           fmt::format("--input {}: the model has no such input, it has {}", text, inputs.size()));
    }
    slots[slot] = read_npy(named ? text.substr(equals + 1) : text);
  }
  std::vector<Tensor> arrays;
  for (size_t i = 0; i < slots.size(); ++i)
    arrays.push_back(slots[i] ? std::move(*slots[i]) : random_array(inputs[i], request.seed + i));
  return arrays;
}

/// Wall time of `count` runs, milliseconds: one after another, or two on their way for each of `workers`.
double time_runs(Session& session, const Feed& feed, int64_t count, size_t workers) {
  const auto start = std::chrono::steady_clock::now();
  std::deque<std::future<std::vector<Array>>> running;
  for (int64_t i = 0; i < count; ++i) {
    if (workers == 0) {
      session.run(std::nullopt, feed);
      continue;
    }
    if (running.size() == 2 * workers) {
      running.front().get();
      running.pop_front();
    }
    running.push_back(session.submit(std::nullopt, feed));
  }
  for (std::future<std::vector<Array>>& result : running) result.get();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int run(const BoardRun& request) {
  SessionOptions options;
  options.schedule = request.cores;
  Session session(std::filesystem::path(request.model), options);
  const std::vector<Tensor> arrays = read_inputs(request, session.inputs());
  std::vector<ArrayView> views;
  for (size_t i = 0; i < arrays.size(); ++i) {
    views.push_back({element_type(arrays[i], session.inputs()[i].name), arrays[i].shape(), arrays[i].bytes().data()});
  }
  const Feed feed = Feed::list(views);
  const std::vector<Array> outputs = session.run(std::nullopt, feed);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::span<const float> values = outputs[i].floats();
    const std::span<const int64_t> shape = outputs[i].shape();
    const Tensor output = Tensor::from(Shape(shape.begin(), shape.end()), std::vector(values.begin(), values.end()));
    print_output(session.outputs()[i].name, output);
    if (!request.save_folder.empty()) save_output(request.save_folder, session.outputs()[i].name, output);
  }
  const double took = time_runs(session, feed, request.count, request.cores.size());
  fmt::print("{:.2f} ms a run, {:.1f} runs/s over {} ({})\n", took / static_cast<double>(request.count),
             1000.0 * static_cast<double>(request.count) / took, session.runtime_path(), session.api_version());
  return 0;
}

}  // namespace openrknn
