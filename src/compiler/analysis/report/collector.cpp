#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/analysis/report/report.h"

namespace openrknn {
namespace {

constexpr int64_t kCodeBins = 256;
constexpr int64_t kMostCounted = int64_t{1} << 48;  // many such still add up

}  // namespace

ReportCollector::ReportCollector(const Graph& built, const std::vector<LayerRow>& rows)
    : codes_(rows.size()), visits_(rows.size(), 0), is_output_(rows.size(), false) {
  std::set<std::string, std::less<>> outputs;
  for (const ValueId id : built.outputs) outputs.insert(built[id].name);
  for (size_t r = 0; r < rows.size(); ++r) {
    // An output may have several names in the source model; it counts once.
    if (!rows[r].is_blank()) is_output_[r] = outputs.erase(rows[r].layer) > 0;
  }
}

void ReportCollector::visit(size_t row, const LayerValues& golden, const LayerValues& built) {
  const size_t sample = static_cast<size_t>(visits_[row]++);
  if (is_output_[row]) {
    if (samples_.size() <= sample) samples_.resize(sample + 1);
    samples_[sample].add(golden, built);
  }
  if (built.quant == nullptr) return;
  constexpr int64_t kChunk = 16384;
  std::vector<int64_t>& counts = codes_[row];
  counts.resize(kCodeBins);
  const int64_t lowest = -(int64_t{1} << (bit_width(built.dtype) - 1)), step = -2 * lowest / kCodeBins;
  LayerValues raw = built;  // the codes themselves
  raw.quant = nullptr;
  const int64_t size = element_count(built.shape);
  for (int64_t first = 0; first < size; first += kChunk) {
    for (const double code : real_numbers(raw, first, std::min(kChunk, size - first))) {
      ++counts[static_cast<size_t>((static_cast<int64_t>(code) - lowest) / step)];
    }
  }
}

void ReportCollector::write(StateWriter& state) const {
  for (const std::vector<int64_t>& counts : codes_) {
    state.put(static_cast<int64_t>(counts.size()));
    for (const int64_t count : counts) state.put(count);
  }
  for (const int64_t count : visits_) state.put(count);
  state.put(static_cast<int64_t>(samples_.size()));
  for (const ErrorSums& sums : samples_) sums.write(state);
}

void ReportCollector::add(StateReader& state) {
  const auto count = [&state](int64_t most) {
    int64_t number = 0;
    state.get(number);
    if (number >= 0 && number <= most) return number;
    fail(Code::InvalidArgument, fmt::format("serialised analysis: {} is no count of 0 to {}", number, most),
         "start it again");
  };
  for (std::vector<int64_t>& counts : codes_) {
    if (count(kCodeBins) == 0) continue;
    counts.resize(kCodeBins);
    for (int64_t& number : counts) number += count(kMostCounted);
  }
  for (int64_t& visits : visits_) visits += count(kMostCounted);
  for (int64_t left = count(kMostCounted); left > 0; --left) samples_.emplace_back().read(state);
}

}  // namespace openrknn
