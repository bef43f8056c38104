// Numbers of Python: computed while the code is read.
#include <fmt/format.h>

#include <cmath>

#include "compiler/importers/torchscript/python.h"

namespace openrknn::torchscript {
namespace {

using Arguments = const std::vector<Value>&;

bool is_float(const Value& value) { return value.is<double>(); }

double real(Interpreter& run, const Value& value) {
  if (const auto* number = value.as<double>()) return *number;
  return static_cast<double>(integer_of(run, value));
}

const Value& at(Interpreter& run, Arguments arguments, size_t i) {
  if (i >= arguments.size()) run.refuse(fmt::format("a function of {} numbers is called with {}", i + 1, i));
  return arguments[i];
}

[[noreturn]] void refuse_overflow(Interpreter& run) { run.refuse("an integer grows beyond 64 bits"); }

int64_t raise_integer(Interpreter& run, int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) refuse_overflow(run);
    if (result == 0 || (base == 1 && i > 0)) break;
    if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  }
  return result;
}

// Python's division rounds down, and a remainder has the divisor's sign.
int64_t floor_divide_integers(Interpreter& run, int64_t a, int64_t b) {
  if (b == 0) run.refuse("an integer is divided by zero");
  if (b == -1) {
    int64_t negative = 0;
    if (__builtin_sub_overflow(int64_t{0}, a, &negative)) refuse_overflow(run);
    return negative;
  }
  return a / b - ((a % b != 0 && (a % b < 0) != (b < 0)) ? 1 : 0);
}

Value add_values(Interpreter& run, Arguments x) {
  const Value &a = at(run, x, 0), &b = at(run, x, 1);
  if (a.is<std::string>() && b.is<std::string>()) return *a.as<std::string>() + *b.as<std::string>();
  if (const auto* first = a.sequence(), *second = b.sequence(); first != nullptr && second != nullptr) {
    std::vector<Value> items = (*first)->items;
    items.insert(items.end(), (*second)->items.begin(), (*second)->items.end());
    run.spend(static_cast<int64_t>(items.size()));
    if (a.is<Tuple>()) return make_tuple(std::move(items));
    return make_list(std::move(items));
  }
  if (is_float(a) || is_float(b)) return real(run, a) + real(run, b);
  int64_t sum = 0;
  if (__builtin_add_overflow(integer_of(run, a), integer_of(run, b), &sum)) refuse_overflow(run);
  return sum;
}

Value subtract_values(Interpreter& run, Arguments x) {
  const Value &a = at(run, x, 0), &b = at(run, x, 1);
  if (is_float(a) || is_float(b)) return real(run, a) - real(run, b);
  int64_t difference = 0;
  if (__builtin_sub_overflow(integer_of(run, a), integer_of(run, b), &difference)) refuse_overflow(run);
  return difference;
}

Value multiply_values(Interpreter& run, Arguments x) {
  const Value &a = at(run, x, 0), &b = at(run, x, 1);
  if (const auto* sequence = a.sequence()) {
    std::vector<Value> items;
    for (int64_t i = integer_of(run, b); i > 0; --i) {
      run.spend(static_cast<int64_t>((*sequence)->items.size()) + 1);
      items.insert(items.end(), (*sequence)->items.begin(), (*sequence)->items.end());
    }
    return make_list(std::move(items));
  }
  if (is_float(a) || is_float(b)) return real(run, a) * real(run, b);
  int64_t product = 0;
  if (__builtin_mul_overflow(integer_of(run, a), integer_of(run, b), &product)) refuse_overflow(run);
  return product;
}

Value divide_values(Interpreter& run, Arguments x) {
  const double divisor = real(run, at(run, x, 1));
  if (divisor == 0) run.refuse("a number is divided by zero");
  const double quotient = real(run, x[0]) / divisor;
  if (x.size() < 3 || x[2].is<None>()) return quotient;
  return equal(x[2], std::string("floor")) ? std::floor(quotient) : std::trunc(quotient);
}

Value floor_divide_values(Interpreter& run, Arguments x) {
  const Value &a = at(run, x, 0), &b = at(run, x, 1);
  if (!is_float(a) && !is_float(b)) return floor_divide_integers(run, integer_of(run, a), integer_of(run, b));
  return std::floor(real(run, a) / real(run, b));
}

