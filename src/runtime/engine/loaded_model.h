// A model as contexts share it: read once, weights packed once, one Plan per input-shape set.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "core/base/file.h"
#include "core/executor/plan.h"
#include "core/model/model.h"

namespace openrknn {

/// Thread-safe.
class LoadedModel {
 public:
  /// Reads, verifies and plans the largest variant. Throws what read() and plan() throw, Error (ConfigUnknownPlatform)
  /// for an unknown target, Error (NotBuilt) naming what the engine cannot do yet.
  static std::shared_ptr<LoadedModel> load(std::shared_ptr<const MappedFile>);
  explicit LoadedModel(Model);

  const Model& model() const { return model_; }
  /// `keep_all`: every value stays readable after a run.
  std::shared_ptr<const Plan> plan(size_t variant, bool keep_all);

  int64_t weight_bytes() const { return weight_bytes_; }  ///< constants of all variants, each distinct one once
  int64_t internal_bytes();                               ///< scratch of the largest variant

 private:
  const Model model_;
  int64_t weight_bytes_ = 0;
  Weights weights_;
  std::mutex mutex_;
  std::map<std::pair<size_t, bool>, std::shared_ptr<const Plan>> plans_;
};

}  // namespace openrknn
