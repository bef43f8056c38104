// Values that are known while importing: Constant, Shape, Size, Range, …
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

void constant(Translation& t) {
  if (const AttributeProto* value = t.attribute("value", AttributeKind::Tensor))
    return t.produce_constant(t.tensor(*value));
  if (t.has_attribute("value_float")) {
    return t.produce_constant(Tensor::scalar(static_cast<float>(t.real("value_float", 0))));
  }
  if (t.has_attribute("value_int")) return t.produce_constant(Tensor::scalar(t.integer("value_int", 0)));
  if (const AttributeProto* floats = t.attribute("value_floats", AttributeKind::Floats)) {
    return t.produce_constant(Tensor::from<float>({static_cast<int64_t>(floats->floats.size())}, floats->floats));
  }
  if (const AttributeProto* ints = t.attribute("value_ints", AttributeKind::Ints)) {
    return t.produce_constant(Tensor::from<int64_t>({static_cast<int64_t>(ints->ints.size())}, ints->ints));
  }
  if (t.has_attribute("sparse_value")) t.fail(Code::ImportUnsupportedType, "sparse tensors are not supported");
  if (t.has_attribute("value_string") || t.has_attribute("value_strings")) {
    t.fail(Code::ImportUnsupportedType, "strings are not supported");
  }
  t.fail(Code::ImportBadFile, "the constant has no value", "export the model again");
}

void constant_of_shape(Translation& t) {
  if (t.constant(0) == nullptr) {
    Attributes attributes;
    if (const AttributeProto* value = t.attribute("value", AttributeKind::Tensor))
      attributes["value"] = t.tensor(*value);
    return t.produce("ConstantOfShape", {t.input(0)}, std::move(attributes));
  }
  const Shape shape = t.known_ints(0, "the shape");
  if (std::any_of(shape.begin(), shape.end(), [](int64_t extent) { return extent < 0; })) {
    t.fail(Code::ImportShapeMismatch, fmt::format("shape {} has a negative extent", to_string(shape)));
  }
  Tensor element = Tensor::scalar(0.0f);
  if (const AttributeProto* value = t.attribute("value", AttributeKind::Tensor)) element = t.tensor(*value);
  if (element.size() != 1)
    t.fail(Code::ImportShapeMismatch, fmt::format("value has {} elements, expected 1", element.size()));
  t.produce_filled(element, shape);
}

void shape(Translation& t) {
  const Shape x = t.open_shape(0);
  const auto rank = static_cast<int64_t>(x.size());
  const auto bound = [&](std::string_view name, int64_t fallback) {
    const int64_t value = t.integer(name, fallback);
    return std::clamp<int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  const int64_t start = bound("start", 0), end = std::max(start, bound("end", rank));
  const Shape part(x.begin() + start, x.begin() + end);
  if (!is_static(part)) return t.produce("Shape", {t.input(0)}, {{"start", start}, {"end", end}});
  t.produce_constant(Tensor::from<int64_t>({end - start}, part));
}

void size(Translation& t) {
  if (!is_static(t.open_shape(0))) return t.produce("Size", {t.input(0)});
  t.produce_constant(Tensor::scalar(element_count(t.shape(0))));
}

/// Integers from start to limit (left out), in int64: doubles cannot tell large ones apart. -1: too many.
int64_t steps_between(int64_t start, int64_t limit, int64_t delta, int64_t most) {
  if (delta == 0) return -1;
  if (delta > 0 ? limit <= start : limit >= start) return 0;
  const uint64_t distance =
      static_cast<uint64_t>(delta > 0 ? limit : start) - static_cast<uint64_t>(delta > 0 ? start : limit);
  const uint64_t step = delta > 0 ? static_cast<uint64_t>(delta) : uint64_t{0} - static_cast<uint64_t>(delta);
  const uint64_t count = (distance - 1) / step + 1;
  return count <= static_cast<uint64_t>(most) ? static_cast<int64_t>(count) : -1;
}

/// max(0, ceil((limit − start) / delta)) elements.
void range(Translation& t) {
  if (t.constant(0) == nullptr || t.constant(1) == nullptr || t.constant(2) == nullptr) {
    return t.produce("Range", {t.input(0), t.input(1), t.input(2)});
  }
  constexpr double kMost = 1 << 24;
  for (size_t i = 0; i < 3; ++i) {
    if (t.known(i, i == 0 ? "start" : i == 1 ? "limit" : "delta").size() != 1) {
      t.fail(Code::ImportShapeMismatch, "start, limit and delta must be one number each");
    }
  }
  const DType dtype = t.dtype(0);
  const double start = t.known_doubles(0, "start")[0], limit = t.known_doubles(1, "limit")[0];
  const double delta = t.known_doubles(2, "delta")[0];
  double count = delta != 0 ? std::max(0.0, std::ceil((limit - start) / delta)) : -1;
  if (is_integer(dtype)) {
    count = static_cast<double>(steps_between(t.known_ints(0, "start")[0], t.known_ints(1, "limit")[0],
                                              t.known_ints(2, "delta")[0], static_cast<int64_t>(kMost)));
  }
  if (!(count >= 0 && count <= kMost)) {
    t.unsupported(fmt::format("start {}, limit {} and delta {} give no range of at most {} elements", start, limit,
                              delta, kMost));
  }
  const auto n = static_cast<int64_t>(count);
  if (is_floating(dtype)) {
    std::vector<float> values;
    for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<float>(start + static_cast<double>(i) * delta));
    return t.produce_constant(Tensor::from<float>({n}, values));
  }
  const int64_t first = t.known_ints(0, "start")[0], step = t.known_ints(2, "delta")[0];
  std::vector<int64_t> values;
  for (int64_t i = 0; i < n; ++i)
    values.push_back(
        static_cast<int64_t>(static_cast<uint64_t>(first) + static_cast<uint64_t>(i) * static_cast<uint64_t>(step)));
  t.produce_constant(openrknn::cast(Tensor::from<int64_t>({n}, values), dtype));
}

void eye_like(Translation& t) {
  const Shape x = t.shape(0);
  if (x.size() != 2 || element_count(x) > (1 << 24)) {
    t.fail(Code::ImportShapeMismatch, fmt::format("expected a matrix, got shape {}", to_string(x)));
  }
  std::optional<DType> dtype = t.dtype(0);
  if (t.has_attribute("dtype")) dtype = ir_dtype(static_cast<ElementType>(t.integer("dtype", 1)));
  if (!dtype) t.fail(Code::ImportUnsupportedType, "this element type is not supported");
  const int64_t k = t.integer("k", 0);
  std::vector<int64_t> values(static_cast<size_t>(element_count(x)));
  for (int64_t row = 0; row < x[0]; ++row) {
    if (k >= -row && k < x[1] - row) values[static_cast<size_t>(row * x[1] + row + k)] = 1;
  }
  t.produce_constant(openrknn::cast(Tensor::from<int64_t>(x, values), *dtype));
}

constexpr OperatorRow kConstantRows[] = {
    {"Constant", 1, 28, constant}, {"ConstantOfShape", 9, 28, constant_of_shape},
    {"Shape", 1, 28, shape},       {"Size", 1, 28, size},
    {"Range", 11, 28, range},      {"EyeLike", 9, 28, eye_like},
};

}  // namespace

std::span<const OperatorRow> constant_operators() { return kConstantRows; }

}  // namespace openrknn::onnx