Value remainder_of_values(Interpreter& run, Arguments x) {
  const Value &a = at(run, x, 0), &b = at(run, x, 1);
  if (!is_float(a) && !is_float(b)) {
    const int64_t dividend = integer_of(run, a), divisor = integer_of(run, b);
    if (divisor == -1) return int64_t{0};
    return dividend - floor_divide_integers(run, dividend, divisor) * divisor;
  }
  const double divisor = real(run, b);
  return real(run, a) - std::floor(real(run, a) / divisor) * divisor;
}

Value raise_value(Interpreter& run, Arguments x) {
  const Value &a = at(run, x, 0), &b = at(run, x, 1);
  if (!is_float(a) && !is_float(b) && integer_of(run, b) >= 0)
    return raise_integer(run, integer_of(run, a), integer_of(run, b));
  return std::pow(real(run, a), real(run, b));
}

Value negate(Interpreter& run, Arguments x) {
  if (is_float(at(run, x, 0))) return -real(run, x[0]);
  return subtract_values(run, {int64_t{0}, x[0]});
}

Value magnitude(Interpreter& run, Arguments x) {
  if (is_float(at(run, x, 0))) return std::fabs(real(run, x[0]));
  return integer_of(run, x[0]) < 0 ? negate(run, x) : x[0];
}

/// Of two numbers, or of the numbers of one list.
Value extreme_of_values(Interpreter& run, Arguments x, bool greatest) {
  const auto* list = at(run, x, 0).sequence();
  const std::vector<Value>& all = list != nullptr && x.size() == 1 ? (*list)->items : x;
  if (all.empty()) run.refuse("the least of no numbers");
  Value best = all.front();
  for (const Value& each : all) {
    const bool is_better = is_float(each) || is_float(best)
                               ? (greatest ? real(run, each) > real(run, best) : real(run, each) < real(run, best))
                               : (greatest ? integer_of(run, each) > integer_of(run, best)
                                           : integer_of(run, each) < integer_of(run, best));
    if (is_better) best = each;
  }
  return best;
}

Value sum(Interpreter& run, Arguments x) {
  const auto* list = at(run, x, 0).sequence();
  if (list == nullptr) run.refuse("the sum of no list");
  Value total = int64_t{0};
  for (const Value& item : (*list)->items) total = add_values(run, {total, item});
  return total;
}

/// -1, 0, 1; 2 where one is no number.
int compare_values(Interpreter& run, Arguments x) {
  const Value &a = at(run, x, 0), &b = at(run, x, 1);
  if (!is_float(a) && !is_float(b)) {
    const int64_t left = integer_of(run, a), right = integer_of(run, b);
    return left < right ? -1 : left > right ? 1 : 0;
  }
  const double left = real(run, a), right = real(run, b);
  return left < right ? -1 : left > right ? 1 : left == right ? 0 : 2;
}

template <double (*Function)(double)>
Value apply_function(Interpreter& run, Arguments x) {
  return Function(real(run, at(run, x, 0)));
}

/// floor(x), ceil(x) and round(x) are integers.
template <double (*Function)(double)>
Value round_number(Interpreter& run, Arguments x) {
  if (!is_float(at(run, x, 0))) return x[0];
  const double number = Function(real(run, x[0]));
  if (!(std::fabs(number) < 9e18)) refuse_overflow(run);
  return static_cast<int64_t>(number);
}

double nearest_of(double x) { return std::nearbyint(x); }
double floor_of(double x) { return std::floor(x); }
double ceil_of(double x) { return std::ceil(x); }
double sqrt_of(double x) { return std::sqrt(x); }
double exp_of(double x) { return std::exp(x); }
double log_of(double x) { return std::log(x); }

Value range_length(Interpreter& run, Arguments x) {
  const int64_t low = integer_of(run, at(run, x, 0)), high = integer_of(run, at(run, x, 1)),
                step = integer_of(run, at(run, x, 2));
  if (step == 0) run.refuse("a range with a step of 0");
  int64_t span = 0;
  if (__builtin_sub_overflow(high, low, &span)) refuse_overflow(run);
  if (step > 0 ? span <= 0 : span >= 0) return int64_t{0};
  const int64_t whole = floor_divide_integers(run, span, step);
  return whole + (step != -1 && span % step != 0 ? 1 : 0);
}

