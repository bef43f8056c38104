// The arguments of a call, and the few nodes that most operators need.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

constexpr int64_t kMostExtent = int64_t{1} << 32;
constexpr int64_t kMostElements = int64_t{1} << 34;

}  // namespace

const Value& Call::at(size_t i) const {
  static const Value kNone;
  return i < arguments.size() ? arguments[i] : kNone;
}

ValueId Call::tensor(const Value& value, size_t i) const {
  if (const auto* tensor = value.as<TensorRef>()) {
    const ValueId id = run.id(*tensor);
    if (id == ValueId::None) refuse(fmt::format("argument {} is unknown", i));
    return id;
  }
  if (const auto* flag = value.as<bool>()) return scalar(*flag ? 1 : 0, DType::Bool);
  if (const auto* integer = value.as<int64_t>()) return constant("number", Tensor::scalar<int64_t>(*integer));
  if (const auto* real = value.as<double>()) return scalar(*real);
  refuse(fmt::format("argument {} is {}, expected a tensor", i, kind_of(value)));
}

std::vector<ValueId> Call::tensors(size_t i) const {
  const auto* sequence = at(i).sequence();
  if (sequence == nullptr) refuse(fmt::format("argument {} is {}, expected a list of tensors", i, kind_of(at(i))));
  std::vector<ValueId> ids;
  for (const Value& item : (*sequence)->items) ids.push_back(tensor(item, i));
  if (ids.empty()) refuse(fmt::format("argument {} is a list without tensors", i));
  return ids;
}

int64_t Call::integer(const Value& value, size_t i) const {
  if (const auto* integer = value.as<int64_t>()) return *integer;
  if (const auto* flag = value.as<bool>()) return *flag ? 1 : 0;
  if (const auto* real = value.as<double>(); real != nullptr && std::fabs(*real) < 9e15 && std::trunc(*real) == *real)
    return static_cast<int64_t>(*real);
  if (const auto* box_of = value.as<TensorRef>()) {
    const std::optional<Tensor> content = run.content(*box_of);
    if (content && content->size() == 1) return whole_number(to_doubles(*content)[0]);
  }
  refuse(fmt::format("argument {} is {}, expected an integer", i, kind_of(value)));
}

double Call::number(const Value& value, size_t i) const {
  if (const auto* real = value.as<double>()) return *real;
  if (const auto* box_of = value.as<TensorRef>()) {
    const std::optional<Tensor> content = run.content(*box_of);
    if (content && content->size() == 1) return to_doubles(*content)[0];
    refuse(fmt::format("argument {} is a tensor that is not known before the model runs, expected a number", i));
  }
  if (value.is<std::string>() || value.is<List>())
    refuse(fmt::format("argument {} is {}, expected a number", i, kind_of(value)));
  return static_cast<double>(integer(value, i));
}

std::string Call::text(size_t i, std::string_view otherwise) const {
  if (!has(i)) return std::string(otherwise);
  if (const auto* text = at(i).as<std::string>()) return *text;
  refuse(fmt::format("argument {} is {}, expected a string", i, kind_of(at(i))));
}

Ints Call::ints(size_t i, const Ints& otherwise) const {
  if (!has(i)) return otherwise;
  const auto* sequence = at(i).sequence();
  if (sequence == nullptr) return {integer(i)};
  Ints numbers;
  for (const Value& item : (*sequence)->items) numbers.push_back(integer(item, i));
  return numbers;
}

std::vector<double> Call::numbers(size_t i) const {
  if (!has(i)) return {};
  const auto* sequence = at(i).sequence();
  if (sequence == nullptr) return {number(i)};
  std::vector<double> all;
  for (const Value& item : (*sequence)->items) all.push_back(number(item, i));
  return all;
}

Ints Call::spread(size_t i, size_t count, int64_t otherwise) const {
  Ints numbers = ints(i);
  if (numbers.empty()) numbers.assign(count, otherwise);
  if (numbers.size() == 1) numbers.assign(count, numbers.front());
  if (numbers.size() != count) refuse(fmt::format("argument {} has {} numbers, expected {}", i, numbers.size(), count));
  return numbers;
}

Tensor Call::known(size_t i) const {
  if (const auto* tensor_at = at(i).as<TensorRef>()) {
    if (std::optional<Tensor> content = run.content(*tensor_at)) return *content;
    fail(Code::ImportNotConstant, Location{}, fmt::format("{}: argument {} is computed by the model", op, i),
         "it has to be a constant");
  }
  return Tensor::scalar<float>(static_cast<float>(number(i)));
}

Shape Call::checked(Shape dims) const {
  int64_t count = 1;
  for (const int64_t dim : dims) {
    if (dim < 0 || dim > kMostExtent || __builtin_mul_overflow(count, std::max<int64_t>(dim, 1), &count) ||
        count > kMostElements)
      refuse(fmt::format("the shape {} is none of a tensor", to_string(dims)));
  }
  if (dims.size() > 16) refuse(fmt::format("a tensor of {} dimensions", dims.size()));
  return dims;
}

