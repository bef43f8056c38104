#include "runtime/engine/custom_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/base/thread_pool.h"
#include "core/graph/custom.h"
#include "runtime/engine/custom_graph.h"

namespace openrknn {

struct CustomOps::Bound {
  CustomSite site;
  std::vector<bool> is_constant;             // by input
  std::unique_ptr<CustomInstance> instance;  // before the site in destruction
  std::mutex running;                        // two jobs of one context may be under way on two cores

  Bound(const Graph& graph, NodeId id, const std::string& type, Device& device)
      : site(make_site(graph, id, type, device)) {
    for (const ValueId input : source_inputs(graph, graph[id])) {
      is_constant.push_back(input != ValueId::None && graph[input].constant.has_value());
    }
  }

  void compute(std::span<const Buffer> buffers) {
    const std::lock_guard lock(running);
    for (size_t i = 0; i < site.inputs.size(); ++i) {
      const CustomTensor& input = site.inputs[i];
      if (is_constant[i] || !input.memory || input.memory->size() == 0) continue;
      std::memcpy(input.memory->data(), buffers[i].data, static_cast<size_t>(input.memory->size()));
      input.memory->sync_to_device();
    }
    {
      const FloatEnvironment ours;  // whatever rounding the code leaves behind ends here
      instance->compute();
    }
    for (size_t i = 0; i < site.outputs.size(); ++i) {
      const CustomTensor& output = site.outputs[i];
      std::byte* to = buffers[site.inputs.size() + i].data;
      if (!output.memory || output.memory->size() == 0 || to == nullptr) continue;
      output.memory->sync_from_device();
      const auto size = static_cast<size_t>(output.memory->size());
      std::memcpy(to, output.memory->data(), size);
      // Any other byte would not be a bool to the kernels that read it.
      if (output.dtype == DType::Bool) {
        std::transform(to, to + size, to, [](std::byte b) { return b == std::byte{0} ? b : std::byte{1}; });
      }
    }
  }
};

CustomOps::CustomOps(const Model& model, Device& device) : device_(device), graphs_(model.variants) { find_missing(); }

void CustomOps::find_missing() {
  missing_.assign(graphs_.size(), {});
  for (size_t variant = 0; variant < graphs_.size(); ++variant) {
    const Graph& graph = graphs_[variant];
    std::vector<std::string>& missing = missing_[variant];
    for (const NodeId id : graph.order()) {
      const std::string_view type = custom_type(graph[id]);
      if (type.empty() || bound_.contains({variant, id})) continue;
      if (std::find(missing.begin(), missing.end(), type) == missing.end()) missing.emplace_back(type);
    }
  }
}

int64_t CustomOps::add(std::span<const CustomOperator> operators) {
  std::map<Key, std::shared_ptr<Bound>> added;  // gone again if anything throws
  std::set<std::string, std::less<>> types = types_;
  for (const CustomOperator& one : operators) {
    if (!types.insert(one.type).second) {
      fail(Code::RuntimeBadArgument, fmt::format("the custom operator {} is registered twice", one.type));
    }
    for (size_t variant = 0; variant < graphs_.size(); ++variant) {
      const Graph& graph = graphs_[variant];
      for (const NodeId id : graph.order()) {
        const bool is_custom = graph[id].op == kCustomOp;
        if (one.type != (is_custom ? custom_type(graph[id]) : std::string_view(graph[id].op))) continue;
        if (bound_.contains({variant, id})) continue;
        auto bound = std::make_shared<Bound>(graph, id, one.type, device_);
        bound->instance = one.bind(bound->site);
        if (bound->instance) added.emplace(Key(variant, id), std::move(bound));
      }
    }
  }
  for (const auto& [key, bound] : added) {
    Graph& graph = graphs_[key.first];
    if (graph[key.second].op != kCustomOp) replace_builtin(graph, key.second, bound->site.type);
  }
  const auto count = static_cast<int64_t>(added.size());
  bound_.merge(added);
  types_ = std::move(types);
  plans_.clear();
  find_missing();
  return count;
}

std::shared_ptr<const Plan> CustomOps::plan(LoadedModel& model, size_t variant, Watch watch) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const Plan>& plan = plans_[{variant, watch}];
  if (plan) return plan;
  PlanOptions options = options_to(watch);
  options.custom_code = code(variant);
  plan = model.plan(graphs_[variant], options);
  return plan;
}

CustomCode CustomOps::code(size_t variant) const {
  return [this, variant](const Graph&, NodeId id) -> CustomCompute {
    const auto found = bound_.find({variant, id});
    if (found == bound_.end()) return {};
    return [bound = found->second](std::span<const Buffer> buffers) { bound->compute(buffers); };
  };
}

}  // namespace openrknn
