// Walks several streams of layers through the samples in step, one layer at a time: nothing is kept but sums.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/analysis/layer_error.h"
#include "compiler/dataset/samples.h"
#include "core/base/log.h"
#include "core/base/thread_pool.h"

namespace openrknn {

/// A layer and what it should be.
struct LayerPair {
  std::string layer;      ///< its name in the candidates
  std::string reference;  ///< its name in the reference
};

struct Candidate {
  LayerStream& stream;
  /// The reference's numbers replace each layer once it has been compared: every layer is judged by itself ("single").
  /// Otherwise errors add up from layer to layer ("entire").
  bool is_fed = false;
};

/// Where NaN or infinity showed first, in the order of computation.
struct FirstNotFinite {
  size_t pair = 0;
  int64_t sample = 0, elements = 0, of = 0;
};

struct StreamComparison {
  std::vector<std::vector<ErrorSums>> sums;  ///< [candidate][pair], over all samples
  std::vector<int64_t> worst_sample;         ///< [pair]: least cosine of the first candidate
  std::optional<FirstNotFinite> reference_not_finite;
  /// [candidate]: where the reference is finite.
  std::vector<std::optional<FirstNotFinite>> candidate_not_finite;
};

/// What one sample adds to a comparison: [candidate][pair].
using SampleSums = std::vector<std::vector<ErrorSums>>;

/// All that a comparison knows between two samples: whoever computed their sums, equal samples in equal order give
/// equal results.
class ComparisonTotals {
 public:
  ComparisonTotals(size_t candidates, size_t pairs);
  /// Samples come in their order, the first is number 0.
  void add(const SampleSums&);
  int64_t samples() const { return samples_; }
  const StreamComparison& result() const { return result_; }
  void write(StateWriter&) const;
  /// What was written after so many samples.
  void read(StateReader&, int64_t samples);

 private:
  StreamComparison result_;
  std::vector<double> least_cosine_;
  int64_t samples_ = 0;
};

/// Looks at a layer of one sample before the streams go on: the reference's values and the candidates'.
using LayerVisitor =
    std::function<void(size_t pair, const LayerValues& reference, std::span<const LayerValues> candidates)>;

/// One sample. `computed` is called after each pair.
SampleSums compare_sample(LayerStream& reference, std::span<const Candidate>, std::span<const LayerPair>,
                          std::vector<Tensor> inputs, ThreadPool&, const LayerVisitor& visit = {},
                          const std::function<void()>& computed = {});

/// `pairs` in the order of computation, of which all streams keep the one they have in common. The streams see the same
/// inputs. Candidates are compared in parallel. Progress is told as "analyze". With a resumption, samples that are in
/// it are not run again: equal results, whether it was interrupted or not.
StreamComparison compare_streams(LayerStream& reference, std::span<const Candidate>, std::span<const LayerPair>,
                                 const Samples&, ThreadPool&, const Progress& = {}, const LayerVisitor& = {},
                                 const Resumption* = nullptr);

}  // namespace openrknn
