#include "runtime/engine/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/targets/cost_model.h"
#include "runtime/engine/batch.h"

namespace openrknn {
namespace {

constexpr int64_t kArenaAlignment = 64;

/// Item `item` of an array whose first extent counts `items` times the extent of one.
Tensor part_of(const Tensor& array, int64_t item, int64_t items) {
  Shape shape = array.shape();
  if (shape.empty() || shape[0] % items != 0) return array;  // refused further on, for its shape
  shape[0] /= items;
  const std::span<const std::byte> all = array.bytes();
  const size_t bytes = all.size() / static_cast<size_t>(items);
  return Tensor::view(array.dtype(), shape, all.subspan(static_cast<size_t>(item) * bytes, bytes),
                      std::make_shared<Tensor>(array));
}

Tensor joined(const std::vector<Tensor>& parts) {
  if (parts.size() == 1) return parts.front();
  Tensor whole(parts[0].dtype(), with_batch(parts[0].shape(), static_cast<int64_t>(parts.size())));
  std::byte* out = whole.mutable_bytes().data();
  for (const Tensor& part : parts) {
    if (!part.bytes().empty()) std::memcpy(out, part.bytes().data(), part.bytes().size());
    out += part.bytes().size();
  }
  return whole;
}

}  // namespace

Context::Context(std::shared_ptr<LoadedModel> model, std::shared_ptr<Device> device)
    : model_(std::move(model)), device_(std::move(device)), inputs_(static_cast<size_t>(items())) {
  for (auto& item : inputs_) item.resize(graph().inputs.size());
  lanes_.resize(static_cast<size_t>(most_lanes()));
}

std::unique_ptr<Context> Context::duplicate() const {
  auto copy = std::make_unique<Context>(model_, device_);
  copy->set_latency(latency_);
  return copy;
}

void Context::set_latency(Latency latency) {
  latency_ = latency;
  latency_of_item_ = latency.fixed;
  if (!latency.estimated) return;
  const Graph& shapes = model().variants[variant_];
  const ModelCost cost = cost_of_model(shapes, device_->target(), types_of_graph(shapes, model().sparse));
  latency_of_item_ = std::chrono::microseconds(std::llround(cost.microseconds));
}

int Context::most_lanes() const { return static_cast<int>(std::min<int64_t>(items(), device_->cores().count())); }

std::shared_ptr<const Plan> Context::plan() const {
  return custom_ ? custom_->plan(*model_, variant_, watch()) : model_->plan(variant_, watch());
}

void Context::forget_results() {
  for (Lane& lane : lanes_) lane.clear();
  saved_outputs_.clear();
  finished_ = false;
}

void Context::set_variant(size_t variant) {
  if (variant == variant_) return;
  variant_ = variant;
  for (auto& item : inputs_) std::fill(item.begin(), item.end(), std::nullopt);
  if (latency_.estimated) set_latency(latency_);
  forget_results();
}

Watch Context::watch() const { return keep_values_ ? Watch::Values : profiling_ ? Watch::Layers : Watch::Nothing; }

void Context::set_keep_values(bool on) {
  if (on == keep_values_) return;
  keep_values_ = on;
  forget_results();
}
void Context::set_profiling(bool on) {
  if (on == profiling_) return;
  profiling_ = on;
  forget_results();
}

int64_t Context::internal_bytes() const { return kArenaAlignment + most_lanes() * model_->arena_bytes(); }

void Context::use_internal_memory(std::span<std::byte> memory) {
  forget_results();
  internal_memory_ = {};
  if (memory.empty()) return;
  const uint64_t skip = -reinterpret_cast<uintptr_t>(memory.data()) % static_cast<uint64_t>(kArenaAlignment);
  const auto needed = static_cast<size_t>(most_lanes() * model_->arena_bytes());
  if (memory.size() < skip + needed) {
    fail(Code::RuntimeBadArgument,
         fmt::format("the internal memory has {} bytes, {} are needed", memory.size(), internal_bytes()));
  }
  internal_memory_ = memory.subspan(skip, needed);
}

void Context::set_input(size_t index, const Tensor& array, PortLayout given, bool pass_through) {
  const ValueId id = graph().inputs[index];
  // The plan tells where it wants the channels, so that nothing is permuted twice.
  const Layout wanted = layout(*plan(), id);
  for (int64_t item = 0; item < items(); ++item) {
    const Tensor part = items() == 1 ? array : part_of(array, item, items());
    Tensor tensor = to_graph(model().inputs[index], graph()[id], part, given, pass_through, wanted);
    tensor.mutable_bytes();  // copies if these are still the caller's bytes
    inputs_[static_cast<size_t>(item)][index] = FedInput{std::move(tensor), wanted};
  }
}

int64_t Context::register_custom_ops(std::span<const CustomOperator> operators) {
  if (!custom_) custom_ = std::make_unique<CustomOps>(model(), *device_);
  const int64_t bound = custom_->add(operators);
  forget_results();
  return bound;
}

void Context::release_custom_ops() {
  forget_results();
  custom_.reset();
}

void Context::require_custom_code() const {
  Diagnostics problems;
  for (const std::string& type : custom_ ? custom_->missing(variant_) : model_->custom_types(variant_)) {
    // Programs and people know this sentence.
    problems.add(Code::RuntimeUnregisteredOp, {},
                 fmt::format("Unsupport CPU op: {} in this librknnrt.so, please try to register custom op by calling "
                             "rknn_register_custom_ops ...",
                             type));
  }
  problems.throw_if_any();
}

void Context::require_inputs(const std::vector<bool>& coming) const {
  Diagnostics problems;
  for (size_t i = 0; i < inputs_[0].size(); ++i) {
    if (inputs_[0][i] || (i < coming.size() && coming[i])) continue;
    Location where;
    where.tensor = model().inputs[i].name;
    problems.add(Code::RuntimeInputNotSet, where, fmt::format("input {} was never set", i),
                 "set all inputs before run");
  }
  problems.throw_if_any();
}

uint32_t Context::mask_of_lane(size_t lane) const {
  if (items() == 1 || std::popcount(core_mask_) < 2) return core_mask_;
  // A batch uses several cores by giving each an item.
  uint32_t mask = core_mask_;
  for (size_t skipped = lane % static_cast<size_t>(std::popcount(mask)); skipped > 0; --skipped) mask &= mask - 1;
  return mask & -mask;
}

Lane::Job Context::job(size_t lane) {
  Lane::Job job{.model = *model_, .device = *device_, .control = control_};
  job.custom = custom_.get();
  job.variant = variant_;
  job.core_mask = mask_of_lane(lane);
  job.watch = watch();
  job.profiling = profiling_;
  job.latency = latency_of_item_;
  const size_t arena = internal_memory_.size() / static_cast<size_t>(most_lanes());
  job.arena = internal_memory_.subspan(lane * arena, arena);
  job.save_outputs = items() > 1 || !internal_memory_.empty();
  return job;
}

void Context::run_batch() {
  int lanes = batch_cores_ > 0 ? std::min(batch_cores_, most_lanes()) : most_lanes();
  if (core_mask_ != kAnyCore) lanes = std::min(lanes, std::popcount(core_mask_));
  last_lane_ = static_cast<size_t>(for_each_item(items(), lanes, [&](int64_t item, int lane) {
    const auto i = static_cast<size_t>(item), l = static_cast<size_t>(lane);
    saved_outputs_[i] = lanes_[l].compute(job(l), inputs_[i]);
  }));
}

void Context::run(std::optional<RunControl::Clock::time_point> deadline) {
  require_custom_code();
  require_inputs();
  finished_ = false;
  saved_outputs_.assign(static_cast<size_t>(items()), {});
  control_.begin(deadline);
  const RunControl::Clock::time_point start = RunControl::Clock::now();
  try {
    if (items() == 1) {
      saved_outputs_[0] = lanes_[0].compute(job(0), inputs_[0]);
    } else {
      run_batch();
    }
  } catch (const RunCancelled&) {
    control_.forget_cancel();
    throw;
  }
  // One item: the time with a core; a batch: until its last item was done.
  const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(RunControl::Clock::now() - start);
  last_run_microseconds_ = items() == 1 ? lanes_[0].microseconds() : elapsed.count();
  ++runs_;
  finished_ = true;
}

void Context::cancel() {
  control_.cancel();
  device_->cores().wake();
}

const Run& Context::finished_run() const {
  const Run* run = lanes_[last_lane_].finished();
  if (!finished_ || run == nullptr) {
    fail(Code::RuntimeNotInitialized, "there are no results: the model has not run", "run it first");
  }
  return *run;
}

Tensor Context::item_output(int64_t item, size_t index) const {
  const std::vector<Tensor>& saved = saved_outputs_[static_cast<size_t>(item)];
  return saved.empty() ? finished_run().get(graph().outputs[index]) : saved[index];
}

Tensor Context::output_array(size_t index, bool want_float) const {
  finished_run();
  const Value& value = graph()[graph().outputs[index]];
  std::vector<Tensor> parts;
  for (int64_t item = 0; item < items(); ++item) {
    parts.push_back(from_graph(model().outputs[index], value, item_output(item, index), want_float));
  }
  return joined(parts);
}

Tensor Context::value(std::string_view name) const {
  const ValueId id = graph().find(name);
  if (id == ValueId::None) fail(Code::GraphUnknownName, fmt::format("the model has no value '{}'", name));
  if (graph()[id].constant) return *graph()[id].constant;
  const Run& run = finished_run();
  const auto output = std::find(graph().outputs.begin(), graph().outputs.end(), id);
  if (output != graph().outputs.end()) {
    return item_output(items() - 1, static_cast<size_t>(output - graph().outputs.begin()));
  }
  if (!internal_memory_.empty() && !keep_values_) {
    fail(Code::GraphUnknownName, Location{.tensor = std::string(name)},
         "its content lay in the caller's internal memory and may be gone", "keep the values of the run");
  }
  return run.get(id);
}

Tensor Context::real_value(std::string_view name) const {
  const Tensor content = value(name);
  const std::optional<QuantParams>& quant = graph()[graph().find(name)].quant;
  return quant ? dequantize_tensor(content, *quant) : cast(content, DType::Float32);
}

}  // namespace openrknn
