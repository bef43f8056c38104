// Tensors that are made of nothing but numbers of the code: constants.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/torchscript/operators.h"
#include "compiler/importers/torchscript/pickle.h"

namespace openrknn::torchscript {
namespace {

constexpr int64_t kMostConstantNumbers = int64_t{1} << 24;
constexpr std::string_view kRandom =
    "random numbers are of training: the model is not in eval mode, or has to be given them";

DType asked_type(const Call& call, size_t i, DType otherwise) {
  return call.has(i) ? dtype_of_number(call.integer(i)) : otherwise;
}

Value filled(const Call& call, const Shape& given, double number, DType type) {
  const Shape shape = call.checked(given);
  if (element_count(shape) > kMostConstantNumbers)
    call.refuse(fmt::format("{} constant numbers", element_count(shape)));
  const std::vector<double> numbers(static_cast<size_t>(element_count(shape)), number);
  return box(call.constant("content", openrknn::cast(Tensor::from<double>(shape, numbers), type)));
}

/// size dtype
template <int Number>
Value of_size(const Call& call) {
  return filled(call, call.ints(0), Number, asked_type(call, 1, DType::Float32));
}
DType natural_type(const Value& number) {
  if (number.is<bool>()) return DType::Bool;
  return number.is<int64_t>() ? DType::Int64 : DType::Float32;
}
/// size fill_value dtype
Value full(const Call& call) {
  return filled(call, call.ints(0), call.number(1), asked_type(call, 2, natural_type(call.at(1))));
}
/// self dtype
template <int Number>
Value like(const Call& call) {
  const ValueId x = call.tensor(0);
  return filled(call, call.shape(x), Number, asked_type(call, 1, call.dtype(x)));
}
Value full_like(const Call& call) {
  const ValueId x = call.tensor(0);
  return filled(call, call.shape(x), call.number(1), asked_type(call, 2, call.dtype(x)));
}
/// self size dtype
template <int Number>
Value new_of_size(const Call& call) {
  return filled(call, call.ints(1), Number, asked_type(call, 2, call.dtype(call.tensor(0))));
}
Value new_full(const Call& call) {
  return filled(call, call.ints(1), call.number(2), asked_type(call, 3, call.dtype(call.tensor(0))));
}

/// arange(end), arange(start, end), arange(start, end, step)
Value arange(const Call& call) {
  std::vector<Value> given;
  for (size_t i = 0; i < 3; ++i)
    if (call.has(i)) given.push_back(call.at(i));
  if (given.empty()) call.refuse("without an end");
  const bool is_whole = std::ranges::none_of(given, [&](const Value& value) {
    const auto* tensor = value.as<TensorRef>();
    return value.is<double>() || (tensor != nullptr && is_floating(call.dtype(call.run.id(*tensor))));
  });
  const double start = given.size() > 1 ? call.number(given[0], 0) : 0,
               end = call.number(given[given.size() > 1 ? 1 : 0], 1),
               step = given.size() > 2 ? call.number(given[2], 2) : 1;
  const double count = std::ceil((end - start) / step);
  if (!(std::fabs(count) < static_cast<double>(kMostConstantNumbers)))
    call.refuse(fmt::format("from {} to {} by {}", start, end, step));
  std::vector<double> numbers;
  for (int64_t i = 0; i < static_cast<int64_t>(count); ++i) numbers.push_back(start + static_cast<double>(i) * step);
  const Tensor content = Tensor::from<double>({static_cast<int64_t>(numbers.size())}, numbers);
  return box(
      call.constant("content", openrknn::cast(content, asked_type(call, 3, is_whole ? DType::Int64 : DType::Float32))));
}

/// From both ends towards the middle, as torch counts.
Value linspace(const Call& call) {
  const double start = call.number(0), end = call.number(1);
  const int64_t count = call.extents(2).at(0);
  if (count > kMostConstantNumbers) call.refuse(fmt::format("{} constant numbers", count));
  const auto step = static_cast<float>((end - start) / static_cast<double>(std::max<int64_t>(count - 1, 1)));
  std::vector<float> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.push_back(i < count / 2 || count == 1 ? static_cast<float>(start) + step * static_cast<float>(i)
                                                  : static_cast<float>(end) - step * static_cast<float>(count - 1 - i));
  return box(call.constant("content",
                           openrknn::cast(Tensor::from<float>({count}, numbers), asked_type(call, 3, DType::Float32))));
}

/// n m dtype
Value eye(const Call& call) {
  const int64_t rows = call.integer(0), columns = call.integer(1, rows);
  call.checked({rows, columns});
  if (rows * columns > kMostConstantNumbers) call.refuse(fmt::format("{} constant numbers", rows * columns));
  std::vector<double> numbers(static_cast<size_t>(rows * columns), 0);
  for (int64_t i = 0; i < std::min(rows, columns); ++i) numbers[static_cast<size_t>(i * columns + i)] = 1;
  return box(call.constant(
      "content", openrknn::cast(Tensor::from<double>({rows, columns}, numbers), asked_type(call, 2, DType::Float32))));
}

/// Nested lists of numbers.
void collect_numbers(const Call& call, const Value& value, size_t depth, Shape& shape, std::vector<double>& numbers,
                     DType& type) {
  if (const auto* sequence = value.sequence()) {
    if (depth > 8) call.refuse("lists too deep in each other");
    const auto count = static_cast<int64_t>((*sequence)->items.size());
    if (shape.size() == depth) shape.push_back(count);
    if (shape.at(depth) != count) call.refuse("lists of different lengths in each other");
    for (const Value& item : (*sequence)->items) collect_numbers(call, item, depth + 1, shape, numbers, type);
    return;
  }
  if (shape.size() != depth) call.refuse("lists beside numbers");
  if (value.is<double>()) type = DType::Float32;
  if (value.is<int64_t>() && type == DType::Bool) type = DType::Int64;
  numbers.push_back(call.number(value, 0));
}
/// data dtype
Value tensor(const Call& call) {
  if (call.is_tensor(0)) {
    const ValueId x = call.tensor(0);
    return box(call.cast(x, asked_type(call, 1, call.dtype(x))));
  }
  Shape shape;
  std::vector<double> numbers;
  DType type = DType::Bool;
  collect_numbers(call, call.at(0), 0, shape, numbers, type);
  if (numbers.empty()) type = DType::Float32;
  return box(call.constant("content", openrknn::cast(Tensor::from<double>(shape, numbers), asked_type(call, 1, type))));
}

/// Vectors spread over a grid; "xy" swaps the first two dimensions.
Value meshgrid(const Call& call) {
  std::vector<ValueId> axes = call.tensors(0);
  const bool is_swapped = call.text(1, "ij") == "xy" && axes.size() > 1;
  if (is_swapped) std::swap(axes[0], axes[1]);
  Shape grid;
  for (const ValueId axis : axes) grid.push_back(element_count(call.shape(axis)));
  call.checked(grid);
  std::vector<ValueId> spread;
  for (size_t d = 0; d < axes.size(); ++d) {
    Shape column(axes.size(), 1);
    column[d] = grid[d];
    spread.push_back(call.expand(call.reshape(axes[d], column), grid));
  }
  if (is_swapped) std::swap(spread[0], spread[1]);
  return list_of(spread);
}

/// self diagonal
template <int Upper>
Value triangle(const Call& call) {
  return box(call.add("Trilu", {call.tensor(0)}, {{"upper", int64_t{Upper}}, {"k", call.integer(1, 0)}}));
}

constexpr OperatorRow kSourceRows[] = {
    {"aten::arange", "start end step dtype", arange},
    {"aten::as_tensor", "data dtype", tensor},
    {.op = "aten::bernoulli", .parameters = "", .refused = kRandom},
    {"aten::empty", "size dtype", of_size<0>},
    {"aten::empty_like", "self dtype", like<0>},
    {"aten::eye", "n m dtype", eye},
    {"aten::full", "size fill_value dtype", full},
    {"aten::full_like", "self fill_value dtype", full_like},
    {"aten::linspace", "start end steps dtype", linspace},
    {"aten::meshgrid", "tensors indexing", meshgrid},
    {"aten::new_empty", "self size dtype", new_of_size<0>},
    {"aten::new_full", "self size fill_value dtype", new_full},
    {"aten::new_ones", "self size dtype", new_of_size<1>},
    {"aten::new_zeros", "self size dtype", new_of_size<0>},
    {"aten::ones", "size dtype", of_size<1>},
    {"aten::ones_like", "self dtype", like<1>},
    {.op = "aten::rand", .parameters = "", .refused = kRandom},
    {.op = "aten::rand_like", .parameters = "", .refused = kRandom},
    {.op = "aten::randint", .parameters = "", .refused = kRandom},
    {.op = "aten::randn", .parameters = "", .refused = kRandom},
    {.op = "aten::randn_like", .parameters = "", .refused = kRandom},
    {"aten::scalar_tensor", "s dtype", tensor},
    {"aten::tensor", "data dtype", tensor},
    {"aten::tril", "self diagonal", triangle<0>},
    {"aten::triu", "self diagonal", triangle<1>},
    {"aten::zeros", "size dtype", of_size<0>},
    {"aten::zeros_like", "self dtype", like<0>},
};

}  // namespace

std::span<const OperatorRow> rows_of_sources() { return kSourceRows; }

}  // namespace openrknn::torchscript