Value derive_index(Interpreter& run, Arguments x) {
  return add_values(run, {at(run, x, 1), multiply_values(run, {x[0], at(run, x, 2)})});
}

Value truth_of(Interpreter& run, Arguments x) { return truth(run, at(run, x, 0)); }
Value integer_value(Interpreter& run, Arguments x) {
  const Value& value = at(run, x, 0);
  if (const auto* number = value.as<double>(); number != nullptr && std::fabs(*number) < 9e18)
    return static_cast<int64_t>(*number);
  return integer_of(run, value);
}

constexpr PythonRow kPythonNumberRows[] = {
    {"aten::Bool", truth_of, When::Always},
    {"aten::Float", [](Interpreter& run, Arguments x) -> Value { return number_of(run, at(run, x, 0)); }, When::Always},
    {"aten::FloatImplicit", [](Interpreter& run, Arguments x) -> Value { return number_of(run, at(run, x, 0)); },
     When::Always},
    {"aten::Int", integer_value, When::Always},
    {"aten::IntImplicit", integer_value, When::Always},
    {"aten::__and__",
     [](Interpreter& run, Arguments x) -> Value { return truth(run, at(run, x, 0)) && truth(run, at(run, x, 1)); }},
    {"aten::__derive_index", derive_index},
    {"aten::__not__", [](Interpreter& run, Arguments x) -> Value { return !truth(run, at(run, x, 0)); }},
    {"aten::__or__",
     [](Interpreter& run, Arguments x) -> Value { return truth(run, at(run, x, 0)) || truth(run, at(run, x, 1)); }},
    {"aten::__range_length", range_length},
    {"aten::__xor__",
     [](Interpreter& run, Arguments x) -> Value { return truth(run, at(run, x, 0)) != truth(run, at(run, x, 1)); }},
    {"aten::abs", magnitude},
    {"aten::add", add_values},
    {"aten::bool", truth_of, When::Always},
    {"aten::ceil", round_number<ceil_of>},
    {"aten::div", divide_values},
    {"aten::eq", [](Interpreter& run, Arguments x) -> Value { return equal(at(run, x, 0), at(run, x, 1)); }},
    {"aten::exp", apply_function<exp_of>},
    {"aten::float", [](Interpreter& run, Arguments x) -> Value { return number_of(run, at(run, x, 0)); }, When::Always},
    {"aten::floor", round_number<floor_of>},
    {"aten::floor_divide", floor_divide_values},
    {"aten::floordiv", floor_divide_values},
    {"aten::ge",
     [](Interpreter& run, Arguments x) -> Value {
       const int c = compare_values(run, x);
       return c == 0 || c == 1;
     }},
    {"aten::gt", [](Interpreter& run, Arguments x) -> Value { return compare_values(run, x) == 1; }},
    {"aten::int", integer_value, When::Always},
    {"aten::le", [](Interpreter& run, Arguments x) -> Value { return compare_values(run, x) <= 0; }},
    {"aten::log", apply_function<log_of>},
    {"aten::lt", [](Interpreter& run, Arguments x) -> Value { return compare_values(run, x) == -1; }},
    {"aten::mul", multiply_values},
    {"aten::ne", [](Interpreter& run, Arguments x) -> Value { return !equal(at(run, x, 0), at(run, x, 1)); }},
    {"aten::neg", negate},
    {"aten::pow", raise_value},
    {"aten::remainder", remainder_of_values},
    {"aten::round", round_number<nearest_of>},
    {"aten::sqrt", apply_function<sqrt_of>},
    {"aten::sub", subtract_values},
    {"aten::sum", sum},
    {"aten::truediv", divide_values},
    {"prim::max", [](Interpreter& run, Arguments x) { return extreme_of_values(run, x, true); }},
    {"prim::min", [](Interpreter& run, Arguments x) { return extreme_of_values(run, x, false); }},
};

}  // namespace

std::span<const PythonRow> python_numbers() { return kPythonNumberRows; }

}  // namespace openrknn::torchscript
