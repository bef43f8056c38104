#include "runtime/capi/extension.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/capi/attributes.h"
#include "runtime/capi/guard.h"
#include "runtime/capi/model_key_file.h"

namespace openrknn::capi {
namespace {

const char* get_last_diagnostic() { return last_diagnostic().c_str(); }

int get_metadata(rknn_context handle, openrknn_text_pair visit, void* user) {
  return with_context("metadata", handle, [&](ContextState& state) {
    require_pointer(reinterpret_cast<const void*>(visit), "visit");
    for (const auto& [key, value] : state.context->graph().metadata) {
      visit(user, key.data(), key.size(), value.data(), value.size());
    }
  });
}

int get_arithmetic(rknn_context handle, const char** text) {
  return with_context("arithmetic", handle, [&](ContextState& state) {
    require_pointer(text, "text");
    *text = state.arithmetic.c_str();
  });
}

int get_target(rknn_context handle, const char** text) {
  return with_context("target", handle, [&](ContextState& state) {
    require_pointer(text, "text");
    *text = state.target.c_str();
  });
}

int get_thread_count(rknn_context handle, int32_t* threads) {
  return with_context("thread_count", handle, [&](ContextState& state) {
    require_pointer(threads, "threads");
    *threads = state.context->device().cores().threads();
  });
}

int set_profiling(rknn_context handle, int32_t on) {
  return with_context("set_profiling", handle, [&](ContextState& state) { state.context->set_profiling(on != 0); });
}

int get_profile(rknn_context handle, openrknn_profile_visitor visit, void* user) {
  return with_context("profile", handle, [&](ContextState& state) {
    require_pointer(reinterpret_cast<const void*>(visit), "visit");
    const Graph& graph = state.context->graph();
    for (const ProfileRow& row : state.context->profile()) {
      const Node& node = graph[row.node];
      const ValueId first = node.outputs.empty() ? ValueId::None : node.outputs.front();
      const std::string dtype(first == ValueId::None ? "" : name(graph[first].dtype));
      const std::string op(shown_op(node));
      const openrknn_profile_row shown{node.name.c_str(), op.c_str(), dtype.c_str(), row.microseconds};
      visit(user, &shown);
    }
  });
}

int set_keep_values(rknn_context handle, int32_t on) {
  return with_context("set_keep_values", handle, [&](ContextState& state) { state.context->set_keep_values(on != 0); });
}

int read_value(rknn_context handle, const char* value_name, openrknn_value_visitor visit, void* user) {
  return with_context("read_value", handle, [&](ContextState& state) {
    require_pointer(value_name, "name");
    require_pointer(reinterpret_cast<const void*>(visit), "visit");
    const Tensor tensor = state.context->value(value_name);
    const std::string dtype(name(tensor.dtype()));
    const openrknn_value shown{dtype.c_str(), static_cast<uint32_t>(tensor.rank()), tensor.shape().data(),
                               tensor.bytes().data(), tensor.bytes().size()};
    visit(user, &shown);
  });
}

int get_plan_text(rknn_context handle, openrknn_text_pair visit, void* user) {
  return with_context("plan_text", handle, [&](ContextState& state) {
    require_pointer(reinterpret_cast<const void*>(visit), "visit");
    const std::string text = to_text(*state.context->plan());
    constexpr std::string_view key = "plan";
    visit(user, key.data(), key.size(), text.data(), text.size());
  });
}

int get_core_counters(rknn_context handle, openrknn_core_counters* counters, uint32_t capacity, uint32_t* count) {
  return with_context("core_counters", handle, [&](ContextState& state) {
    require_pointer(count, "count");
    const std::vector<CoreCounters> all = state.context->device().cores().counters();
    *count = static_cast<uint32_t>(all.size());
    if (capacity > 0) require_pointer(counters, "counters");
    for (size_t i = 0; i < std::min<size_t>(capacity, all.size()); ++i) {
      counters[i] = {all[i].jobs, all[i].busy_microseconds};
    }
  });
}

// Without the context's mutex: a call that waits for a run holds it.
int cancel(rknn_context handle) {
  return guard("cancel", [&] { library().find(handle)->context->cancel(); });
}

void require_index(const Context& context, Side side, uint32_t index) {
  const size_t number = count(context, side);
  if (index >= number) fail(Code::RuntimeBadArgument, fmt::format("index {}, expected 0 to {}", index, number - 1));
}

int get_normalization(rknn_context handle, uint32_t index, float* mean, float* std, uint32_t capacity,
                      uint32_t* number) {
  return with_context("normalization", handle, [&](ContextState& state) {
    require_pointer(number, "count");
    require_index(*state.context, Side::Input, index);
    if (capacity > 0) require_pointer(mean, "mean");
    if (capacity > 0) require_pointer(std, "std");
    const Port& port = capi::port(*state.context, Side::Input, index);
    const size_t channels = std::max(port.mean.size(), port.std.size());
    *number = static_cast<uint32_t>(channels);
    for (size_t i = 0; i < std::min<size_t>(capacity, channels); ++i) {
      mean[i] = port.mean.empty() ? 0.0f : port.mean[i];
      std[i] = port.std.empty() ? 1.0f : port.std[i];
    }
  });
}

int get_scale(rknn_context handle, int32_t is_output, uint32_t index, double* scale) {
  return with_context("scale", handle, [&](ContextState& state) {
    const Side side = is_output != 0 ? Side::Output : Side::Input;
    require_pointer(scale, "scale");
    require_index(*state.context, side, index);
    const std::optional<QuantParams>& quant = value(*state.context, side, index).quant;
    *scale = quant && quant->scale.size() == 1 ? quant->scale[0] : 0;
  });
}

/// One node that a function of the caller's computes.
class ComputedNode : public CustomInstance {
 public:
  ComputedNode(openrknn_compute code, void* user, const CustomSite& site, const ContextState& state)
      : compute_(code), user_(user), site_(site), state_(state) {}

