// kl_divergence: the range whose codes tell most of how a tensor's numbers are distributed.
//
// Bins are equal: 1024 over the middle 99.9 % of the numbers other than 0, so that no outlier can make them coarse. For
// a range of 256 to 8192 of them:
//   P   the numbers in each bin, with those below the range added to its first bin and those above to the last;
//   Q   without these: what lies in a code's bins, spread evenly over those of them that are not empty in P (an end
//   that
//       holds nothing else counts as half a number: an outlier is not worth an infinity);
//   KL  Σ P·log(P / Q), both divided by their sums.
// A wide range loses what differs within a code, a narrow one what it piles up at its ends.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "compiler/quantize/divergence.h"

namespace openrknn {
namespace {

constexpr double kInfiniteDivergence = std::numeric_limits<double>::infinity();
constexpr int64_t kBinsPerSide = kMostBins;  // of 0
constexpr int64_t kFewestBins = 256;

/// Less than this is what is left of a difference of sums, not a number.
constexpr double kNothing = 1e-6;
constexpr double kHalfANumber = 0.5;

/// Natural logarithm of a positive number that is not subnormal, the same bits everywhere. Without a branch, so that
/// vector units take several at a time.
inline double logarithm(double x) {
  constexpr uint64_t kFraction = 0x000fffffffffffff, kOneHalf = 0x3fe0000000000000, kTwo52 = 0x4330000000000000;
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  const double half = std::bit_cast<double>((bits & kFraction) | kOneHalf);  // x = half · 2^(exponent - 1022)
  const double exponent = std::bit_cast<double>((bits >> 52) | kTwo52) - (0x1p52 + 1022);
  const bool is_small = half < 0.70710678118654752;
  const double mantissa = is_small ? half * 2 : half, power = is_small ? exponent - 1 : exponent;
  const double t = (mantissa - 1) / (mantissa + 1), u = t * t;  // ln m = 2·atanh(t), |t| < 0.172
  double series = 1.0 / 17;
  series = series * u + 1.0 / 15;
  series = series * u + 1.0 / 13;
  series = series * u + 1.0 / 11;
  series = series * u + 1.0 / 9;
  series = series * u + 1.0 / 7;
  series = series * u + 1.0 / 5;
  series = series * u + 1.0 / 3;
  series = series * u + 1.0;
  return power * 0.69314718055994531 + 2 * t * series;
}

constexpr size_t kTogether = 256;
using Numbers = std::array<double, kTogether>;
void take_logarithms(Numbers& numbers) {
  for (double& number : numbers) number = logarithm(number);
}

double self_information(double part) { return part > 0 ? part * logarithm(part) : 0; }

}  // namespace

Divergence::Divergence(const Moments& moments, double bin_width, int64_t levels)
    : levels_(levels),
      total_(moments.negative.all().count + moments.positive.all().count),
      below_(2 * kBinsPerSide + 1),
      filled_(2 * kBinsPerSide + 1),
      information_(2 * kBinsPerSide + 1) {
  std::vector<double> mass(2 * kBinsPerSide);
  // Per side from 0 outwards; beyond the largest number there is nothing.
  const auto fill = [&](const OneSided& side, auto place) {
    double up_to_here = 0;
    for (int64_t i = 0; i < kBinsPerSide && up_to_here < side.all().count; ++i) {
      const double up_to_end = side.up_to(static_cast<double>(i + 1) * bin_width).count;
      mass[static_cast<size_t>(place(i))] = up_to_end - up_to_here;
      up_to_here = up_to_end;
    }
    return side.all().count - up_to_here;
  };
  below_[0] = fill(moments.negative, [](int64_t i) { return kBinsPerSide - 1 - i; });
  fill(moments.positive, [](int64_t i) { return kBinsPerSide + i; });
  for (size_t i = 0; i < mass.size(); ++i) {
    below_[i + 1] = below_[i] + mass[i];
    filled_[i + 1] = filled_[i] + (mass[i] > kNothing ? 1 : 0);
  }
  for (size_t first = 0; first < mass.size(); first += kTogether) {
    Numbers parts, logarithms;
    for (size_t i = 0; i < kTogether; ++i) parts[i] = std::max(mass[first + i] / total_, 0.0);
    for (size_t i = 0; i < kTogether; ++i) logarithms[i] = parts[i] > 0 ? parts[i] : 1;
    take_logarithms(logarithms);
    for (size_t i = 0; i < kTogether; ++i) {
      information_[first + i + 1] = information_[first + i] + parts[i] * logarithms[i];
    }
  }
}

double Divergence::of(int64_t first, int64_t last) const {
  const size_t begin = static_cast<size_t>(first + kBinsPerSide), end = static_cast<size_t>(last + kBinsPerSide);
  const double under = below_[begin], over = total_ - below_[end], inside = below_[end] - below_[begin];
  if (inside <= kNothing) return kInfiniteDivergence;
  const double first_bin = below_[begin + 1] - below_[begin], last_bin = below_[end] - below_[end - 1];

  double divergence = information_[end - 1] - information_[begin + 1] + self_information((first_bin + under) / total_) +
                      self_information((last_bin + over) / total_);
  // The codes' bins end at ceil((level + 1) · bins / levels), counted on without a division.
  const int64_t bins = last - first, whole = bins / levels_, rest = bins % levels_;
  int64_t ends = 0, left = levels_ - 1;
  Numbers parts, logarithms;  // by code that has any numbers
  logarithms.fill(1);
  size_t count = 0, from = begin;
  for (int64_t level = 0; level < levels_; ++level) {
    const bool carries = left + rest >= levels_;
    ends += whole + (carries ? 1 : 0);
    left += rest - (carries ? levels_ : 0);
    const size_t to = begin + static_cast<size_t>(ends);
    const double mass = below_[to] - below_[from];
    double filled = static_cast<double>(filled_[to] - filled_[from]), folded = 0;
    const auto fold = [&](double numbers, double bin) {
      if (numbers <= kNothing) return;
      folded += numbers;
      if (bin <= kNothing) ++filled;
    };
    if (level == 0) fold(under, first_bin);
    if (level == levels_ - 1) fold(over, last_bin);
    from = to;
    if (filled == 0) continue;
    parts[count] = (mass + folded) / total_;
    logarithms[count++] = (mass > kNothing ? mass : kHalfANumber) / (filled * inside);
  }
  take_logarithms(logarithms);
  for (size_t i = 0; i < count; ++i) divergence -= parts[i] * logarithms[i];
  return divergence;
}

namespace {

/// Bins from 0 to a bound of 1, 2^(-1/2), 2^(-1), … 2^(-4) of the whole; the best of them and, in ever finer steps,
/// what lies around it.
class Search {
 public:
  Search(const Divergence& divergence, int64_t below, int64_t above, bool centred)
      : divergence_(divergence), below_(below), above_(above) {
    constexpr int kOctaves = 4;
    constexpr double kStep = 0.70710678118654752;
    double lower = 1;
    for (int i = 0; i <= (centred || below == 0 ? 0 : kOctaves * 2); ++i, lower *= kStep) {
      double upper = 1;
      for (int j = 0; j <= (above == 0 ? 0 : kOctaves * 2); ++j, upper *= kStep) {
        try_out(part(below, centred ? upper : lower), part(above, upper));
      }
    }
    for (const double step :
         {1.189207115002721, 1.0905077326652577, 1.0442737824274138, 1.0218971486541166, 1.0108892860517005}) {
      const auto [first, last] = std::pair(best_below_, best_above_);
      for (const double down : {1.0, step, 1 / step}) {
        for (const double up : {1.0, step, 1 / step}) {
          if (centred && down != up) continue;
          try_out(part(first, down), part(last, up));
        }
      }
    }
  }
  int64_t below() const { return best_below_; }
  int64_t above() const { return best_above_; }

