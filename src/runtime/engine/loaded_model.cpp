#include "runtime/engine/loaded_model.h"

#include <fmt/format.h>

#include <set>

#include "core/base/error.h"
#include "core/rknn_file/rknn_file.h"
#include "core/targets/targets.h"

namespace openrknn {
namespace {

int64_t constant_bytes(const Model& model) {
  std::set<const std::byte*> seen;
  int64_t bytes = 0;
  for (const Graph& graph : model.variants) {
    for (int32_t i = 0; i < graph.value_count(); ++i) {
      const std::optional<Tensor>& constant = graph[ValueId(i)].constant;
      if (constant && seen.insert(constant->bytes().data()).second) {
        bytes += static_cast<int64_t>(constant->bytes().size());
      }
    }
  }
  return bytes;
}

void refuse_unbuilt(const Model& model) {
  if (find_target(model.target) == nullptr) {
    fail(Code::ConfigUnknownPlatform,
         fmt::format("the model is for target '{}', which this build does not know", model.target));
  }
  if (model.batch > 1) {
    fail(Code::NotBuilt, fmt::format("models with rknn_batch_size {} are not built yet", model.batch),
         "convert with rknn_batch_size=1 and run once per item");
  }
  for (const Graph& graph : model.variants) {
    for (const ValueId id : graph.outputs) {
      if (is_static(graph[id].shape)) continue;
      Location where;
      where.tensor = graph[id].name;
      fail(Code::NotBuilt, where, "outputs whose shape depends on data are not built yet",
           "cut the model before the node that makes it");
    }
  }
}

}  // namespace

LoadedModel::LoadedModel(Model model) : model_(std::move(model)), weight_bytes_(constant_bytes(model_)) {
  refuse_unbuilt(model_);
  plan(0, false);
}

std::shared_ptr<LoadedModel> LoadedModel::load(std::shared_ptr<const MappedFile> file) {
  return std::make_shared<LoadedModel>(read(std::move(file)));
}

std::shared_ptr<const Plan> LoadedModel::plan(size_t variant, bool keep_all) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const Plan>& plan = plans_[{variant, keep_all}];
  if (!plan) {
    PlanOptions options;
    options.keep_all = keep_all;
    plan = openrknn::plan(model_.variants[variant], model_.arithmetic, options, weights_);
  }
  return plan;
}

int64_t LoadedModel::internal_bytes() { return summary(*plan(0, false)).arena_bytes; }

}  // namespace openrknn
