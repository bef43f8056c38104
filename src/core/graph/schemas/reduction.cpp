// Reductions over dimensions.
#include <fmt/format.h>

#include <algorithm>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kReduce[] = {
    {"axes", AttributeType::Ints, true, "reduced dimensions, 0..rank-1, ascending, never empty"},
    {"keepdims", AttributeType::Int, false, "1 (default): reduced dimensions stay with extent 1"},
};
constexpr AttributeSpec kArg[] = {
    {"axis", AttributeType::Int, true, "searched dimension, 0..rank-1"},
    {"keepdims", AttributeType::Int, false, "1 (default): the dimension stays with extent 1"},
    {"select_last_index", AttributeType::Int, false, "1: the last of equal elements; default 0: the first"},
};

Shape reduced(const Shape& shape, const std::vector<int64_t>& axes, bool keep) {
  Shape out;
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool gone = std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
    if (!gone) {
      out.push_back(shape[d]);
    } else if (keep) {
      out.push_back(1);
    }
  }
  return out;
}

void infer_reduce(Inference& inference) {
  const Shape& x = inference.shape(0);
  const std::vector<int64_t> axes = ints_attribute(inference.attributes(), "axes");
  const int64_t rank = static_cast<int64_t>(x.size());
  const auto outside = [&](int64_t axis) { return axis < 0 || axis >= rank; };
  const bool ascending = std::adjacent_find(axes.begin(), axes.end(), std::greater_equal<>()) == axes.end();
  if (axes.empty() || !ascending || std::any_of(axes.begin(), axes.end(), outside)) {
    inference.fail(fmt::format("axes are {}, expected distinct ascending dimensions of 0 to {} (input {})",
                               to_string(axes), rank - 1, to_string(x)));
  }
  inference.set(0, inference.dtype(0), reduced(x, axes, flag_of(inference, "keepdims", true)));
}

void infer_arg(Inference& inference) {
  const Shape& x = inference.shape(0);
  const int64_t axis = axis_of(inference, "axis", 0, static_cast<int64_t>(x.size()));
  if (x[static_cast<size_t>(axis)] == 0) inference.fail(fmt::format("dimension {} of {} is empty", axis, to_string(x)));
  flag_of(inference, "select_last_index", false);
  inference.set(0, DType::Int64, reduced(x, {axis}, flag_of(inference, "keepdims", true)));
}

constexpr OpSchema reduce(std::string_view name, QuantRule quant, std::string_view summary) {
  return {.name = name,
          .attributes = kReduce,
          .inputs = {1, 1},
          .outputs = {1, 1},
          .layout = LayoutRule::Axis,
          .dimension_attributes = "axes:list",
          .quant = quant,
          .infer = infer_reduce,
          .summary = summary};
}

constexpr OpSchema arg(std::string_view name, std::string_view summary) {
  return {.name = name,
          .attributes = kArg,
          .inputs = {1, 1},
          .outputs = {1, 1},
          .layout = LayoutRule::Axis,
          .dimension_attributes = "axis:one",
          .quant = QuantRule::Index,
          .infer = infer_arg,
          .summary = summary};
}

/// [..., n, n] -> [...].
void infer_det(Inference& inference) {
  require_real(inference, 0);
  const Shape& x = inference.shape(0);
  if (x.size() < 2 || !fits(x[x.size() - 2], x.back())) {
    inference.fail(fmt::format("the input has shape {}, expected square matrices", to_string(x)));
  }
  inference.set(0, inference.dtype(0), Shape(x.begin(), x.end() - 2));
}

const OpSchema kReductionSchemas[] = {
    {.name = "Det",
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Float,
     .infer = infer_det,
     .summary = "Determinant of the matrices in the last two dimensions."},
    reduce("ReduceMean", QuantRule::Compute, "Mean over axes."),
    reduce("ReduceSum", QuantRule::Compute, "Sum over axes."),
    reduce("ReduceMax", QuantRule::Same, "Maximum over axes."),
    reduce("ReduceMin", QuantRule::Same, "Minimum over axes."),
    reduce("ReduceL1", QuantRule::Float, "Sum of absolute values over axes."),
    reduce("ReduceL2", QuantRule::Float, "Square root of the sum of squares over axes."),
    reduce("ReduceProd", QuantRule::Float, "Product over axes."),
    reduce("ReduceSumSquare", QuantRule::Float, "Sum of squares over axes."),
    reduce("ReduceLogSum", QuantRule::Float, "Logarithm of the sum over axes."),
    reduce("ReduceLogSumExp", QuantRule::Float, "Logarithm of the sum of exponentials over axes."),
    arg("ArgMax", "Index of the largest element along axis, Int64."),
    arg("ArgMin", "Index of the smallest element along axis, Int64."),
};

}  // namespace

std::span<const OpSchema> reduction() { return kReductionSchemas; }

}  // namespace openrknn::schemas
