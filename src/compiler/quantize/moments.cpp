#include "compiler/quantize/moments.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace openrknn {
namespace {

uint32_t bucket_of(double magnitude) {
  const float rounded = static_cast<float>(magnitude);
  return std::bit_cast<uint32_t>(rounded) >> Histogram::kDroppedBits;
}

/// Σ (x − point)² over numbers with these sums.
double spread_around(double point, const OneSided::Sums& from, const OneSided::Sums& to) {
  const double count = to.count - from.count, first = to.first - from.first, second = to.second - from.second;
  return std::max(0.0, second - 2 * point * first + point * point * count);
}

}  // namespace

OneSided::OneSided(const Histogram& histogram, bool negative, double largest) : largest_(std::max(largest, 0.0)) {
  const uint32_t sign = negative ? Histogram::kBlocks / 2 : 0;
  std::vector<const Histogram::Block*> mine;
  for (const Histogram::Block& block : histogram.blocks()) {
    if ((block.index < Histogram::kBlocks / 2) == (sign == 0)) mine.push_back(&block);
  }
  buckets_.resize(1);
  if (mine.empty()) return;
  const uint32_t first = mine.front()->index, last = mine.back()->index;
  first_bucket_ = (first - sign) * Histogram::kBlockSize;
  const auto begin_of = [&](uint32_t bucket) {
    const float value = std::bit_cast<float>(bucket << Histogram::kDroppedBits);
    return std::min(std::isinf(value) ? 0x1p128 : static_cast<double>(value), largest_);
  };
  const auto& top = mine.back()->counts;
  const auto last_filled = static_cast<uint32_t>(
      top.rend() - 1 - std::find_if(top.rbegin(), top.rend(), [](int64_t count) { return count != 0; }));
  buckets_.resize(size_t{last - first + 1} * Histogram::kBlockSize + 1);
  double begin = begin_of(first_bucket_), count = 0, sum = 0, squares = 0;
  Bucket* bucket = buckets_.data();
  size_t at = 0;
  for (uint32_t index = first; index <= last; ++index) {
    const Histogram::Block* block = mine[at]->index == index ? mine[at++] : nullptr;
    for (uint32_t i = 0; i < Histogram::kBlockSize; ++i) {
      const double end = begin_of((index - sign) * Histogram::kBlockSize + i + 1);
      *bucket++ = {.below = {count, sum, squares}, .begin = begin};
      if (block != nullptr && block->counts[i] != 0) {
        const bool extreme = index == last && i == last_filled;
        const double more = static_cast<double>(block->counts[i] - (extreme ? 1 : 0));
        count += more;
        sum += more * (begin + end) / 2;
        squares += more * (begin * begin + begin * end + end * end) / 3;
      }
      begin = end;
    }
  }
  *bucket = {.below = {count, sum, squares}, .begin = begin};
  all_ = buckets_.back().below;
  all_.count += 1;
  all_.first += largest_;
  all_.second += largest_ * largest_;
}

OneSided::Sums OneSided::up_to(double magnitude) const {
  if (magnitude >= largest_) return all_;
  const uint32_t bucket = bucket_of(magnitude);
  if (bucket < first_bucket_) return {};
  const size_t i = bucket - first_bucket_;
  if (i + 1 >= buckets_.size()) return buckets_.back().below;
  const auto& [below, begin] = buckets_[i];
  const auto& [below_next, end] = buckets_[i + 1];
  const double x = std::min(magnitude, end), width = x - begin;
  if (below_next.count == below.count || !(width > 0)) return below;
  const double density = (below_next.count - below.count) / (end - begin);
  Sums sums = below;
  sums.count += density * width;
  sums.first += density * width * (x + begin) / 2;
  sums.second += density * width * (x * x + x * begin + begin * begin) / 3;
  return sums;
}

double OneSided::where(double count) const {
  const auto above = std::upper_bound(buckets_.begin(), buckets_.end(), count,
                                      [](double wanted, const Bucket& bucket) { return wanted < bucket.below.count; });
  if (above == buckets_.begin()) return 0;
  if (above == buckets_.end()) return largest_;
  const Bucket &from = *(above - 1), &to = *above;
  return from.begin + (to.begin - from.begin) * (count - from.below.count) / (to.below.count - from.below.count);
}

double OneSided::quantization_error(double scale, int64_t steps, double enough) const {
  if (empty()) return 0;
  // Beyond so many steps a bucket is wider than a step: what lies in it is off by scale²/12 on average.
  constexpr int64_t kResolved = 512;
  double error = 0;
  Sums from;
  int64_t step = 0;
  for (; step < std::min(steps, kResolved); ++step) {
    const double end = (static_cast<double>(step) + 0.5) * scale;
    const Sums to = up_to(end);
    error += spread_around(static_cast<double>(step) * scale, from, to);
    from = to;
    if (end >= largest_) return error;
    if (error >= enough) return kUnbounded;
  }
  if (step < steps) {
    const Sums to = up_to((static_cast<double>(steps) - 0.5) * scale);
    error += (to.count - from.count) * scale * scale / 12;
    from = to;
  }
  return error + spread_around(static_cast<double>(steps) * scale, from, all());
}

double OneSided::clipping_error(double scale, int64_t steps) const {
  const double end = static_cast<double>(steps) * scale;
  return end >= largest_ ? 0 : spread_around(end, up_to(end), all());
}

Moments::Moments(const Statistics& s)
    : negative(s.histogram, true, -static_cast<double>(s.lowest)),
      positive(s.histogram, false, static_cast<double>(s.highest)),
      zeros(static_cast<double>(s.histogram.zeros())) {}

double Moments::quantization_error(const QuantParams& params, DType codes, double enough) const {
  const double scale = params.scale[0];
  const int64_t below = params.zero_point[0] - lowest_code(codes), above = highest_code(codes) - params.zero_point[0];
  // What is clipped counts from the start. The sums have it in their last terms, rounded in another way: by far less
  // than the part of the squares that is allowed for here.
  const double clipped_below = negative.clipping_error(scale, below),
               clipped_above = positive.clipping_error(scale, above);
  const double most = enough + 1e-12 * (negative.all().second + positive.all().second) - clipped_above;
  const double error = negative.quantization_error(scale, below, most - clipped_below);
  return error >= most ? OneSided::kUnbounded : error + positive.quantization_error(scale, above, most - error);
}

double Moments::clipping_error(const QuantParams& params, DType codes) const {
  return negative.clipping_error(params.scale[0], params.zero_point[0] - lowest_code(codes)) +
         positive.clipping_error(params.scale[0], highest_code(codes) - params.zero_point[0]);
}

}  // namespace openrknn
