#include "compiler/analysis/layer_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace openrknn {
namespace {

/// Real numbers beyond these are not represented: they saturate, or become infinite.
std::pair<double, double> representable(const LayerValues& values) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (values.dtype == DType::Float16) {
    const double last = std::nextafter(65520.0, 0.0);  // 65520 is the first that rounds to infinity
    return {-last, last};
  }
  if (values.quant == nullptr) return {-kInfinity, kInfinity};
  const double codes = std::exp2(bit_width(values.dtype));
  const double lowest = is_signed(values.dtype) ? -codes / 2 : 0;
  const double scale = values.quant->scale.at(0), zero_point = values.quant->zero_point.at(0);
  return {(lowest - 0.5 - zero_point) * scale, (lowest + codes - 0.5 - zero_point) * scale};
}

/// NaN once is NaN for good.
double larger(double a, double b) { return std::isnan(a) || b <= a ? a : b; }

LayerValues view_of(const LayerValues& values, const Tensor& logical) {
  return {.dtype = values.dtype,
          .quant = values.quant,
          .shape = values.shape,
          .form = {Layout::Logical, logical.rank()},
          .bytes = logical.bytes()};
}

}  // namespace

void ErrorSums::add(const LayerValues& wanted, const LayerValues& got) {
  if (wanted.shape != got.shape) {
    fail(Code::InvalidShape,
         fmt::format("layers of shape {} and {} cannot be compared", to_string(wanted.shape), to_string(got.shape)));
  }
  if (!same_order(wanted, got)) {
    const Tensor a = logical_tensor(wanted), b = logical_tensor(got);
    return add(view_of(wanted, a), view_of(got, b));
  }
  constexpr int64_t kChunk = 4096;
  const auto [low, high] = representable(got);
  const int64_t count = element_count(wanted.shape);
  for (int64_t first = 0; first < count; first += kChunk) {
    const int64_t length = std::min(kChunk, count - first);
    const std::vector<double> a = real_numbers(wanted, first, length), b = real_numbers(got, first, length);
    clipped_ += std::count_if(a.begin(), a.end(), [low = low, high = high](double v) { return v < low || v > high; });
    add_numbers(a, b);
  }
  elements_ += count;
}

void ErrorSums::add_numbers(const std::vector<double>& wanted, const std::vector<double>& got) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double a = wanted[i], b = got[i];
    if (!std::isfinite(a) || !std::isfinite(b)) {
      wanted_not_finite_ += !std::isfinite(a);
      got_not_finite_ += !std::isfinite(b);
      if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    }
    const double difference = a - b;
    wanted_squares_ += a * a;
    got_squares_ += b * b;
    products_ += a * b;
    error_squares_ += difference * difference;
    largest_ = larger(largest_, std::abs(difference));
  }
}

void ErrorSums::add(const ErrorSums& other) {
  elements_ += other.elements_;
  wanted_not_finite_ += other.wanted_not_finite_;
  got_not_finite_ += other.got_not_finite_;
  clipped_ += other.clipped_;
  wanted_squares_ += other.wanted_squares_;
  got_squares_ += other.got_squares_;
  products_ += other.products_;
  error_squares_ += other.error_squares_;
  largest_ = larger(largest_, other.largest_);
}

LayerError ErrorSums::error() const {
  LayerError error;
  const bool any_zero = wanted_squares_ == 0 || got_squares_ == 0;
  if (error_squares_ != 0) {
    error.cosine = any_zero ? 0 : products_ / std::sqrt(wanted_squares_) / std::sqrt(got_squares_);
    error.sqnr_db = 10 * std::log10(wanted_squares_ / error_squares_);
  }
  error.euclidean = std::sqrt(error_squares_);
  error.max_absolute = largest_;
  return error;
}

void ErrorSums::write(StateWriter& state) const {
  for (const int64_t count : {elements_, wanted_not_finite_, got_not_finite_, clipped_}) state.put(count);
  for (const double sum : {wanted_squares_, got_squares_, products_, error_squares_, largest_}) state.put(sum);
}

void ErrorSums::read(StateReader& state) {
  constexpr int64_t kMost = int64_t{1} << 48;  // of all samples; many such still add up
  for (int64_t* count : {&elements_, &wanted_not_finite_, &got_not_finite_, &clipped_}) {
    state.get(*count);
    if (*count >= 0 && *count <= kMost) continue;
    fail(Code::InvalidArgument, fmt::format("serialised analysis: {} is no count of elements", *count),
         "start it again");
  }
  for (double* sum : {&wanted_squares_, &got_squares_, &products_, &error_squares_, &largest_}) state.get(*sum);
}

double ErrorSums::clipped() const {
  return elements_ == 0 ? 0 : static_cast<double>(clipped_) / static_cast<double>(elements_);
}

}  // namespace openrknn
