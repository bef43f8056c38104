#include "compiler/analysis/compare_streams.h"

#include <cmath>

namespace openrknn {

StreamComparison compare_streams(LayerStream& reference, std::span<const Candidate> candidates,
                                 std::span<const LayerPair> pairs, const Samples& samples, const Progress& progress,
                                 const LayerVisitor& visit) {
  const int64_t count = samples.count();
  if (count == 0) fail(Code::DatasetEmpty, "there are no samples to analyze", "give at least one sample");
  StreamComparison result;
  result.sums.assign(candidates.size(), std::vector<ErrorSums>(pairs.size()));
  result.worst_sample.assign(pairs.size(), 0);
  result.candidate_not_finite.resize(candidates.size());
  std::vector<double> least_cosine(pairs.size(), std::numeric_limits<double>::infinity());
  const int64_t total = count * static_cast<int64_t>(pairs.size());

  int64_t done = 0;
  for (int64_t sample = 0; sample < count; ++sample) {
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
        ErrorSums sums;
        sums.add(wanted, seen.back());
        const auto note = [&](std::optional<FirstNotFinite>& first, int64_t elements) {
          if (!first && elements > 0) first = FirstNotFinite{p, sample, elements, sums.elements()};
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
  }
  return result;
}

}  // namespace openrknn
