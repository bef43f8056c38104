// Normalizations and softmax; what the IR lacks is written with means, products and roots.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

const double kEpsilon = double{1e-5f};

/// An extra output of training or of statistics that inference does not give.
void refuse_outputs(const Translation& t, size_t first, std::string_view what) {
  for (size_t i = first; i < t.output_count(); ++i) {
    if (t.output_used(i))
      t.unsupported(fmt::format("output {} ({}) is not built", i, what), "export the model for inference");
  }
}

/// BatchNormalization with spatial = 0 (opset 7 and 8): statistics for every element of an image.
void normalize_each_element(Translation& t) {
  const Shape image(t.shape(0).begin() + std::min<int64_t>(1, t.rank(0)), t.shape(0).end());
  for (const size_t i : {1, 2, 3, 4}) {
    if (t.shape(i) == image) continue;
    t.fail(Code::ImportShapeMismatch, fmt::format("input {} has shape {}, expected {}, one number for each element of "
                                                  "an image (spatial is 0)",
                                                  i, to_string(t.shape(i)), to_string(image)));
  }
  const ValueId variance = t.emit("Add", {t.input(4), t.scalar(t.real("epsilon", kEpsilon), t.dtype(4))});
  const ValueId factor = t.emit("Div", {t.input(1), t.emit("Sqrt", {variance})});
  const ValueId centered = t.emit("Sub", {t.input(0), t.input(3)});
  t.produce("Add", {t.emit("Mul", {centered, factor}), t.input(2)});
}

void batch_normalization(Translation& t) {
  if (t.integer("training_mode", 0) != 0) {
    t.unsupported("training_mode is 1, expected 0", "export the model for inference (model.eval())");
  }
  if (t.opset() < 7 && t.integer("is_test", 0) == 0) {
    t.unsupported("is_test is 0, expected 1", "export the model for inference (model.eval())");
  }
  refuse_outputs(t, 1, "statistics of training");
  if (t.opset() < 9 && t.integer("spatial", 1) == 0) return normalize_each_element(t);
  t.produce("BatchNormalization", {t.input(0), t.input(1), t.input(2), t.input(3), t.input(4)},
            {{"epsilon", t.real("epsilon", kEpsilon)}});
}

void instance_normalization(Translation& t) {
  t.produce("InstanceNormalization", {t.input(0), t.input(1), t.input(2)}, {{"epsilon", t.real("epsilon", kEpsilon)}});
}

/// A scale or bias in the exact shape of the normalised dimensions.
ValueId expanded(Translation& t, ValueId value, const Shape& shape) {
  if (t.shape_of(value) == shape) return value;
  const Shape given = t.shape_of(value);
  if (given.size() > shape.size() || broadcast(given, shape) != shape) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("shape {} does not broadcast to {}", to_string(given), to_string(shape)));
  }
  Shape raised(shape.size() - given.size(), 1);
  raised.insert(raised.end(), given.begin(), given.end());
  value = t.reshape(value, raised);
  return raised == shape ? value : t.emit("Expand", {value}, {{"shape", shape}});
}

