// Ops that pick elements by index, OneHot and Trilu.
#include <fmt/format.h>

#include <algorithm>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kBatch[] = {
    {"batch_dims", AttributeType::Int, false, "leading dimensions both inputs share; default: 0"}};
constexpr AttributeSpec kScatterElements[] = {
    {"axis", AttributeType::Int, true, "0..rank-1"},
    {"reduction", AttributeType::String, false, "none (default), add, mul, max or min"},
};
constexpr AttributeSpec kTopK[] = {
    {"axis", AttributeType::Int, true, "searched dimension, 0..rank-1"},
    {"k", AttributeType::Int, true, "elements to find, 0..extent of the dimension"},
    {"largest", AttributeType::Int, false, "1 (default): the largest, 0: the smallest"},
};
constexpr AttributeSpec kReductionOf[] = {
    {"reduction", AttributeType::String, false, "none (default), add, mul, max or min"}};
constexpr AttributeSpec kOneHot[] = {
    {"axis", AttributeType::Int, true, "place of the new dimension, 0..rank of indices"},
    {"depth", AttributeType::Int, true, "its extent"},
};
constexpr AttributeSpec kTrilu[] = {
    {"upper", AttributeType::Int, false, "1 (default): upper triangle stays; 0: lower"},
    {"k", AttributeType::Int, false, "diagonal the triangle starts at; default: 0"},
};

