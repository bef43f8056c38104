// A model as contexts share it: read once, weights packed once, one Plan per input-shape set.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "core/base/file.h"
#include "core/executor/plan.h"
#include "core/model/model.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn {

/// The inputs and outputs of one variant as the outside sees them: shapes count the items of the whole batch.
struct OutsideValues {
  std::vector<Value> inputs, outputs;
};

/// What a run is to show beside its results: how long each layer takes (each is a step of its own then), or every
/// value after the run.
enum class Watch : uint8_t { Nothing, Layers, Values };
PlanOptions options_to(Watch);

/// Thread-safe.
class LoadedModel {
 public:
  /// Reads, verifies and plans the largest variant. `master`: has the weights of a file written without them. Throws
  /// what read() and plan() throw, Error (ConfigUnknownPlatform) for an unknown target, Error (NotBuilt) naming what
  /// the engine cannot do yet.
  static std::shared_ptr<LoadedModel> load(std::shared_ptr<const MappedFile>,
                                           const std::shared_ptr<LoadedModel>& master = nullptr);
  explicit LoadedModel(Model);

  const Model& model() const { return model_; }
  bool is_dynamic() const { return model_.variants.size() > 1; }
  const OutsideValues& outside(size_t variant) const { return outside_[variant]; }
  std::shared_ptr<const Plan> plan(size_t variant, Watch);

  /// The same for a graph made of a variant. Not kept: the caller's.
  std::shared_ptr<const Plan> plan(const Graph&, const PlanOptions&);
  /// Types of the variant's custom operators, which nothing in the model computes.
  const std::vector<std::string>& custom_types(size_t variant) const { return custom_types_[variant]; }

  int64_t weight_bytes() const { return weight_bytes_; }  ///< constants of all variants, each distinct one once
  /// Writes weight_bytes() there: every constant at a multiple of 64, in the order of the graphs.
  void copy_weights(std::byte* out) const;
  /// The constant with these bytes, as XXH3 and length, or none.
  std::optional<Tensor> find_weights(uint64_t hash, uint64_t bytes) const;
  int64_t arena_bytes();  ///< scratch of one item of the variant that needs most; a multiple of 64

 private:
  const Model model_;
  std::vector<OutsideValues> outside_;
  std::vector<Tensor> constants_;  // each distinct one once
  int64_t weight_bytes_ = 0;
  std::vector<std::vector<std::string>> custom_types_;  // by variant
  Weights weights_;
  mutable std::mutex mutex_;
  std::map<std::pair<size_t, Watch>, std::shared_ptr<const Plan>> plans_;
  mutable std::multimap<uint64_t, size_t> constants_by_hash_;  // index into constants_; filled when first asked
};

}  // namespace openrknn
