// What a tensor held over the samples. Every field is a minimum, a maximum or a sum of integers, so neither the order
// of the samples nor the number of workers can show in it.
#include <array>
#include <cmath>
#include <limits>

#include "compiler/quantize/quantize.h"

#include "core/base/byte_string.h"

namespace openrknn {
namespace {

constexpr uint32_t kVersion = 2, kVersionWithoutHistogram = 1;

struct Extent {
  float lowest = std::numeric_limits<float>::infinity(), highest = -std::numeric_limits<float>::infinity();
  int64_t not_finite = 0;
};

void scan_carefully(std::span<const float> values, Extent& extent) {
  for (const float v : values) {
    if (!std::isfinite(v)) {
      ++extent.not_finite;
    } else {
      extent.lowest = std::min(extent.lowest, v);
      extent.highest = std::max(extent.highest, v);
    }
  }
}

/// Independent lanes, so that compilers use vector registers. v * 0 is NaN exactly where v is not finite.
void scan_block(std::span<const float> values, Extent& extent) {
  constexpr size_t kLanes = 16;
  std::array<float, kLanes> low, high, poison{};
  low.fill(extent.lowest);
  high.fill(extent.highest);
  const size_t whole = values.size() / kLanes * kLanes;
  const float* x = values.data();
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float v = x[i + lane];
      low[lane] = v < low[lane] ? v : low[lane];
      high[lane] = v > high[lane] ? v : high[lane];
      poison[lane] += v * 0.0f;
    }
  }
  float poisoned = 0;
  for (size_t lane = 0; lane < kLanes; ++lane) poisoned += poison[lane];
  if (poisoned != 0) return scan_carefully(values, extent);  // NaN compares unequal
  for (size_t lane = 0; lane < kLanes; ++lane) {
    extent.lowest = std::min(extent.lowest, low[lane]);
    extent.highest = std::max(extent.highest, high[lane]);
  }
  scan_carefully(values.subspan(whole), extent);
}

Extent scan(std::span<const float> values) {
  constexpr size_t kBlock = 4096;
  Extent extent;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    scan_block(values.subspan(begin, std::min(kBlock, values.size() - begin)), extent);
  }
  // Which zero a comparison keeps depends on the order: there is one zero here.
  extent.lowest += 0.0f;
  extent.highest += 0.0f;
  return extent;
}

/// The smallest index that is one at all.
int64_t first_sample(int64_t a, int64_t b) { return a < 0 ? b : b < 0 ? a : std::min(a, b); }

template <class T>
T take(std::string_view& in) {
  const std::optional<T> number = take_number<T>(in);
  if (!number) fail(Code::InvalidArgument, "serialised statistics are truncated", "calibrate again");
  return *number;
}

}  // namespace

void Statistics::observe(int64_t sample, std::span<const float> values, BucketCounter* counter) {
  const Extent extent = scan(values);
  Statistics seen;
  seen.samples = 1;
  seen.elements = static_cast<int64_t>(values.size());
  seen.not_finite = extent.not_finite;
  if (extent.not_finite > 0) seen.not_finite_sample = sample;
  if (seen.has_range()) {
    seen.lowest = extent.lowest;
    seen.highest = extent.highest;
    seen.lowest_sample = seen.highest_sample = sample;
    if (counter) seen.histogram = counter->count(values, std::max(-extent.lowest, extent.highest));
  }
  merge(seen);
}

void Statistics::observe(int64_t sample, const Tensor& values, BucketCounter* counter) {
  observe(sample, (values.dtype() == DType::Float32 ? values : cast(values, DType::Float32)).values<float>(), counter);
}

void Statistics::merge(const Statistics& other) {
  if (other.has_range()) {
    const bool empty = !has_range();
    if (empty || other.lowest < lowest) {
      lowest = other.lowest;
      lowest_sample = other.lowest_sample;
    } else if (other.lowest == lowest) {
      lowest_sample = first_sample(lowest_sample, other.lowest_sample);
    }
    if (empty || other.highest > highest) {
      highest = other.highest;
      highest_sample = other.highest_sample;
    } else if (other.highest == highest) {
      highest_sample = first_sample(highest_sample, other.highest_sample);
    }
  }
  samples += other.samples;
  elements += other.elements;
  not_finite += other.not_finite;
  not_finite_sample = first_sample(not_finite_sample, other.not_finite_sample);
  histogram.merge(other.histogram);
}

void Statistics::shift_samples(int64_t by) {
  for (int64_t* sample : {&lowest_sample, &highest_sample, &not_finite_sample}) {
    if (*sample >= 0) *sample += by;
  }
}

std::string Statistics::bytes() const {
  std::string out;
  append_number(out, kVersion);
  append_number(out, lowest);
  append_number(out, highest);
  for (const int64_t field : {samples, elements, not_finite, lowest_sample, highest_sample, not_finite_sample}) {
    append_number(out, field);
  }
  histogram.append_bytes(out);
  return out;
}

Statistics Statistics::from_bytes(std::string_view in) {
  const uint32_t version = take<uint32_t>(in);
  if (version != kVersion && version != kVersionWithoutHistogram) {
    fail(Code::InvalidArgument, "serialised statistics have an unknown version", "calibrate again with this build");
  }
  Statistics s;
  s.lowest = take<float>(in);
  s.highest = take<float>(in);
  for (int64_t* field :
       {&s.samples, &s.elements, &s.not_finite, &s.lowest_sample, &s.highest_sample, &s.not_finite_sample}) {
    *field = take<int64_t>(in);
  }
  if (version == kVersion) s.histogram = Histogram::take_bytes(in);
  if (!in.empty()) fail(Code::InvalidArgument, "serialised statistics are followed by other bytes", "calibrate again");
  return s;
}

}  // namespace openrknn