void Call::require_rank(ValueId x, int64_t least, int64_t most) const {
  if (rank(x) >= least && rank(x) <= most) return;
  refuse(fmt::format("got a tensor of {}, expected {} dimensions", to_string(shape(x)),
                     least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most)));
}

int64_t Call::axis(int64_t given, int64_t rank) const {
  const int64_t dims = std::max<int64_t>(rank, 1), counted = given < 0 ? given + dims : given;
  if (counted < 0 || counted >= dims) refuse(fmt::format("axis {} of a tensor of {} dimensions", given, rank));
  return counted;
}

Ints Call::axes_of(size_t i, ValueId x) const {
  Ints axes = ints(i);
  for (int64_t& each : axes) each = axis(each, rank(x));
  std::ranges::sort(axes);
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  if (axes.empty())
    for (int64_t d = 0; d < rank(x); ++d) axes.push_back(d);
  return axes;
}

ValueId Call::reshape(ValueId x, Shape to) const {
  return shape(x) == to ? x : add("Reshape", {x}, {{"shape", std::move(to)}});
}

ValueId Call::transpose(ValueId x, Ints order) const {
  return std::ranges::is_sorted(order) ? x : add("Transpose", {x}, {{"perm", std::move(order)}});
}

ValueId Call::cast(ValueId x, DType to) const {
  return dtype(x) == to ? x : add("Cast", {x}, {{"to", static_cast<int64_t>(to)}});
}

ValueId Call::slice(ValueId x, int64_t axis, int64_t start, int64_t end, int64_t step) const {
  if (step < 1) refuse(fmt::format("a step of {}", step));
  const int64_t whole = extent(x, axis);
  const auto place = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + whole : at, 0, whole); };
  const int64_t from = place(start), to = std::max(place(end), from);
  if (from == 0 && to == whole && step == 1) return x;
  Ints starts(shape(x).size(), 0), ends = shape(x), steps(starts.size(), 1);
  const auto at = static_cast<size_t>(axis);
  starts[at] = from;
  ends[at] = to;
  steps[at] = step;
  return add("Slice", {x}, {{"starts", std::move(starts)}, {"ends", std::move(ends)}, {"steps", std::move(steps)}});
}

ValueId Call::expand(ValueId x, const Shape& to) const {
  checked(to);
  if (shape(x) == to) return x;
  Shape padded(to.size() > shape(x).size() ? to.size() - shape(x).size() : 0, 1);
  padded.insert(padded.end(), shape(x).begin(), shape(x).end());
  for (size_t d = 0; d < padded.size(); ++d)
    if (padded.size() != to.size() || (padded[d] != to[d] && padded[d] != 1))
      refuse(fmt::format("{} does not expand to {}", to_string(shape(x)), to_string(to)));
  const ValueId all = reshape(x, padded);
  return padded == to ? all : add("Expand", {all}, {{"shape", to}});
}

ValueId Call::concat(std::vector<ValueId> parts, int64_t axis) const {
  return parts.size() == 1 ? parts.front() : add("Concat", std::move(parts), {{"axis", axis}});
}

ValueId Call::with_batch(ValueId x) const {
  Shape one = shape(x);
  one.insert(one.begin(), 1);
  return builder().add_beside("Reshape", {x}, {{"shape", std::move(one)}});
}

ValueId Call::without_batch(ValueId x) const { return reshape(x, Shape(shape(x).begin() + 1, shape(x).end())); }

ValueId Call::as_bool(ValueId x) const {
  if (dtype(x) == DType::Bool) return x;
  return add("Not", {add("Equal", {x, scalar(0, dtype(x))})});
}

ValueId Call::truncated(ValueId x) const {
  const ValueId sign = add("Sign", {x});
  return add("Mul", {sign, add("Floor", {add("Abs", {x})})});
}

Ints inverse(const Ints& order) {
  Ints back(order.size());
  for (size_t d = 0; d < order.size(); ++d) back[static_cast<size_t>(order[d])] = static_cast<int64_t>(d);
  return back;
}

/// What the code makes takes steps as what it does: memory has the same bound.
ValueId Call::constant(std::string_view part, Tensor content) const {
  run.spend(content.size() / 64);
  return builder().constant(part, std::move(content));
}

ValueId Call::scalar(double value, DType type) const {
  return constant("number", openrknn::cast(Tensor::scalar<double>(value), type));
}

ValueId Call::list_constant(std::string_view part, const Ints& numbers) const {
  return constant(part, Tensor::from<int64_t>({static_cast<int64_t>(numbers.size())}, numbers));
}

void Call::refuse(std::string problem, std::string fix) const {
  fail(Code::ImportBadFile, Location{}, fmt::format("{}: {}", op, problem), std::move(fix));
}

}  // namespace openrknn::torchscript
