#include "compiler/analysis/compare_streams.h"

#include <cmath>

namespace openrknn {
namespace {

/// Fewer elements are compared before another thread is awake.
constexpr int64_t kWorthWaking = 20000;

}  // namespace

ComparisonTotals::ComparisonTotals(size_t candidates, size_t pairs)
    : least_cosine_(pairs, std::numeric_limits<double>::infinity()) {
  result_.sums.assign(candidates, std::vector<ErrorSums>(pairs));
  result_.worst_sample.assign(pairs, 0);
  result_.candidate_not_finite.resize(candidates);
}

void ComparisonTotals::add(const SampleSums& sample) {
  for (size_t p = 0; p < least_cosine_.size(); ++p) {
    for (size_t c = 0; c < sample.size(); ++c) {
      const ErrorSums& sums = sample[c][p];
      const auto note = [&](std::optional<FirstNotFinite>& place, int64_t elements) {
        if (!place && elements > 0) place = FirstNotFinite{p, samples_, elements, sums.elements()};
      };
      note(result_.reference_not_finite, sums.wanted_not_finite());
      if (sums.wanted_not_finite() == 0) note(result_.candidate_not_finite[c], sums.got_not_finite());
      const double cosine = sums.error().cosine, least = least_cosine_[p];
      if (c == 0 && !std::isnan(least) && !(cosine >= least)) {  // NaN is the worst there is
        least_cosine_[p] = cosine;
        result_.worst_sample[p] = samples_;
      }
      result_.sums[c][p].add(sums);
    }
  }
  ++samples_;
}

void ComparisonTotals::write(StateWriter& state) const {
  for (const auto& candidate : result_.sums) {
    for (const ErrorSums& sums : candidate) sums.write(state);
  }
  for (const int64_t sample : result_.worst_sample) state.put(sample);
  for (const double cosine : least_cosine_) state.put(cosine);
  const auto put = [&](const std::optional<FirstNotFinite>& first) {
    state.put(int64_t{first ? 1 : 0});
    if (!first) return;
    for (const int64_t field : {static_cast<int64_t>(first->pair), first->sample, first->elements, first->of}) {
      state.put(field);
    }
  };
  put(result_.reference_not_finite);
  for (const auto& first : result_.candidate_not_finite) put(first);
}

void ComparisonTotals::read(StateReader& state, int64_t samples) {
  samples_ = samples;
  for (auto& candidate : result_.sums) {
    for (ErrorSums& sums : candidate) sums.read(state);
  }
  for (int64_t& sample : result_.worst_sample) state.get(sample);
  for (double& cosine : least_cosine_) state.get(cosine);
  const auto get = [&](std::optional<FirstNotFinite>& first) {
    int64_t is_there = 0, pair = 0;
    state.get(is_there);
    if (is_there == 0) return;
    first.emplace();
    state.get(pair);
    first->pair = static_cast<size_t>(pair);
    for (int64_t* field : {&first->sample, &first->elements, &first->of}) state.get(*field);
  };
  get(result_.reference_not_finite);
  for (auto& first : result_.candidate_not_finite) get(first);
}

SampleSums compare_sample(LayerStream& reference, std::span<const Candidate> candidates,
                          std::span<const LayerPair> pairs, std::vector<Tensor> inputs, ThreadPool& pool,
                          const LayerVisitor& visit, const std::function<void()>& computed) {
  SampleSums sums(candidates.size(), std::vector<ErrorSums>(pairs.size()));
  reference.start(inputs);
  for (const Candidate& candidate : candidates) candidate.stream.start(inputs);
  inputs = {};  // the streams have their own
  for (size_t p = 0; p < pairs.size(); ++p) {
    reference.advance(pairs[p].reference);
    const LayerValues wanted = reference.values(pairs[p].reference);
    std::vector<LayerValues> seen;
    for (size_t c = 0; c < candidates.size(); ++c) {
      candidates[c].stream.advance(pairs[p].layer);
      seen.push_back(candidates[c].stream.values(pairs[p].layer));
    }
    const auto add = [&](int64_t c, int) { sums[static_cast<size_t>(c)][p].add(wanted, seen[static_cast<size_t>(c)]); };
    if (element_count(wanted.shape) >= kWorthWaking) {
      pool.parallel_for(static_cast<int64_t>(candidates.size()), add);
    } else {
      for (size_t c = 0; c < candidates.size(); ++c) add(static_cast<int64_t>(c), 0);
    }
    if (visit) visit(p, wanted, seen);
    for (const Candidate& candidate : candidates) {
      if (candidate.is_fed) candidate.stream.replace(pairs[p].layer, wanted);
    }
    if (computed) computed();
  }
  return sums;
}

StreamComparison compare_streams(LayerStream& reference, std::span<const Candidate> candidates,
                                 std::span<const LayerPair> pairs, const Samples& samples, ThreadPool& pool,
                                 const Progress& progress, const LayerVisitor& visit, const Resumption* resumption) {
  const int64_t count = samples.count();
  if (count == 0) fail(Code::DatasetEmpty, "there are no samples to analyze", "give at least one sample");
  ComparisonTotals totals(candidates.size(), pairs.size());
  if (resumption != nullptr) {
    const auto [bytes, known] = resumption->checkpoint.restore(samples);
    if (known > 0) {
      StateReader state(bytes);
      totals.read(state, known);
      resumption->read(state);
    }
  }
  const int64_t total = count * static_cast<int64_t>(pairs.size());
  int64_t done = totals.samples() * static_cast<int64_t>(pairs.size());
  const auto tell = [&] {
    if (progress) progress("analyze", ++done, total);
  };
  for (int64_t sample = totals.samples(); sample < count; ++sample) {
    totals.add(compare_sample(reference, candidates, pairs, samples.get(sample), pool, visit, tell));
    if (resumption == nullptr) continue;
    StateWriter state;
    totals.write(state);
    resumption->write(state);
    resumption->checkpoint.save(samples.get(sample), state.bytes);
  }
  return totals.result();
}

}  // namespace openrknn
