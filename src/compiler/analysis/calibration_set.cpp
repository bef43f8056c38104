#include "compiler/analysis/calibration_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace openrknn {
namespace {

constexpr int64_t kFewSamples = 8;       // below, one sample decides most ranges, and none can be told to be unusual
constexpr double kStretch = 2;           // a sample that widens a range so much …
constexpr double kStretchedShare = 0.2;  // … in so many tensors is an outlier
constexpr double kExceeds = 1.5;         // samples beyond the calibrated range by so much saturate
constexpr double kWastes = 4;            // a range so much wider than what is seen wastes two bits
constexpr double kConcernedShare = 0.25;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

SetFinding finding(SetProblem problem, std::vector<int64_t> samples, std::string sentence, std::string fix,
                   bool is_certain) {
  return {problem, std::move(samples), std::move(sentence), std::move(fix), is_certain, kNan, kNan};
}

/// The first few samples by name: "a.txt:1, a.txt:2 and 5 more".
std::string listed(const std::vector<int64_t>& indices, const Samples& samples) {
  constexpr size_t kShown = 4;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, indices.size()); ++i) {
    text += (i == 0 ? "" : ", ") + samples.describe(indices[i]);
  }
  if (indices.size() > kShown) text += fmt::format(" and {} more", indices.size() - kShown);
  return text;
}

void find_duplicates(const SampleRecord& record, const Samples& samples, std::vector<SetFinding>& found) {
  std::map<uint64_t, std::vector<int64_t>> by_hash;
  for (size_t i = 0; i < record.facts.size(); ++i) by_hash[record.facts[i].hash].push_back(static_cast<int64_t>(i));
  std::vector<std::vector<int64_t>> groups;
  for (auto& [hash, members] : by_hash) {
    if (members.size() > 1) groups.push_back(std::move(members));
  }
  std::sort(groups.begin(), groups.end());  // by their first sample, not by hash
  for (const std::vector<int64_t>& group : groups) {
    found.push_back(finding(SetProblem::Duplicate, group,
                            fmt::format("{} samples are equal: {}", group.size(), listed(group, samples)),
                            "keep one of them: the others tell nothing new", true));
  }
}

void find_constant(const SampleRecord& record, const Samples& samples, std::vector<SetFinding>& found) {
  std::vector<int64_t> constant;
  for (size_t i = 0; i < record.facts.size(); ++i) {
    if (record.facts[i].is_constant) constant.push_back(static_cast<int64_t>(i));
  }
  if (constant.empty()) return;
  found.push_back(finding(SetProblem::Constant, constant,
                          fmt::format("{} of {} samples hold one number or one colour everywhere: {}", constant.size(),
                                      record.facts.size(), listed(constant, samples)),
                          "replace them by what the model will really see", true));
}

/// Of one value over all samples: the two most extreme samples of each side.
struct Ends {
  std::array<double, 2> lowest = {kInfinity, kInfinity}, highest = {-kInfinity, -kInfinity};
  size_t lowest_sample = 0, highest_sample = 0;

  void add(size_t sample, const SampleExtent& extent) {
    if (extent.lowest < lowest[0]) {
      lowest = {extent.lowest, lowest[0]};
      lowest_sample = sample;
    } else {
      lowest[1] = std::min<double>(lowest[1], extent.lowest);
    }
    if (extent.highest > highest[0]) {
      highest = {extent.highest, highest[0]};
      highest_sample = sample;
    } else {
      highest[1] = std::max<double>(highest[1], extent.highest);
    }
  }
  /// Ranges contain 0, as those of a build.
  double width() const { return std::max(highest[0], 0.0) - std::min(lowest[0], 0.0); }
  double width_without(size_t sample) const {
    return std::max(highest[sample == highest_sample ? 1 : 0], 0.0) -
           std::min(lowest[sample == lowest_sample ? 1 : 0], 0.0);
  }

  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
};

/// Leave-one-out: how many ranges shrink, and by how much, without the sample?
void find_outliers(const SampleRecord& record, const Samples& samples, std::vector<SetFinding>& found) {
  const size_t count = record.extents.size();
  if (static_cast<int64_t>(count) < kFewSamples) return;
  std::vector<Ends> ends(record.values.size());
  for (size_t s = 0; s < count; ++s) {
    for (size_t v = 0; v < ends.size(); ++v) ends[v].add(s, record.extents[s][v]);
  }
  const int64_t ranged = std::count_if(ends.begin(), ends.end(), [](const Ends& e) { return e.width() > 0; });
  for (size_t s = 0; s < count; ++s) {
    int64_t stretched = 0;
    double most = 1;
    std::string where;
    for (size_t v = 0; v < ends.size(); ++v) {
      if (s != ends[v].lowest_sample && s != ends[v].highest_sample) continue;
      const double width = ends[v].width(), without = ends[v].width_without(s);
      if (width < kStretch * without || width == 0) continue;
      ++stretched;
      const double factor = width / without;  // infinite where no other sample has a number
      if (factor <= most) continue;
      most = factor;
      where = record.values[v];
    }
    if (stretched < std::max(2.0, kStretchedShare * static_cast<double>(ranged))) continue;
    found.push_back(finding(
        SetProblem::Outlier, {static_cast<int64_t>(s)},
        fmt::format("{} alone widens the ranges of {} of {} tensors to {}x or more, {} to {:.3g}x",
                    samples.describe(static_cast<int64_t>(s)), stretched, ranged, kStretch, where, most),
        "look at the sample; leave it out if the model will not see such, or choose algorithm percentile or auto",
        false));
  }
}

