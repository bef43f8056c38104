#include "compiler/analysis/layer_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

// Elements as real numbers, each type by its short way.
struct Floats {
  const float* values;
  double operator()(size_t i) const { return static_cast<double>(values[i]); }
};
struct Codes {
  const std::byte* codes;
  const std::array<double, 256>& numbers;
  double operator()(size_t i) const { return numbers[static_cast<size_t>(codes[i])]; }
};
struct Doubles {
  std::vector<double> values;
  double operator()(size_t i) const { return values[i]; }
};

class NumberReader {
 public:
  explicit NumberReader(const LayerValues& values)
      : values_(values), is_coded_(values.dtype == DType::Int8 && values.quant != nullptr) {
    if (!is_coded_) return;
    std::array<int8_t, 256> codes;
    for (int code = -128; code < 128; ++code) codes[static_cast<uint8_t>(code)] = static_cast<int8_t>(code);
    LayerValues each = values;
    each.bytes = std::as_bytes(std::span(codes));
    const std::vector<double> numbers = real_numbers(each, 0, 256);
    std::copy(numbers.begin(), numbers.end(), by_code_.begin());
  }

  /// Calls visit with what gives element first + i.
  template <class Visit>
  void visit(int64_t first, int64_t count, const Visit& visit) const {
    if (values_.dtype == DType::Float32)
      return visit(Floats{reinterpret_cast<const float*>(values_.bytes.data()) + first});
    if (is_coded_) return visit(Codes{values_.bytes.data() + first, by_code_});
    visit(Doubles{real_numbers(values_, first, count)});
  }

 private:
  const LayerValues& values_;
  const bool is_coded_;
  std::array<double, 256> by_code_{};
};

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
  const std::pair<double, double> ends = representable(got);
  const double low = ends.first, high = ends.second;
  const NumberReader wanted_numbers(wanted), got_numbers(got);
  constexpr int64_t kChunk = 4096;
  const int64_t count = element_count(wanted.shape);
  for (int64_t first = 0; first < count; first += kChunk) {
    const int64_t length = std::min(kChunk, count - first);
    wanted_numbers.visit(first, length, [&](const auto& a) {
      got_numbers.visit(first, length, [&](const auto& b) {
        const auto size = static_cast<size_t>(length);
        if (!add_finite(a, b, size, low, high)) add_any(a, b, size, low, high);
      });
    });
  }
  elements_ += count;
}

/// False, and nothing is added, where a number is NaN or infinite.
template <class Wanted, class Got>
bool ErrorSums::add_finite(const Wanted& wanted, const Got& got, size_t count, double low, double high) {
  double wanted_squares = wanted_squares_, got_squares = got_squares_, products = products_, errors = error_squares_;
  double largest = 0, least = 0, most = 0;
  for (size_t i = 0; i < count; ++i) {
    const double a = wanted(i), b = got(i), difference = a - b, distance = std::abs(difference);
    wanted_squares += a * a;
    got_squares += b * b;
    products += a * b;
    errors += difference * difference;
    largest = distance > largest ? distance : largest;
    least = a < least ? a : least;
    most = a > most ? a : most;
  }
  // What is not finite shows in these: the largest float squared is far from the largest double.
  if (!std::isfinite(wanted_squares) || !std::isfinite(got_squares)) return false;
  wanted_squares_ = wanted_squares;
  got_squares_ = got_squares;
  products_ = products;
  error_squares_ = errors;
  largest_ = larger(largest_, largest);
  if (least < low || most > high) {
    for (size_t i = 0; i < count; ++i) clipped_ += wanted(i) < low || wanted(i) > high;
  }
  return true;
}

template <class Wanted, class Got>
void ErrorSums::add_any(const Wanted& wanted, const Got& got, size_t count, double low, double high) {
  for (size_t i = 0; i < count; ++i) {
    const double a = wanted(i), b = got(i);
    clipped_ += a < low || a > high;
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
