#include "runtime/engine/context.h"

#include <fmt/format.h>

#include <chrono>

#include "core/base/error.h"

namespace openrknn {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

}  // namespace

Context::Context(std::shared_ptr<LoadedModel> model, std::shared_ptr<Device> device)
    : model_(std::move(model)), device_(std::move(device)), inputs_(graph().inputs.size()) {}

std::unique_ptr<Context> Context::duplicate() const { return std::make_unique<Context>(model_, device_); }

void Context::set_input(size_t index, const Tensor& array, PortLayout given, bool pass_through) {
  // The plan tells where it wants the channels, so that nothing is permuted twice.
  if (run_list_.empty()) run_for(device_->cores().whole());
  const Layout wanted = run_list_[last_].run.layout(graph().inputs[index]);
  Tensor tensor = to_graph(model().inputs[index], input(index), array, given, pass_through, wanted);
  tensor.mutable_bytes();  // copies if these are still the caller's bytes
  inputs_[index] = Input{std::move(tensor), wanted};
}

void Context::set_keep_values(bool on) {
  if (on == keep_values_) return;
  keep_values_ = on;
  run_list_.clear();
  finished_ = false;
}

Run& Context::run_for(ThreadPool& pool) {
  for (size_t i = 0; i < run_list_.size(); ++i) {
    if (run_list_[i].pool == &pool) {
      last_ = i;
      return run_list_[i].run;
    }
  }
  run_list_.push_back({&pool, Run(model_->plan(variant_, keep_values_), pool)});
  last_ = run_list_.size() - 1;
  return run_list_[last_].run;
}

void Context::require_inputs() const {
  Diagnostics problems;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i]) continue;
    Location where;
    where.tensor = model().inputs[i].name;
    problems.add(Code::RuntimeInputNotSet, where, fmt::format("input {} was never set", i),
                 "set all inputs before run");
  }
  problems.throw_if_any();
}

void Context::run() {
  require_inputs();
  finished_ = false;
  const auto lease = device_->cores().acquire(core_mask_);
  Run& run = run_for(lease->pool());
  const Clock::time_point start = Clock::now();
  for (size_t i = 0; i < inputs_.size(); ++i) run.set(graph().inputs[i], inputs_[i]->tensor, inputs_[i]->layout);
  profile_.clear();
  if (profiling_) {
    for (;;) {
      const Clock::time_point step = Clock::now();
      const NodeId node = run.step();
      if (node == NodeId::None) break;
      profile_.push_back({node, microseconds_since(step)});
    }
  } else {
    run.run();
  }
  last_run_microseconds_ = static_cast<int64_t>(microseconds_since(start));
  ++runs_;
  finished_ = true;
}

const Run& Context::finished_run() const {
  if (!finished_) fail(Code::RuntimeNotInitialized, "there are no results: the model has not run", "run it first");
  return run_list_[last_].run;
}

Tensor Context::output_array(size_t index, bool want_float) const {
  return from_graph(model().outputs[index], output(index), finished_run().get(graph().outputs[index]), want_float);
}

Tensor Context::value(std::string_view name) const {
  const ValueId id = graph().find(name);
  if (id == ValueId::None) fail(Code::GraphUnknownName, fmt::format("the model has no value '{}'", name));
  if (graph()[id].constant) return *graph()[id].constant;
  return finished_run().get(id);
}

}  // namespace openrknn
