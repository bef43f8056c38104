#include "runtime/engine/loaded_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/targets/targets.h"
#include "runtime/engine/custom_graph.h"

namespace openrknn {
namespace {

constexpr int64_t kWeightAlignment = 64;

int64_t room(const Tensor& constant) {
  const auto bytes = static_cast<int64_t>(constant.bytes().size());
  return (bytes + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment;
}

std::vector<Tensor> distinct_constants(const Model& model) {
  std::set<const std::byte*> seen;
  std::vector<Tensor> constants;
  for (const Graph& graph : model.variants) {
    for (int32_t i = 0; i < graph.value_count(); ++i) {
      const std::optional<Tensor>& constant = graph[ValueId(i)].constant;
      if (constant && seen.insert(constant->bytes().data()).second) constants.push_back(*constant);
    }
  }
  return constants;
}

Value outside_value(const Graph& graph, ValueId id, int64_t batch) {
  Value value = graph[id];
  value.shape = with_batch(value.shape, batch);
  value.constant.reset();  // what is asked for here is how it looks
  return value;
}

std::vector<OutsideValues> outside_values(const Model& model) {
  std::vector<OutsideValues> variants;
  for (const Graph& graph : model.variants) {
    OutsideValues& outside = variants.emplace_back();
    for (const ValueId id : graph.inputs) outside.inputs.push_back(outside_value(graph, id, model.batch));
    for (const ValueId id : graph.outputs) outside.outputs.push_back(outside_value(graph, id, model.batch));
  }
  return variants;
}

void refuse_unbuilt(const Model& model) {
  if (find_target(model.target) == nullptr) {
    fail(Code::ConfigUnknownPlatform,
         fmt::format("the model is for target '{}', which this build does not know", model.target));
  }
  Diagnostics problems;
  for (const Graph& graph : model.variants) {
    for (const ValueId id : graph.outputs) {
      if (is_static(graph[id].shape)) continue;
      problems.add(Code::NotBuilt, Location{.tensor = graph[id].name},
                   "outputs whose shape depends on data are not built yet",
                   "cut the model before the node that makes it");
    }
  }
  for (const auto* ports : {&model.inputs, &model.outputs}) {
    for (const Port& port : *ports) {
      if (model.batch == 1 || port.source_order.empty() || port.source_order[0] == 0) continue;
      problems.add(Code::NotBuilt, Location{.tensor = port.name},
                   "batches of a tensor whose items are not its first dimension are not built yet",
                   "convert with rknn_batch_size=1");
    }
  }
  problems.throw_if_any();
}

}  // namespace

PlanOptions options_to(Watch watch) { return {.keep_all = watch == Watch::Values, .fuse = watch == Watch::Nothing}; }

LoadedModel::LoadedModel(Model model)
    : model_(std::move(model)), outside_(outside_values(model_)), constants_(distinct_constants(model_)) {
  refuse_unbuilt(model_);
  for (const Tensor& constant : constants_) weight_bytes_ += room(constant);
  for (const Graph& graph : model_.variants) custom_types_.push_back(openrknn::custom_types(graph));
  plan(0, Watch::Nothing);
}

std::shared_ptr<LoadedModel> LoadedModel::load(std::shared_ptr<const MappedFile> file,
                                               const std::shared_ptr<LoadedModel>& master) {
  if (!master) return std::make_shared<LoadedModel>(read(std::move(file)));
  return std::make_shared<LoadedModel>(
      read(std::move(file), [&](uint64_t hash, uint64_t bytes) { return master->find_weights(hash, bytes); }));
}

std::shared_ptr<const Plan> LoadedModel::plan(size_t variant, Watch watch) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const Plan>& plan = plans_[{variant, watch}];
  if (!plan) plan = openrknn::plan(model_.variants[variant], model_.arithmetic, options_to(watch), weights_);
  return plan;
}

std::shared_ptr<const Plan> LoadedModel::plan(const Graph& graph, const PlanOptions& options) {
  return openrknn::plan(graph, model_.arithmetic, options, weights_);
}

void LoadedModel::copy_weights(std::byte* out) const {
  for (const Tensor& constant : constants_) {
    if (!constant.bytes().empty()) std::memcpy(out, constant.bytes().data(), constant.bytes().size());
    out += room(constant);
  }
}

std::optional<Tensor> LoadedModel::find_weights(uint64_t hash, uint64_t bytes) const {
  const std::lock_guard lock(mutex_);
  if (constants_by_hash_.empty()) {
    for (size_t i = 0; i < constants_.size(); ++i) constants_by_hash_.emplace(hash64(constants_[i].bytes()), i);
  }
  const auto [begin, end] = constants_by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (constants_[it->second].bytes().size() == bytes) return constants_[it->second];
  }
  return std::nullopt;
}

int64_t LoadedModel::arena_bytes() {
  int64_t most = 0;
  for (size_t variant = 0; variant < model_.variants.size(); ++variant) {
    most = std::max(most, summary(*plan(variant, Watch::Nothing)).arena_bytes);
  }
  return (most + 63) / 64 * 64;
}

}  // namespace openrknn
