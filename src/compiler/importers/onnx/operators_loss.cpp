// Losses are functions like others: of scores and labels. What belongs to training, gradients and updates, is refused.
#include <fmt/format.h>

#include <numeric>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

std::vector<int64_t> all_axes(const Shape& shape) {
  std::vector<int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

ValueId filled(Translation& t, const Shape& shape, double value) {
  if (shape.empty()) return t.scalar(value, DType::Float32);
  return t.emit("Expand", {t.reshape(t.scalar(value, DType::Float32), Shape(shape.size(), 1))}, {{"shape", shape}});
}

void check_labels(const Translation& t) {
  Shape expected = t.shape(0);
  if (expected.size() < 2) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("scores have shape {}, expected [N, classes, …]", to_string(expected)));
  }
  expected.erase(expected.begin() + 1);
  if (t.shape(1) != expected) {
    t.fail(Code::ImportShapeMismatch, fmt::format("labels have shape {}, expected {}: that of the scores without the "
                                                  "classes",
                                                  to_string(t.shape(1)), to_string(expected)));
  }
  if (t.has(2) && t.shape(2) != Shape{t.shape(0)[1]}) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("weights have shape {}, expected [{}], one per class", to_string(t.shape(2)), t.shape(0)[1]));
  }
}

/// -log_probability[n, label, …] · weight[label], reduced.
void produce_loss(Translation& t, ValueId log_probability) {
  check_labels(t);
  const std::string reduction = t.text("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean") {
    t.unsupported(fmt::format("reduction is '{}', expected none, sum or mean", reduction));
  }
  const Shape shape = t.shape(1);
  ValueId label = t.input(1), ignored = ValueId::None;
  if (t.has_attribute("ignore_index")) {
    const auto ignore = static_cast<double>(t.integer("ignore_index", 0));
    ignored = t.emit("Equal", {label, t.scalar(ignore, t.dtype(1))});
    label = t.emit("Where", {ignored, t.scalar(0, t.dtype(1)), label});  // any class: its weight is 0
  }
  Shape with_class = shape;
  with_class.insert(with_class.begin() + 1, 1);
  const ValueId chosen =
      t.emit("GatherElements", {log_probability, t.reshape(label, with_class)}, {{"axis", int64_t{1}}});

  ValueId weight = t.has(2) ? t.emit("Gather", {t.input(2), label}, {{"axis", int64_t{0}}}) : ValueId::None;
  if (ignored != ValueId::None) {
    if (weight == ValueId::None) weight = filled(t, shape, 1);
    weight = t.emit("Where", {ignored, t.scalar(0, DType::Float32), weight});
  }
  const bool weighted = weight != ValueId::None;
  const Attributes whole{{"axes", all_axes(shape)}, {"keepdims", int64_t{0}}};
  const ValueId gain = t.reshape(chosen, shape);
  if (reduction == "none" && !weighted) return t.produce("Neg", {gain});
  const ValueId loss = t.emit("Neg", {gain});
  if (reduction == "none") return t.produce("Mul", {loss, weight});
  const ValueId terms = weighted ? t.emit("Mul", {loss, weight}) : loss;
  if (reduction == "sum") return t.produce("ReduceSum", {terms}, whole);
  if (!weighted) return t.produce("ReduceMean", {terms}, whole);
  t.produce("Div", {t.emit("ReduceSum", {terms}, whole), t.emit("ReduceSum", {weight}, whole)});
}

void negative_log_likelihood(Translation& t) { produce_loss(t, t.input(0)); }

void softmax_cross_entropy(Translation& t) {
  const ValueId log_probability = t.emit("LogSoftmax", {t.input(0)}, {{"axis", int64_t{1}}});
  if (t.output_used(1)) t.forward(log_probability, 1);
  produce_loss(t, log_probability);
}

constexpr OperatorRow kLossRows[] = {
    {"NegativeLogLikelihoodLoss", 12, 28, negative_log_likelihood},
    {"SoftmaxCrossEntropyLoss", 12, 28, softmax_cross_entropy},
};

}  // namespace

std::span<const OperatorRow> loss_operators() { return kLossRows; }

}  // namespace openrknn::onnx