/// Where numbers of −3 to 3 come to lie. Pixels of 0..255 go far beyond, unless all pictures are black.
std::pair<double, double> normalized_twice(const Port& port) {
  constexpr double kLargest = 3;
  double low = Ends::kInfinity, high = -Ends::kInfinity;
  for (size_t c = 0; c < std::max(port.mean.size(), port.std.size()); ++c) {
    const double mean = port.mean.empty() ? 0 : static_cast<double>(port.mean[c]);
    const double std = port.std.empty() ? 1 : static_cast<double>(port.std[c]);
    low = std::min(low, (-kLargest - mean) / std);
    high = std::max(high, (kLargest - mean) / std);
  }
  return {low, high};
}

/// mean and std are made for 0..255, and what comes has been normalised before.
void find_normalized(const SampleRecord& record, std::span<const Port> inputs, std::vector<SetFinding>& found) {
  constexpr float kOfPixels = 16;
  for (const Port& port : inputs) {
    const auto at = std::find(record.values.begin(), record.values.end(), port.name);
    const auto is_large = [&](const std::vector<float>& list) {
      return std::any_of(list.begin(), list.end(), [&](float v) { return std::abs(v) >= kOfPixels; });
    };
    if (at == record.values.end() || (!is_large(port.mean) && !is_large(port.std))) continue;
    const size_t value = static_cast<size_t>(at - record.values.begin());
    const auto [low, high] = normalized_twice(port);
    const auto fits = [&, low = low, high = high](const std::vector<SampleExtent>& sample) {
      return sample[value].lowest >= low && sample[value].highest <= high;
    };
    if (!std::all_of(record.extents.begin(), record.extents.end(), fits)) {
      continue;
    }
    found.push_back(finding(SetProblem::AlreadyNormalized, {},
                            fmt::format("input '{}' is never given a number beyond -3 to 3, and mean and std made for "
                                        "0..255 are applied to it: it was normalised before",
                                        port.name),
                            "give raw pixels 0..255, or leave mean_values and std_values out", true));
  }
}

double width_of(const Statistics& s) {
  return s.has_range() ? std::max<double>(s.highest, 0) - std::min<double>(s.lowest, 0) : 0;
}
/// How far `seen` goes beyond `calibrated` on its worse side.
double excess_of(const Statistics& calibrated, const Statistics& seen) {
  const double low = std::min<double>(calibrated.lowest, 0), high = std::max<double>(calibrated.highest, 0);
  const double beyond =
      std::max({low - std::min<double>(seen.lowest, 0), std::max<double>(seen.highest, 0) - high, 0.0});
  return 1 + beyond / (high - low);
}

}  // namespace

std::string_view name(SetProblem problem) {
  constexpr std::string_view kNames[] = {"duplicate samples",  "constant samples",  "outlier sample", "few samples",
                                         "already normalised", "ranges too narrow", "ranges too wide"};
  return kNames[static_cast<size_t>(problem)];
}

std::string to_string(const SetFinding& finding) {
  return fmt::format("calibration set: {}: {}; {}", name(finding.problem), finding.sentence, finding.fix);
}

std::vector<SetFinding> check_calibration_set(const SampleRecord& record, std::span<const Port> inputs,
                                              const Samples& samples) {
  std::vector<SetFinding> found;
  find_normalized(record, inputs, found);
  find_constant(record, samples, found);
  find_duplicates(record, samples, found);
  find_outliers(record, samples, found);
  if (const int64_t count = static_cast<int64_t>(record.facts.size()); count < kFewSamples) {
    found.push_back(finding(SetProblem::TooFew, {},
                            fmt::format("{} sample{} to choose ranges from", count, count == 1 ? "" : "s"),
                            "20 to 100 that differ in what the model will see are usual", false));
  }
  return found;
}

std::vector<SetFinding> compare_ranges(const Calibration& calibrated, const Calibration& seen) {
  struct Side {
    int64_t count = 0;
    double most = 1;
    std::string where;
    void note(double factor, const std::string& value) {
      ++count;
      if (factor > most) {
        most = factor;
        where = value;
      }
    }
  } narrow, wide;
  int64_t all = 0;
  for (const auto& [value, statistics] : calibrated) {
    const auto other = seen.find(value);
    const double width = width_of(statistics);
    if (other == seen.end() || width == 0) continue;
    const double used = width_of(other->second);
    ++all;
    if (const double excess = excess_of(statistics, other->second); excess >= kExceeds) narrow.note(excess, value);
    if (used > 0 && width / used >= kWastes) wide.note(width / used, value);
  }
  std::vector<SetFinding> found;
  const double concerned = std::max(2.0, kConcernedShare * static_cast<double>(all));
  if (static_cast<double>(narrow.count) >= concerned) {
    found.push_back(finding(
        SetProblem::TooNarrow, {},
        fmt::format(
            "the samples analyzed exceed the calibrated ranges of {} of {} tensors by {}x or more, {} by {:.3g}x",
            narrow.count, all, kExceeds, narrow.where, narrow.most),
        "calibrate with samples like those the model is judged by", false));
  }
  if (static_cast<double>(wide.count) >= concerned) {
    found.push_back(finding(
        SetProblem::TooWide, {},
        fmt::format(
            "the calibrated ranges of {} of {} tensors are {}x as wide as the samples analyzed need, or more: {} "
            "{:.3g}x",
            wide.count, all, kWastes, wide.where, wide.most),
        "calibrate with samples like those the model is judged by", false));
  }
  return found;
}

}  // namespace openrknn