Shape joined(std::initializer_list<Shape> parts) {
  Shape all;
  for (const Shape& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

void infer_gather(Inference& inference) {
  require_index(inference, 1);
  const Shape &x = inference.shape(0), &indices = inference.shape(1);
  const int64_t axis = axis_of(inference, "axis", 0, static_cast<int64_t>(x.size()));
  inference.set(0, inference.dtype(0),
                joined({Shape(x.begin(), x.begin() + axis), indices, Shape(x.begin() + axis + 1, x.end())}));
}

/// Indices that pick single elements along an axis.
void check_elements(const Inference& inference) {
  require_index(inference, 1);
  const Shape &x = inference.shape(0), &indices = inference.shape(1);
  const size_t axis = static_cast<size_t>(axis_of(inference, "axis", 0, static_cast<int64_t>(x.size())));
  bool inside = indices.size() == x.size();
  for (size_t d = 0; inside && d < x.size(); ++d) inside = d == axis || x[d] < 0 || indices[d] <= x[d];
  if (!inside) {
    inference.fail(fmt::format("indices have shape {}, expected rank {} and extents within {} except along axis {}",
                               to_string(indices), x.size(), to_string(x), axis));
  }
}

void infer_gather_elements(Inference& inference) {
  check_elements(inference);
  inference.set(0, inference.dtype(0), inference.shape(1));
}

void infer_scatter_elements(Inference& inference) {
  check_elements(inference);
  require_equal_types(inference, 0, 2);
  choice_of(inference, "reduction", {"none", "add", "mul", "max", "min"});
  const Shape &indices = inference.shape(1), &updates = inference.shape(2);
  if (updates.size() != indices.size() || !std::equal(updates.begin(), updates.end(), indices.begin(), fits)) {
    inference.fail(
        fmt::format("updates have shape {}, expected {} as the indices", to_string(updates), to_string(indices)));
  }
  infer_same(inference);
}

void infer_top_k(Inference& inference) {
  Shape out = inference.shape(0);
  const size_t axis = static_cast<size_t>(axis_of(inference, "axis", 0, static_cast<int64_t>(out.size())));
  const int64_t k = int_attribute(inference.attributes(), "k", 0);
  const int64_t most = out[axis] >= 0 ? out[axis] : kLargestParameter;
  if (k < 0 || k > most) {
    inference.fail(fmt::format("k is {}, expected 0 to {} (dimension {} of {})", k, most, axis, to_string(out)));
  }
  flag_of(inference, "largest", true);
  out[axis] = k;
  inference.set(0, inference.dtype(0), out);
  inference.set(1, DType::Int64, std::move(out));
}

/// The last extent of the indices: how many leading dimensions of the data they address.
int64_t depth_of(const Inference& inference, int64_t batch) {
  const Shape &x = inference.shape(0), &indices = inference.shape(1);
  const int64_t rank = static_cast<int64_t>(x.size());
  if (indices.empty() || indices.back() < 1 || indices.back() > rank - batch) {
    inference.fail(fmt::format("indices have shape {}, expected a last extent of 1 to {} for data {}",
                               to_string(indices), rank - batch, to_string(x)));
  }
  return indices.back();
}

void infer_gather_nd(Inference& inference) {
  require_index(inference, 1);
  const Shape &x = inference.shape(0), &indices = inference.shape(1);
  const int64_t batch = int_attribute(inference.attributes(), "batch_dims", 0);
  const int64_t most = std::min<int64_t>(static_cast<int64_t>(x.size()), static_cast<int64_t>(indices.size())) - 1;
  if (batch < 0 || batch > std::max<int64_t>(most, 0) ||
      !std::equal(x.begin(), x.begin() + batch, indices.begin(), fits)) {
    inference.fail(fmt::format("batch_dims is {}, expected 0 to {} and equal leading extents of {} and {}", batch, most,
                               to_string(x), to_string(indices)));
  }
  const int64_t depth = depth_of(inference, batch);
  inference.set(0, inference.dtype(0),
                joined({Shape(indices.begin(), indices.end() - 1), Shape(x.begin() + batch + depth, x.end())}));
}

void infer_scatter_nd(Inference& inference) {
  require_index(inference, 1);
  require_equal_types(inference, 0, 2);
  choice_of(inference, "reduction", {"none", "add", "mul", "max", "min"});
  const Shape &x = inference.shape(0), &indices = inference.shape(1), &updates = inference.shape(2);
  const int64_t depth = depth_of(inference, 0);
  const Shape expected = joined({Shape(indices.begin(), indices.end() - 1), Shape(x.begin() + depth, x.end())});
  if (updates.size() != expected.size() || !std::equal(updates.begin(), updates.end(), expected.begin(), fits)) {
    inference.fail(fmt::format("updates have shape {}, expected {} for data {} and indices {}", to_string(updates),
                               to_string(expected), to_string(x), to_string(indices)));
  }
  infer_same(inference);
}

void infer_one_hot(Inference& inference) {
  Shape out = inference.shape(0);
  const int64_t axis = axis_of(inference, "axis", 0, static_cast<int64_t>(out.size()) + 1);
  const int64_t depth = int_attribute(inference.attributes(), "depth", 0);
  if (depth < 1 || depth > kLargestParameter) inference.fail(fmt::format("depth is {}, expected at least 1", depth));
  require_vector(inference, 1, "values (off, on)", 2);
  out.insert(out.begin() + axis, depth);
  inference.set(0, inference.dtype(1), std::move(out));
}

void infer_trilu(Inference& inference) {
  const size_t rank = inference.shape(0).size();
  if (rank < 2) inference.fail(fmt::format("the input has rank {}, expected 2 or more", rank));
  flag_of(inference, "upper", true);
  infer_same(inference);
}

const OpSchema kIndexingSchemas[] = {
    {.name = "Gather",
     .attributes = kAxis,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_gather,
     .summary = "Slices of x along axis, chosen by indices (negative ones count from the end)."},
    {.name = "GatherElements",
     .attributes = kAxis,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_gather_elements,
     .summary = "One element of x along axis per index."},
    {.name = "GatherND",
     .attributes = kBatch,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_gather_nd,
     .summary = "Slices of x addressed by the rows of indices."},
    {.name = "ScatterND",
     .attributes = kReductionOf,
     .inputs = {3, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_scatter_nd,
     .summary = "x with the slices addressed by the rows of indices replaced by updates."},
    {.name = "ScatterElements",
     .attributes = kScatterElements,
     .inputs = {3, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_scatter_elements,
     .summary = "x with one element along axis per index replaced by (or joined with) its update."},
    {.name = "TopK",
     .attributes = kTopK,
     .inputs = {1, 1},
     .outputs = {2, 2},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Float,
     .infer = infer_top_k,
     .summary = "The k largest or smallest elements along axis in order, and their indices as Int64."},
    {.name = "OneHot",
     .attributes = kOneHot,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Index,
     .infer = infer_one_hot,
     .summary = "values[1] at each index along a new dimension, values[0] elsewhere."},
    {.name = "Trilu",
     .attributes = kTrilu,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_trilu,
     .summary = "Upper or lower triangle of the last two dimensions, zeros elsewhere."},
};

}  // namespace

std::span<const OpSchema> indexing() { return kIndexingSchemas; }

}  // namespace openrknn::schemas
