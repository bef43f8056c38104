// Runs a graph over samples and shows chosen values. One sample after the other, each on all threads: what is summed in
// the order shown depends on nothing else.
#pragma once

#include <functional>
#include <set>

#include "compiler/dataset/samples.h"
#include "core/base/thread_pool.h"
#include "core/executor/plan.h"

namespace openrknn::corrections {

/// Who computes, and over what.
struct Observation {
  const Samples& samples;
  ThreadPool& pool;
  Arithmetic arithmetic = {};
  CustomCode custom = {};
  int64_t most_samples = 0;                         ///< 0: all; else that many, evenly spread
  std::function<void(int64_t done)> progress = {};  ///< after each sample

  int64_t count() const;
  int64_t sample(int64_t i) const { return i * samples.count() / count(); }
};

/// numbers · unit are the real numbers, in logical order. Codes come as whole numbers less their zero point.
struct Shown {
  ValueId id = ValueId::None;
  std::span<const float> numbers;
  double unit = 1;
};
/// The graph is golden or lowered. A sample ends with the last wanted value.
void observe(const Graph&, const std::set<ValueId>& wanted, const Observation&, Weights&,
             const std::function<void(const Shown&)>& show);

}  // namespace openrknn::corrections