std::vector<int64_t> axes_between(int64_t first, int64_t last) {
  std::vector<int64_t> axes(static_cast<size_t>(std::max<int64_t>(0, last - first)));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

/// Outputs 1 and 2 of LayerNormalization, where somebody reads them: mean and 1 / sqrt(variance + epsilon).
void forward_statistics(Translation& t, int64_t axis) {
  if (!t.output_used(1) && !t.output_used(2)) return;
  const ValueId x = t.input(0);
  const Attributes reduce = {{"axes", axes_between(axis, t.rank(0))}, {"keepdims", int64_t{1}}};
  const ValueId mean = t.emit("ReduceMean", {x}, reduce);
  t.forward(mean, 1);
  if (!t.output_used(2)) return;
  const ValueId centered = t.emit("Sub", {x, mean});
  const ValueId variance = t.emit("ReduceMean", {t.emit("Mul", {centered, centered})}, reduce);
  const ValueId shifted = t.emit("Add", {variance, t.scalar(t.real("epsilon", kEpsilon), t.dtype(0))});
  t.forward(t.emit("Reciprocal", {t.emit("Sqrt", {shifted})}), 2);
}

void layer_normalization(Translation& t) {
  const int64_t axis = t.axis(t.integer("axis", -1), t.rank(0));
  forward_statistics(t, axis);
  const Shape& x = t.shape(0);
  const Shape normalised(x.begin() + axis, x.end());
  std::vector<ValueId> inputs = {t.input(0), expanded(t, t.input(1), normalised)};
  if (t.has(2)) inputs.push_back(expanded(t, t.input(2), normalised));
  t.produce("LayerNormalization", std::move(inputs), {{"axis", axis}, {"epsilon", t.real("epsilon", kEpsilon)}});
}

/// x / sqrt(mean(x²) + epsilon) · scale.
void rms_normalization(Translation& t) {
  const int64_t rank = t.rank(0), axis = t.axis(t.integer("axis", -1), rank);
  const ValueId x = t.input(0);
  const ValueId mean =
      t.emit("ReduceMean", {t.emit("Mul", {x, x})}, {{"axes", axes_between(axis, rank)}, {"keepdims", int64_t{1}}});
  const ValueId root = t.emit("Sqrt", {t.emit("Add", {mean, t.scalar(t.real("epsilon", kEpsilon), t.dtype(0))})});
  t.produce("Mul", {t.emit("Div", {x, root}), t.input(1)});
}

/// Groups become channels of an InstanceNormalization. Scale and bias: one per group up to opset 20, per channel
/// from 21.
void group_normalization(Translation& t) {
  const Shape x = t.shape(0);
  const int64_t groups = t.required_integer("num_groups");
  if (x.size() < 3 || groups < 1 || x[1] % groups != 0) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("{} groups do not divide the channels of shape {}", groups, to_string(x)));
  }
  const Attributes epsilon = {{"epsilon", t.real("epsilon", kEpsilon)}};
  const int64_t rest = groups == 0 ? 0 : element_count(x) / std::max<int64_t>(1, x[0] * groups);
  const ValueId grouped = t.reshape(t.input(0), {x[0], groups, rest});
  if (t.opset() < 21) {
    const ValueId y = t.emit("InstanceNormalization", {grouped, t.input(1), t.input(2)}, epsilon);
    return t.produce_reshaped(y, x);
  }
  const auto filled = [&](float value, std::string_view what) {
    return t.add_constant(Tensor::from<float>({groups}, std::vector<float>(static_cast<size_t>(groups), value)), what);
  };
  const ValueId ones = filled(1, "one"), zeros = filled(0, "zero");
  const ValueId y = t.reshape(t.emit("InstanceNormalization", {grouped, ones, zeros}, epsilon), x);
  Shape per_channel(x.size(), 1);
  per_channel[1] = x[1];
  const ValueId scaled = t.emit("Mul", {y, t.reshape(t.input(1), per_channel)});
  t.produce("Add", {scaled, t.reshape(t.input(2), per_channel)});
}

/// (x − mean) / (deviation + 1e-9), the function body of the ONNX specification.
void mean_variance_normalization(Translation& t) {
  std::vector<int64_t> axes = t.integers("axes");
  if (axes.empty()) axes = {0, 2, 3};
  const Attributes reduce = {{"axes", t.axes(axes, t.rank(0))}, {"keepdims", int64_t{1}}};
  const ValueId x = t.input(0);
  const ValueId centered = t.emit("Sub", {x, t.emit("ReduceMean", {x}, reduce)});
  const ValueId variance = t.emit("ReduceMean", {t.emit("Mul", {centered, centered})}, reduce);
  const ValueId deviation = t.emit("Add", {t.emit("Sqrt", {variance}), t.scalar(1e-9, t.dtype(0))});
  t.produce("Div", {centered, deviation});
}

void lp_normalization(Translation& t) {
  const int64_t p = t.integer("p", 2);
  if (p != 1 && p != 2) t.unsupported(fmt::format("p is {}, expected 1 or 2", p));
  t.produce("LpNormalization", {t.input(0)}, {{"axis", t.axis(t.integer("axis", -1), t.rank(0))}, {"p", p}});
}

