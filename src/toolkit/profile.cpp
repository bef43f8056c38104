#include "toolkit/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/compile.h"
#include "compiler/importers/importer.h"
#include "core/executor/profile.h"
#include "core/graph/products.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn {
namespace {

/// A name between quotes: names hold commas and quotes at times.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + '"';
}

}  // namespace

std::vector<OperationTime> profile(const Model& model, int threads, int rounds, const Progress& progress) {
  return profile(model.variants.front(), model.arithmetic, threads, rounds, progress);
}

std::vector<OperationTime> profile(const Graph& graph, const Arithmetic& arithmetic, int threads, int rounds,
                                   const Progress& progress) {
  ThreadPool pool(threads);
  Weights weights;
  const std::shared_ptr<const Plan> planned = plan(graph, arithmetic, {}, weights);
  Run run(planned, pool);
  for (const ValueId id : graph.inputs) {
    Tensor pattern = Tensor::zeros(graph[id].dtype, graph[id].shape);
    if (bit_width(pattern.dtype()) == 8) {
      int code = 0;
      for (int8_t& element :
           std::span(reinterpret_cast<int8_t*>(pattern.mutable_bytes().data()), static_cast<size_t>(pattern.size()))) {
        element = static_cast<int8_t>(code++ % 100);
      }
    }
    run.set(id, pattern);
  }
  const auto tell = [&](int done) {
    if (progress) progress("profile", done, rounds + 1);
  };
  std::vector<OperationTime> times;
  tell(0);
  for (const StepTime& step : profile_run(*planned, run)) {  // the warm-up says what runs
    const Value& output = graph[graph[step.node].outputs[0]];
    times.push_back({.node = step.name,
                     .op = step.op,
                     .kernel = step.kernel,
                     .dtype = std::string(name(output.dtype)),
                     .shape = output.shape,
                     .conversions = step.conversions,
                     .products = products_of(graph, graph[step.node]),
                     .microseconds = 1e30});
  }
  tell(1);
  for (int round = 0; round < rounds; ++round) {
    const std::vector<StepTime> steps = profile_run(*planned, run);
    for (size_t i = 0; i < steps.size(); ++i) {
      times[i].microseconds = std::min(times[i].microseconds, steps[i].microseconds);
    }
    tell(round + 2);
  }
  return times;
}

std::vector<OperationTime> profile_file(const std::filesystem::path& path, const ImportOptions& source, int threads,
                                        int rounds, const Progress& progress) {
  if (path.extension() == ".rknn") return profile(read(MappedFile::open(path)), threads, rounds, progress);
  return profile(optimize(importer_for(path).import(path, source)), {}, threads, rounds, progress);
}

std::string profile_csv(const std::vector<OperationTime>& times) {
  std::string text = "node,op,kernel,dtype,shape,conversions,products,microseconds\n";
  for (const OperationTime& time : times) {
    text += fmt::format("{},{},{},{},{},{},{},{:.3f}\n", quoted(time.node), time.op, time.kernel, time.dtype,
                        quoted(to_string(time.shape)), time.conversions, time.products, time.microseconds);
  }
  return text;
}

std::string profile_trace(const std::vector<OperationTime>& times) {
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  double begin = 0;
  for (const OperationTime& time : times) {
    events.push_back({{"name", time.node},
                      {"cat", time.op},
                      {"ph", "X"},
                      {"ts", begin},
                      {"dur", time.microseconds},
                      {"pid", 1},
                      {"tid", 1},
                      {"args",
                       {{"op", time.op},
                        {"kernel", time.kernel},
                        {"dtype", time.dtype},
                        {"shape", to_string(time.shape)},
                        {"conversions", time.conversions},
                        {"products", time.products}}}});
    begin += time.microseconds;
  }
  return nlohmann::ordered_json{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}}.dump(1) + "\n";
}

}  // namespace openrknn
