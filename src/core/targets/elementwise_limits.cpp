// Operators that work element by element: what may be broadcast, which constants there may be.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/targets/operator_limits.h"

namespace openrknn {
namespace {

constexpr std::string_view kBroadcastForms =
    "equal shapes, or one operand [b,c,1,w], [b,1,1,w], [b,c,h,1], [b,1,h,1], [b,c,1,1] or one number";
constexpr std::string_view kExpandCure = "put an Expand in front, or swap the dimensions by a Transpose";

/// Dimensions in which `shape` is repeated to fill `out`, as bits (1 << dimension).
unsigned repeated(const Shape& shape, const Shape& out) {
  unsigned bits = 0;
  for (size_t i = 0; i < 4; ++i) bits |= shape[i] != out[i] ? 1u << i : 0u;
  return bits;
}
constexpr unsigned kBatch = 1, kChannel = 2, kHeight = 4, kWidth = 8;

bool has_four(const Shape& shape) { return shape.size() == 4; }

/// Repeats inputs with the bits of `allowed` only; a number may go anywhere.
void check_repeats(LimitQuery& query, std::initializer_list<unsigned> allowed, std::string_view expected) {
  const Shape out = four_dimensions(query.output().shape);
  if (!has_four(out)) return;  // said of the rank already
  for (size_t i = 0; i < query.node.inputs.size(); ++i) {
    if (!query.has_input(i)) continue;
    const Shape shape = four_dimensions(query.input(i).shape);
    if (!has_four(shape) || element_count(shape) == 1) continue;
    const unsigned bits = repeated(shape, out);
    if (std::ranges::find(allowed, bits) == allowed.end()) {
      query.exceed("broadcasting", fmt::format("{} to {}", to_string(shape), to_string(out)), std::string(expected),
                   std::string(kExpandCure));
    }
  }
}

/// The number of a constant input of one element.
std::optional<double> number(const LimitQuery& query, size_t input) {
  const Value& value = query.input(input);
  if (!value.constant || value.constant->size() != 1 || value.constant->dtype() != DType::Float32) return std::nullopt;
  return value.constant->values<float>()[0];
}

}  // namespace

Shape four_dimensions(const Shape& shape) {
  Shape result = shape;
  for (size_t i = 0; result.size() > 4 && i < result.size();) {
    if (result[i] == 1) {
      result.erase(result.begin() + static_cast<ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  while (result.size() < 4) result.insert(result.begin(), 1);
  return result;
}

void check_broadcast(LimitQuery& query) {
  check_repeats(
      query, {0, kHeight, kChannel | kHeight, kWidth, kChannel | kWidth, kHeight | kWidth, kChannel | kHeight | kWidth},
      kBroadcastForms);
}

void check_sub(LimitQuery& query) {
  check_repeats(query, {0, kHeight | kWidth}, "equal shapes, or one operand [b,c,1,1] or one number");
}

void check_expand(LimitQuery& query) {
  const Shape in = four_dimensions(query.input(0).shape), out = four_dimensions(query.output().shape);
  if (!has_four(in) || !has_four(out)) return;
  check_broadcast(query);
  const unsigned bits = repeated(in, out);
  if ((bits & kHeight) != 0) query.require_range("height", out[2], 1, kLargestExtent);
  if ((bits & kWidth) != 0) query.require_range("width", out[3], 1, kLargestExtent);
}

void check_pow(LimitQuery& query) {
  const std::optional<double> exponent = number(query, 1);
  constexpr double kExponents[] = {0, 1, 2, 3, 0.5, -0.5};
  if (!exponent || std::ranges::find(kExponents, *exponent) == std::end(kExponents)) {
    query.exceed("exponent", exponent ? fmt::format("{}", *exponent) : "a tensor", "the number 0, 1, 2, 3, 0.5 or -0.5",
                 "write the power as products");
  }
}

void check_elu(LimitQuery& query) {
  const double alpha = float_attribute(query.node.attributes, "alpha", 1);
  if (alpha != 1) query.exceed("alpha", fmt::format("{}", alpha), "1", "train with alpha 1");
}

void check_hard_sigmoid(LimitQuery& query) {
  const double alpha = float_attribute(query.node.attributes, "alpha", 0.2);
  const double beta = float_attribute(query.node.attributes, "beta", 0.5);
  if (std::abs(alpha - 1.0 / 6) > 1e-6) {
    query.exceed("alpha", fmt::format("{}", alpha), "1/6", "write it as Mul, Add and Clip");
  }
  if (beta != 0.5) query.exceed("beta", fmt::format("{}", beta), "0.5", "write it as Mul, Add and Clip");
}

void check_prelu(LimitQuery& query) {
  const Shape& slope = query.input(1).shape;
  const Shape& x = query.input(0).shape;
  const int64_t count = element_count(slope);
  if (count != 1 && (x.size() < 2 || count != x[1])) {
    query.exceed("slope", fmt::format("{} numbers", count), "one number, or one a channel",
                 "train with a slope for each channel");
  }
}

void check_rewritten(LimitQuery& query) {
  // The form is in the row's condition: what is checked is the operator it becomes, which has no limits of its own
  // for inputs of one shape.
  query.form = "as another operator";
}

}  // namespace openrknn