/// Dimensions beyond the third spatial one, and missing ones, are brought into one.
void local_response_normalization(Translation& t) {
  const Shape x = t.shape(0);
  if (x.size() < 2) t.fail(Code::ImportShapeMismatch, fmt::format("the input has shape {}", to_string(x)));
  const Attributes attributes = {{"size", t.required_integer("size")},
                                 {"alpha", t.real("alpha", double{1e-4f})},
                                 {"beta", t.real("beta", 0.75)},
                                 {"bias", t.real("bias", 1.0)}};
  if (x.size() >= 3 && x.size() <= 5) return t.produce("LRN", {t.input(0)}, attributes);
  const Shape flat = {x[0], x[1], element_count(Shape(x.begin() + 2, x.end()))};
  t.produce_reshaped(t.emit("LRN", {t.reshape(t.input(0), flat)}, attributes), x);
}

/// Before opset 13 the input is coerced to a matrix [dims before axis, dims from axis on] whose rows are normalised.
/// Where all other dimensions from axis on are 1 that is the same as normalising along the axis.
struct Coercion {
  ValueId value;
  int64_t axis;
  bool reshaped;
};
Coercion coerce(Translation& t) {
  const Shape x = t.shape(0);
  const auto rank = static_cast<int64_t>(x.size());
  if (rank == 0) t.fail(Code::ImportShapeMismatch, "the input is a scalar, expected rank 1 or more");
  if (t.opset() >= 13) return {t.input(0), t.axis(t.integer("axis", -1), rank), false};
  const int64_t axis = t.integer("axis", 1) == rank ? rank : t.axis(t.integer("axis", 1), rank);
  if (axis < rank && std::all_of(x.begin() + axis + 1, x.end(), [](int64_t extent) { return extent == 1; })) {
    return {t.input(0), axis, false};
  }
  const Shape matrix = {element_count(Shape(x.begin(), x.begin() + axis)),
                        element_count(Shape(x.begin() + axis, x.end()))};
  return {t.reshape(t.input(0), matrix), 1, true};
}

void softmax(Translation& t) {
  if (const int64_t rank = t.rank(0); t.opset() >= 13 && rank > 0) {  // needs no extent
    return t.produce(t.op(), {t.input(0)}, {{"axis", t.axis(t.integer("axis", -1), rank)}});
  }
  const Shape x = t.shape(0);
  const Coercion c = coerce(t);
  const Attributes attributes = {{"axis", c.axis}};
  if (!c.reshaped) return t.produce(t.op(), {c.value}, attributes);
  t.produce_reshaped(t.emit(t.op(), {c.value}, attributes), x);
}

/// 1 at the first largest element along the axis, 0 elsewhere.
void hardmax(Translation& t) {
  const Shape x = t.shape(0);
  const Coercion c = coerce(t);
  const ValueId index = t.emit("ArgMax", {c.value}, {{"axis", c.axis}, {"keepdims", int64_t{0}}});
  const ValueId values = t.add_constant(openrknn::cast(Tensor::from<float>({2}, {0, 1}), t.dtype(0)), "values");
  const Attributes attributes = {{"axis", c.axis}, {"depth", t.shape_of(c.value)[static_cast<size_t>(c.axis)]}};
  if (!c.reshaped) return t.produce("OneHot", {index, values}, attributes);
  t.produce_reshaped(t.emit("OneHot", {index, values}, attributes), x);
}

constexpr OperatorRow kNormalizationRows[] = {
    {"BatchNormalization", 6, 28, batch_normalization},
    {"InstanceNormalization", 6, 28, instance_normalization},
    {"LayerNormalization", 17, 28, layer_normalization},
    {"RMSNormalization", 23, 28, rms_normalization},
    {"GroupNormalization", 18, 28, group_normalization},
    {"MeanVarianceNormalization", 9, 28, mean_variance_normalization},
    {"LpNormalization", 1, 28, lp_normalization},
    {"LRN", 1, 28, local_response_normalization},
    {"Softmax", 1, 28, softmax},
    {"LogSoftmax", 1, 28, softmax},
    {"Hardmax", 1, 28, hardmax},
};

}  // namespace

std::span<const OperatorRow> normalization_operators() { return kNormalizationRows; }

}  // namespace openrknn::onnx
