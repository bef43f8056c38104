// Trials of a search: the outputs of a graph. One sample a share, as there are few of them.
#include <fmt/format.h>

#include "compiler/search/lift_trials.h"
#include "core/base/byte_string.h"
#include "core/base/npy.h"
#include "toolkit/share_kinds.h"

namespace openrknn {
namespace {

constexpr std::string_view kOutputsMagic = "OpenRKNN outputs 1\n";

[[noreturn]] void refuse_outputs(const std::string& problem) {
  fail(Code::InvalidArgument, "serialised outputs: " + problem, "search again with this build");
}

Tensor take_tensor(std::string_view& rest) {
  const std::optional<uint64_t> size = take_number<uint64_t>(rest);
  if (!size || *size > rest.size()) refuse_outputs("they are truncated");
  const std::string_view file = rest.substr(0, *size);
  rest.remove_prefix(file.size());
  return parse_npy(std::as_bytes(std::span(file)), "a share's outputs");
}

/// Of one sample, one for each output of the graph: real numbers come as float32.
std::vector<Tensor> take(std::string_view bytes, const Graph& graph) {
  if (!bytes.starts_with(kOutputsMagic)) refuse_outputs("they do not begin as such");
  std::string_view rest = bytes.substr(kOutputsMagic.size());
  std::vector<Tensor> outputs;
  for (const ValueId id : graph.outputs) {
    const Value& value = graph[id];
    const DType dtype = value.quant || is_floating(value.dtype) ? DType::Float32 : value.dtype;
    const Tensor& given = outputs.emplace_back(take_tensor(rest));
    if (given.dtype() == dtype && given.shape() == value.shape) continue;
    refuse_outputs(fmt::format("'{}' is {} {}, expected {} {}", value.name, name(given.dtype()),
                               to_string(given.shape()), name(dtype), to_string(value.shape)));
  }
  if (!rest.empty()) refuse_outputs("other bytes follow them");
  return outputs;
}

}  // namespace

std::string run_share(const ShareTask& task, SamplePart part, ThreadPool& pool) {
  const Graph& graph = task.model.variants.front();
  require_arrays(graph, part, true);
  std::string bytes(kOutputsMagic);
  for (const std::vector<Tensor>& outputs : run_trial(graph, task.model.arithmetic, part.samples, pool)) {
    for (const Tensor& output : outputs) {
      const std::string file = to_npy(output);
      append_number(bytes, uint64_t{file.size()});
      bytes += file;
    }
  }
  return bytes;
}

TrialRunner trial_runner_of(ShareOut share_out) {
  if (!share_out) return {};
  return [share_out = std::move(share_out)](const Graph& graph, const Arithmetic& arithmetic, const Samples& samples) {
    const SharedWork work{.stage = "search", .task = task_of("run", "", graph, arithmetic), .samples_per_share = 1};
    std::vector<std::vector<Tensor>> outputs;
    for (const std::string& part : share_out(work, samples, {})) outputs.push_back(take(part, graph));
    if (static_cast<int64_t>(outputs.size()) != samples.count()) {
      refuse_outputs(fmt::format("shares of {} samples, expected {}", outputs.size(), samples.count()));
    }
    return outputs;
  };
}

}  // namespace openrknn