 private:
  static int64_t part(int64_t bins, double share) {
    return static_cast<int64_t>(std::nearbyint(static_cast<double>(bins) * share));
  }
  void try_out(int64_t below, int64_t above) {
    below = std::min(below, below_);
    above = std::min(above, above_);
    if (below + above < kFewestBins) return;
    const double found = divergence_.of(-below, above);
    if (!(found < least_)) return;
    least_ = found;
    best_below_ = below;
    best_above_ = above;
  }

  const Divergence& divergence_;
  const int64_t below_, above_;
  int64_t best_below_ = 0, best_above_ = 0;
  double least_ = kInfiniteDivergence;
};

}  // namespace

double divergence_bin(const Moments& moments, bool centred) {
  constexpr double kTail = 0.0005;
  const double negative = moments.negative.all().count, positive = moments.positive.all().count;
  const double tail = kTail * (negative + positive);
  const auto bound = [&](const OneSided& side, double count) { return count > tail ? side.where(count - tail) : 0; };
  const double below = bound(moments.negative, negative), above = bound(moments.positive, positive);
  return (centred ? 2 * std::max(below, above) : below + above) / 1024;
}

Bounds least_divergence_bounds(const Moments& moments, const Bounds& widest, const RangeSpec& spec) {
  // 65536 codes are finer than the bins: within a code nothing is lost, and the whole range clips nothing.
  if (spec.dtype == DType::Int16 || moments.count() == moments.zeros) return widest;
  const bool centred = is_centred(spec);
  const double bin = divergence_bin(moments, centred);
  const auto bins_to = [&](double bound) {
    return static_cast<int64_t>(std::min(std::ceil(bound / bin), static_cast<double>(kBinsPerSide)));
  };
  int64_t below = bins_to(-widest.lowest), above = bins_to(widest.highest);
  if (centred) below = above = std::max(below, above);
  const Divergence divergence(moments, bin, centred ? 255 : 256);
  const Search best(divergence, below, above, centred);
  return {std::max(widest.lowest, -static_cast<double>(best.below()) * bin),
          std::min(widest.highest, static_cast<double>(best.above()) * bin)};
}

}  // namespace openrknn
