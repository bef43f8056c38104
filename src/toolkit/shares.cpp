#include "toolkit/shares.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/version.h"
#include "core/graph/custom.h"
#include "core/rknn_file/rknn_file.h"
#include "core/targets/targets.h"
#include "toolkit/share_kinds.h"

namespace openrknn {
namespace {

constexpr std::string_view kBegin = "openrknn-share";

struct ShareRow {
  std::string_view name;
  std::string (*compute)(const ShareTask&, SamplePart, ThreadPool&);
};
constexpr ShareRow kShareRows[] = {{"calibrate", calibrate_share}, {"analyze", analyze_share}, {"run", run_share}};

[[noreturn]] void refuse_share(std::string problem) {
  fail(Code::InvalidArgument, std::move(problem), "install one version of OpenRKNN on all machines");
}

void refuse_custom_operators(const Graph& graph) {
  for (const NodeId id : graph.order()) {
    if (graph[id].op != kCustomOp) continue;
    fail(Code::ConfigUnsupported, graph.where(id), "the code of a custom operator cannot be sent to other processes",
         "leave the executor out");
  }
}

}  // namespace

std::string task_of(std::string_view kind, std::string_view detail, const Graph& graph, const Arithmetic& arithmetic,
                    const Graph* golden) {
  refuse_custom_operators(graph);
  Model model;
  model.target = std::string(all_targets().front().name);  // a file names one; nobody asks here
  model.arithmetic = arithmetic;
  for (const ValueId id : graph.inputs) model.inputs.push_back({.name = graph[id].name, .dtype = graph[id].dtype});
  for (const ValueId id : graph.outputs) model.outputs.push_back({.name = graph[id].name, .dtype = graph[id].dtype});
  model.variants.push_back(graph);
  if (golden != nullptr) model.golden = *golden;
  MemorySink sink;
  write(model, sink);
  return fmt::format("{} {} {} {}\n", kBegin, version(), kind, detail) + sink.data;
}

std::string compute_share(std::string_view task, SamplePart part, ThreadPool& pool) {
  const std::string_view line = task.substr(0, std::min(task.find('\n'), task.size()));
  std::array<std::string_view, 4> words;
  std::string_view rest = line;
  for (std::string_view& word : words) {
    word = rest.substr(0, std::min(rest.find(' '), rest.size()));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  }
  const std::string_view begin = words[0], of_version = words[1], kind = words[2], detail = words[3];
  if (begin != kBegin || line.size() == task.size()) refuse_share("this is no share of any work");
  if (of_version != version()) {
    refuse_share(fmt::format("a share of version {} came to a worker of version {}", of_version, version()));
  }
  const auto* row = std::find_if(std::begin(kShareRows), std::end(kShareRows),
                                 [&](const ShareRow& known) { return known.name == kind; });
  if (row == std::end(kShareRows)) refuse_share(fmt::format("a share of unknown work '{}'", kind));
  const std::string_view file = task.substr(line.size() + 1);
  const ShareTask decoded{kind, detail, read(MappedFile::copy_of(std::as_bytes(std::span(file)), "a share's graph"))};
  return row->compute(decoded, std::move(part), pool);
}

void require_arrays(const Graph& graph, const SamplePart& part, bool any_dtype) {
  Diagnostics problems;
  for (int64_t s = 0; s < part.samples.count(); ++s) {
    const std::vector<Tensor> arrays = part.samples.get(s);
    if (arrays.size() != graph.inputs.size()) {
      problems.add(
          Code::InvalidArgument, {},
          fmt::format("sample {}: got {} arrays, expected {}", part.first + s, arrays.size(), graph.inputs.size()));
      continue;
    }
    for (size_t i = 0; i < arrays.size(); ++i) {
      const Value& input = graph[graph.inputs[i]];
      if ((any_dtype || arrays[i].dtype() == input.dtype) && arrays[i].shape() == input.shape) continue;
      problems.add(Code::InvalidArgument, Location{.tensor = input.name},
                   fmt::format("sample {}: got {} {}, expected {} {}", part.first + s, name(arrays[i].dtype()),
                               to_string(arrays[i].shape()), name(input.dtype), to_string(input.shape)));
    }
  }
  problems.throw_if_any();
}

}  // namespace openrknn
