#include "compiler/analysis/compare_streams.h"

#include <cmath>

namespace openrknn {
namespace {

/// Fewer elements are compared before another thread is awake.
constexpr int64_t kWorthWaking = 20000;

/// All that a comparison knows between two samples.
struct Sums {
  StreamComparison result;
  std::vector<double> least_cosine;

  void write(StateWriter& state) const {
    for (const auto& candidate : result.sums) {
      for (const ErrorSums& sums : candidate) sums.write(state);
    }
    for (const int64_t sample : result.worst_sample) state.put(sample);
    for (const double cosine : least_cosine) state.put(cosine);
    const auto put = [&](const std::optional<FirstNotFinite>& first) {
      state.put(int64_t{first ? 1 : 0});
      if (!first) return;
      for (const int64_t field : {static_cast<int64_t>(first->pair), first->sample, first->elements, first->of}) {
        state.put(field);
      }
    };
    put(result.reference_not_finite);
    for (const auto& first : result.candidate_not_finite) put(first);
  }

  void read(StateReader& state) {
    for (auto& candidate : result.sums) {
      for (ErrorSums& sums : candidate) sums.read(state);
    }
    for (int64_t& sample : result.worst_sample) state.get(sample);
    for (double& cosine : least_cosine) state.get(cosine);
    const auto get = [&](std::optional<FirstNotFinite>& first) {
      int64_t is_there = 0, pair = 0;
      state.get(is_there);
      if (is_there == 0) return;
      first.emplace();
      state.get(pair);
      first->pair = static_cast<size_t>(pair);
      for (int64_t* field : {&first->sample, &first->elements, &first->of}) state.get(*field);
    };
    get(result.reference_not_finite);
    for (auto& first : result.candidate_not_finite) get(first);
  }
};

}  // namespace

StreamComparison compare_streams(LayerStream& reference, std::span<const Candidate> candidates,
                                 std::span<const LayerPair> pairs, const Samples& samples, ThreadPool& pool,
                                 const Progress& progress, const LayerVisitor& visit, const Resumption* resumption) {
  const int64_t count = samples.count();
  if (count == 0) fail(Code::DatasetEmpty, "there are no samples to analyze", "give at least one sample");
  Sums all;
  StreamComparison& result = all.result;
  result.sums.assign(candidates.size(), std::vector<ErrorSums>(pairs.size()));
  result.worst_sample.assign(pairs.size(), 0);
  result.candidate_not_finite.resize(candidates.size());
  std::vector<double>& least_cosine = all.least_cosine;
  least_cosine.assign(pairs.size(), std::numeric_limits<double>::infinity());
  const int64_t total = count * static_cast<int64_t>(pairs.size());

  int64_t first = 0;
  if (resumption != nullptr) {
    const auto [bytes, known] = resumption->checkpoint.restore(samples);
    if (known > 0) {
      StateReader state(bytes);
      all.read(state);
      resumption->read(state);
    }
    first = known;
  }
  int64_t done = first * static_cast<int64_t>(pairs.size());
  for (int64_t sample = first; sample < count; ++sample) {
    {
      const std::vector<Tensor> inputs = samples.get(sample);
      reference.start(inputs);
      for (const Candidate& candidate : candidates) candidate.stream.start(inputs);
    }
    for (size_t p = 0; p < pairs.size(); ++p) {
      reference.advance(pairs[p].reference);
      const LayerValues wanted = reference.values(pairs[p].reference);
      std::vector<LayerValues> seen;
      for (size_t c = 0; c < candidates.size(); ++c) {
        candidates[c].stream.advance(pairs[p].layer);
        seen.push_back(candidates[c].stream.values(pairs[p].layer));
      }
      std::vector<ErrorSums> errors(candidates.size());
      const auto add = [&](int64_t c, int) {
        errors[static_cast<size_t>(c)].add(wanted, seen[static_cast<size_t>(c)]);
      };
      if (element_count(wanted.shape) >= kWorthWaking) {
        pool.parallel_for(static_cast<int64_t>(candidates.size()), add);
      } else {
        for (size_t c = 0; c < candidates.size(); ++c) add(static_cast<int64_t>(c), 0);
      }
      for (size_t c = 0; c < candidates.size(); ++c) {
        const ErrorSums& sums = errors[c];
        const auto note = [&](std::optional<FirstNotFinite>& place, int64_t elements) {
          if (!place && elements > 0) place = FirstNotFinite{p, sample, elements, sums.elements()};
        };
        note(result.reference_not_finite, sums.wanted_not_finite());
        if (sums.wanted_not_finite() == 0) note(result.candidate_not_finite[c], sums.got_not_finite());
        const double cosine = sums.error().cosine, least = least_cosine[p];
        if (c == 0 && !std::isnan(least) && !(cosine >= least)) {  // NaN is the worst there is
          least_cosine[p] = cosine;
          result.worst_sample[p] = sample;
        }
        result.sums[c][p].add(sums);
      }
      if (visit) visit(p, wanted, seen);
      for (const Candidate& candidate : candidates) {
        if (candidate.is_fed) candidate.stream.replace(pairs[p].layer, wanted);
      }
      if (progress) progress("analyze", ++done, total);
    }
    if (resumption == nullptr) continue;
    StateWriter state;
    all.write(state);
    resumption->write(state);
    resumption->checkpoint.save(samples.get(sample), state.bytes);
  }
  return std::move(all.result);
}

}  // namespace openrknn
