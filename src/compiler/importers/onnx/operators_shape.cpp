// Operators that give the same elements another shape: all become Reshape.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

void reshape(Translation& t) {
  if (t.constant(1) == nullptr || !is_static(t.open_shape(0))) {
    return t.produce("DynamicReshape", {t.input(0), t.input(1)}, {{"allowzero", t.integer("allowzero", 0)}});
  }
  const Shape x = t.shape(0);
  Shape shape = t.known_ints(1, "the new shape");
  const Shape asked = shape;
  const bool allow_zero = t.integer("allowzero", 0) != 0;
  const int64_t count = element_count(x);
  std::optional<size_t> open;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !allow_zero && i < x.size()) shape[i] = x[i];
    if (shape[i] == -1 && !open) {
      open = i;
      shape[i] = 1;
    }
  }
  const auto mismatch = [&] {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("{} ({} elements) cannot become {}", to_string(x), count, to_string(asked)),
           "the exporter has fixed another input size: give the shape the model was exported with");
  };
  if (std::any_of(shape.begin(), shape.end(), [](int64_t extent) { return extent < 0; })) mismatch();
  const int64_t known = element_count(shape);
  if (open) {
    if (known == 0 || count % known != 0) mismatch();
    shape[*open] = count / known;
  } else if (known != count) {
    mismatch();
  }
  t.produce_reshaped(t.input(0), std::move(shape));
}

void flatten(Translation& t) {
  const Shape x = t.open_shape(0);
  const auto rank = static_cast<int64_t>(x.size());
  const int64_t given = t.integer("axis", 1);
  const int64_t axis = given == rank ? rank : t.axis(given, rank);
  if (!is_static(x)) {
    const Shape lead(x.begin(), x.begin() + axis), rest(x.begin() + axis, x.end());
    if (!is_static(lead) && !is_static(rest)) t.shape(0);  // refuses
    const Shape matrix = {is_static(lead) ? element_count(lead) : -1, is_static(rest) ? element_count(rest) : -1};
    return t.produce("DynamicReshape", {t.input(0), t.list(matrix, "shape")}, {{"allowzero", int64_t{1}}});
  }
  t.produce_reshaped(
      t.input(0), {element_count(Shape(x.begin(), x.begin() + axis)), element_count(Shape(x.begin() + axis, x.end()))});
}

/// An attribute up to opset 12, an input from 13 on.
std::vector<int64_t> axes_of(const Translation& t) {
  if (t.opset() < 13) return t.integers("axes");
  return t.has(1) ? t.known_ints(1, "axes") : std::vector<int64_t>{};
}

void squeeze(Translation& t) {
  const bool all = t.opset() < 13 ? !t.has_attribute("axes") : !t.has(1);
  const Shape x = all ? t.shape(0) : t.open_shape(0);
  const std::vector<int64_t> axes = t.axes(axes_of(t), static_cast<int64_t>(x.size()));
  std::vector<int64_t> kept;
  for (size_t d = 0; d < x.size(); ++d) {
    const bool named = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d));
    if (named && x[d] != 1 && x[d] >= 0) {
      t.fail(Code::ImportShapeMismatch, fmt::format("dimension {} of {} is not 1", d, to_string(x)));
    }
    if (!(all ? x[d] == 1 : named)) kept.push_back(static_cast<int64_t>(d));
  }
  t.produce_rearranged(t.input(0), kept);
}

/// Axes speak of the output's dimensions.
void unsqueeze(Translation& t) {
  std::vector<int64_t> axes = axes_of(t);
  const size_t rank = static_cast<size_t>(t.rank(0)) + axes.size();
  axes = t.axes(std::move(axes), static_cast<int64_t>(rank));
  std::vector<int64_t> dimensions;
  int64_t from = 0;
  for (size_t d = 0; d < rank; ++d) {
    const bool added = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d));
    dimensions.push_back(added ? Translation::kOne : from++);
  }
  t.produce_rearranged(t.input(0), dimensions);
}

/// Identity, and Dropout as inference sees it, are names for their input.
void identity(Translation& t) { t.forward(t.input(0)); }

void dropout(Translation& t) {
  const bool training = t.opset() < 7 ? t.integer("is_test", 0) == 0 : t.has(2) && t.known_int(2, "training_mode") != 0;
  const double ratio = t.opset() < 12 ? t.real("ratio", 0.5) : t.has(1) ? t.known_doubles(1, "ratio").at(0) : 0.5;
  if (training && ratio != 0.0) {
    t.unsupported("training_mode is true, expected false", "export the model for inference (model.eval())");
  }
  const Shape shape = t.output_used(1) ? t.shape(0) : Shape();
  t.forward(t.input(0));
  if (t.output_used(1)) t.produce_filled(Tensor::scalar(true), shape, 1);  // without training nothing is dropped
}

constexpr OperatorRow kShapeRows[] = {
    {"Reshape", 5, 28, reshape},     {"Flatten", 1, 28, flatten},   {"Squeeze", 1, 28, squeeze},
    {"Unsqueeze", 1, 28, unsqueeze}, {"Identity", 1, 28, identity}, {"Dropout", 6, 28, dropout},
};

}  // namespace

std::span<const OperatorRow> shape_operators() { return kShapeRows; }

}  // namespace openrknn::onnx