  void compute() override {
    std::vector<std::string> names;
    names.reserve(site_.inputs.size() + site_.outputs.size());
    const auto shown = [&](const std::vector<CustomTensor>& tensors) {
      std::vector<openrknn_value> values;
      for (const CustomTensor& tensor : tensors) {
        names.emplace_back(name(tensor.dtype));
        values.push_back({names.back().c_str(), static_cast<uint32_t>(tensor.shape.size()), tensor.shape.data(),
                          tensor.memory ? tensor.memory->data() : nullptr,
                          tensor.memory ? static_cast<uint64_t>(tensor.memory->size()) : 0});
      }
      return values;
    };
    const std::vector<openrknn_value> inputs = shown(site_.inputs), outputs = shown(site_.outputs);
    const CallbackScope scope(state_);
    const int code = compute_(user_, site_.node.c_str(), inputs.data(), static_cast<uint32_t>(inputs.size()),
                              outputs.data(), static_cast<uint32_t>(outputs.size()));
    if (code == 0) return;
    throw ApiError(
        RKNN_ERR_FAIL, Code::RuntimeCallFailed,
        fmt::format("the code of the custom operator {} (node '{}') returned {}", site_.type, site_.node, code));
  }

 private:
  openrknn_compute compute_;
  void* user_;
  const CustomSite& site_;
  const ContextState& state_;
};

int register_compute(rknn_context handle, const char* op_type, openrknn_compute compute, void* user) {
  return with_context("register_compute", handle, [&](ContextState& state) {
    require_pointer(op_type, "op_type");
    require_pointer(reinterpret_cast<const void*>(compute), "compute");
    const CustomOperator code = {.type = op_type, .bind = [&state, compute, user](const CustomSite& site) {
                                   return std::make_unique<ComputedNode>(compute, user, site, state);
                                 }};
    state.context->register_custom_ops(std::span(&code, 1));
  });
}

int choose_model_key_file(const char* path) {
  return guard("set_model_key_file", [&] { set_model_key_file(path); });
}

constexpr openrknn_functions kFunctions = {
    .size = sizeof(openrknn_functions),
    .version = OPENRKNN_EXTENSION_VERSION,
    .last_diagnostic = get_last_diagnostic,
    .metadata = get_metadata,
    .arithmetic = get_arithmetic,
    .target = get_target,
    .thread_count = get_thread_count,
    .set_profiling = set_profiling,
    .profile = get_profile,
    .set_keep_values = set_keep_values,
    .read_value = read_value,
    .plan_text = get_plan_text,
    .core_counters = get_core_counters,
    .cancel = cancel,
    .normalization = get_normalization,
    .scale = get_scale,
    .register_compute = register_compute,
    .set_model_key_file = choose_model_key_file,
};

}  // namespace

void query_extension(void* info, uint32_t size) {
  require_pointer(info, "info");
  if (size < sizeof(const openrknn_functions*)) {
    fail(Code::RuntimeBadArgument, fmt::format("info has {} bytes, a pointer needs {}", size, sizeof(void*)));
  }
  *static_cast<const openrknn_functions**>(info) = &kFunctions;
}

}  // namespace openrknn::capi
