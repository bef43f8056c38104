// Ops whose result is known from shapes or constants alone; folding turns them into constants.
#include <fmt/format.h>

#include <cmath>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr int64_t kLargestContent = 64 * 1024;  // as infer()'s evaluator; larger ones are left to folding

constexpr AttributeSpec kShapeOf[] = {
    {"start", AttributeType::Int, false, "first dimension, 0..rank; default: 0"},
    {"end", AttributeType::Int, false, "dimension after the last, 0..rank; default: rank"},
};
constexpr AttributeSpec kConstantOfShape[] = {{"value", AttributeType::Tensor, false, "one element; default: float 0"}};

void infer_shape(Inference& inference) {
  const Shape& x = inference.shape(0);
  const int64_t rank = static_cast<int64_t>(x.size());
  const int64_t start = int_attribute(inference.attributes(), "start", 0);
  const int64_t end = int_attribute(inference.attributes(), "end", rank);
  if (start < 0 || start > rank || end < 0 || end > rank) {
    inference.fail(fmt::format("start is {} and end {}, expected 0 to {}", start, end, rank));
  }
  const Shape part = start < end ? Shape(x.begin() + start, x.begin() + end) : Shape();
  const Shape out = {static_cast<int64_t>(part.size())};
  inference.set(0, DType::Int64, out);
  if (is_static(part)) inference.set_constant(0, Tensor::from<int64_t>(out, part));
}

void infer_size(Inference& inference) {
  inference.set(0, DType::Int64, {});
  const Shape& x = inference.shape(0);
  if (is_static(x)) inference.set_constant(0, Tensor::scalar<int64_t>(element_count(x)));
}

void infer_range(Inference& inference) {
  for (size_t i = 0; i < 3; ++i) {
    require_equal_types(inference, 0, i);
    if (is_static(inference.shape(i)) && element_count(inference.shape(i)) != 1) {
      inference.fail(fmt::format("input {} has shape {}, expected one element", i, to_string(inference.shape(i))));
    }
  }
  const DType dtype = inference.dtype(0);
  const Tensor *start = inference.constant(0), *limit = inference.constant(1), *step = inference.constant(2);
  if (start == nullptr || limit == nullptr || step == nullptr) {
    inference.set(0, dtype, {-1});
    return;
  }
  const double first = to_doubles(*start)[0], last = to_doubles(*limit)[0], delta = to_doubles(*step)[0];
  const double steps = std::ceil((last - first) / delta);
  if (!(std::abs(steps) <= static_cast<double>(kLargestParameter))) {
    inference.fail(fmt::format("Range from {} to {} by {} has no sensible length", first, last, delta));
  }
  const int64_t count = std::max<int64_t>(static_cast<int64_t>(steps), 0);
  inference.set(0, dtype, {count});
  if (count > kLargestContent) return;
  if (is_floating(dtype)) {
    std::vector<double> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<double>(i) * delta;
    inference.set_constant(0, cast(Tensor::from<double>({count}, values), dtype));
  } else {
    std::vector<int64_t> values(static_cast<size_t>(count));
    const uint64_t begin = static_cast<uint64_t>(to_ints(*start)[0]), by = static_cast<uint64_t>(to_ints(*step)[0]);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(begin + i * by);
    inference.set_constant(0, cast(Tensor::from<int64_t>({count}, values), dtype));
  }
}

void infer_constant_of_shape(Inference& inference) {
  require_index(inference, 0);
  require_rank(inference, 0, 1, 1);
  Tensor value = Tensor::scalar<float>(0);
  if (const auto found = inference.attributes().find("value"); found != inference.attributes().end()) {
    value = std::get<Tensor>(found->second);
  }
  if (value.size() != 1) inference.fail(fmt::format("value has {} elements, expected one", value.size()));
  const Tensor* content = inference.constant(0);
  if (content == nullptr) {
    const int64_t rank = inference.shape(0)[0];
    if (rank < 0 || rank > kLargestRank)
      inference.fail(fmt::format("the shape has {} entries, expected 0 to {}", rank, kLargestRank));
    inference.set(0, value.dtype(), Shape(static_cast<size_t>(rank), -1));
    return;
  }
  const Shape shape = to_ints(*content);
  if (!is_static(shape))
    inference.fail(fmt::format("the shape is {}, expected extents of 0 or more", to_string(shape)));
  inference.set(0, value.dtype(), shape);
  const int64_t width = bit_width(value.dtype());
  if (element_count(shape) > kLargestContent || width < 8) return;
  Tensor filled(value.dtype(), shape);
  const std::span<std::byte> out = filled.mutable_bytes();
  for (size_t i = 0; i < out.size(); ++i) out[i] = value.bytes()[i % static_cast<size_t>(width / 8)];
  inference.set_constant(0, std::move(filled));
}

const OpSchema kSourceSchemas[] = {
    {.name = "Range",
     .inputs = {3, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Index,
     .infer = infer_range,
     .summary = "start, start + delta, … below limit; inputs start, limit, delta."},
    {.name = "ConstantOfShape",
     .attributes = kConstantOfShape,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Index,
     .infer = infer_constant_of_shape,
     .summary = "A tensor of the given shape that repeats one value."},
    {.name = "Shape",
     .attributes = kShapeOf,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Index,
     .infer = infer_shape,
     .summary = "Extents of x as Int64."},
    {.name = "Size",
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Index,
     .infer = infer_size,
     .summary = "Number of elements of x as Int64."},
};

}  // namespace

std::span<const OpSchema> sources() { return kSourceSchemas; }

}  // namespace openrknn::schemas
