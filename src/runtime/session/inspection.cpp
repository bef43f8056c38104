// What only OpenRKNN's own runtime tells: values between layers, the cores, and who it is before a model is open.
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "runtime/session/door.h"
#include "runtime/session/engine.h"

namespace openrknn {
namespace session {
namespace {

/// The values of layers are kept while this lives.
class KeptValues {
 public:
  KeptValues(const openrknn_functions& door, ModelContext& context) : door_(door), context_(context) {
    context_.check(door_.set_keep_values(context_.handle(), 1), "set_keep_values");
  }
  ~KeptValues() { door_.set_keep_values(context_.handle(), 0); }
  KeptValues(const KeptValues&) = delete;
  KeptValues& operator=(const KeptValues&) = delete;

 private:
  const openrknn_functions& door_;
  ModelContext& context_;
};

void take_value(void* user, const openrknn_value* shown) noexcept {
  LayerValue& value = *static_cast<LayerValue*>(user);
  try {
    value.dtype = shown->dtype;
    value.shape.assign(shown->dims, shown->dims + shown->n_dims);
    value.bytes.resize(shown->size);
    if (shown->size > 0) std::memcpy(value.bytes.data(), shown->data, shown->size);
  } catch (const std::bad_alloc&) {
    value.dtype.clear();  // said below: nothing may be thrown through a C function
  }
}

}  // namespace

std::vector<LayerValue> Engine::values(const Feed& feed, const std::vector<std::string>& names) {
  if (!facts_.is_openrknn) {
    throw SessionError(
        fmt::format("values: the runtime '{}' ({}) keeps no values of layers, only OpenRKNN's own does; compare the "
                    "outputs, or run the model on a PC's simulator",
                    runtime_->path, facts_.api_version));
  }
  std::vector<LayerValue> values;
  ask([&](ModelContext& context) {
    const openrknn_functions* const door = open_door(*runtime_, context.handle());
    if (door == nullptr) throw SessionError("values: the runtime has no table of functions (openrknn/extension.h)");
    PreparedFeed prepared;
    prepare(facts_.input_specs, feed, false, *input_blocks_, prepared);
    const KeptValues kept(*door, context);
    context.set_shapes(facts_.input_specs, prepared.shape_set);
    context.set_inputs(prepared.inputs);
    context.run();
    std::string problems;
    for (const std::string& name : names) {
      LayerValue value{.name = name};
      const int code = door->read_value(context.handle(), name.c_str(), take_value, &value);
      if (code >= 0 && value.dtype.empty()) throw std::bad_alloc();
      if (code < 0) problems += fmt::format("{}'{}': {}", problems.empty() ? "" : "; ", name, door->last_diagnostic());
      values.push_back(std::move(value));
    }
    if (!problems.empty()) throw SessionError("values: " + problems);
  });
  return values;
}

DeviceInfo Engine::device_info() const {
  DeviceInfo info;
  if (!facts_.is_openrknn) return info;
  const std::shared_ptr<ModelContext> context = first_context();
  const openrknn_functions* const door = open_door(*runtime_, context->handle());
  if (door == nullptr) return info;
  const char* target = "";
  context->check(door->target(context->handle(), &target), "target");
  info.target = target;
  int32_t threads = 0;
  context->check(door->thread_count(context->handle(), &threads), "thread_count");
  info.simulator_threads = threads;
  uint32_t count = 0;
  context->check(door->core_counters(context->handle(), nullptr, 0, &count), "core_counters");
  std::vector<openrknn_core_counters> counters(count);
  context->check(door->core_counters(context->handle(), counters.data(), count, &count), "core_counters");
  for (const openrknn_core_counters& core : counters) {
    info.cores.push_back({core.jobs, static_cast<double>(core.busy_microseconds) * 1e-6});
  }
  return info;
}

}  // namespace session

RuntimeInfo runtime_info(const std::string& wanted) {
  const std::shared_ptr<const session::RuntimeLibrary> runtime = session::open_runtime(wanted);
  RuntimeInfo info{.path = runtime->path};
  if (session::open_door(*runtime, 0) == nullptr) return info;
  info.is_openrknn = true;
  rknn_sdk_version version{};
  if (runtime->query(0, RKNN_QUERY_SDK_VERSION, &version, sizeof version) == RKNN_SUCC) {
    info.version.assign(version.api_version, strnlen(version.api_version, sizeof version.api_version));
  }
  return info;
}

}  // namespace openrknn
