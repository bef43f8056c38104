// Operators along a sequence: running sums and products, sequences turned around, attention and linear attention.
#include <fmt/format.h>

#include <algorithm>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kRunning[] = {
    {"axis", AttributeType::Int, true, "0..rank-1"},
    {"exclusive", AttributeType::Int, false, "1: an element does not count for its own place; default: 0"},
    {"reverse", AttributeType::Int, false, "1: from the end; default: 0"},
};
constexpr AttributeSpec kReverse[] = {
    {"batch_axis", AttributeType::Int, true, "0 or 1"},
    {"time_axis", AttributeType::Int, true, "the other one"},
};
constexpr AttributeSpec kAttention[] = {
    {"scale", AttributeType::Float, true, "factor of the products of queries and keys"},
};
constexpr AttributeSpec kLinearAttention[] = {
    {"q_num_heads", AttributeType::Int, true, "heads of the queries, a multiple of kv_num_heads"},
    {"kv_num_heads", AttributeType::Int, true, "heads of keys and values"},
    {"scale", AttributeType::Float, true, "factor of the results"},
    {"update_rule", AttributeType::String, false, "linear (default), gated, delta or gated_delta"},
};

void infer_running(Inference& inference) {
  axis_of(inference, "axis", 0, static_cast<int64_t>(inference.shape(0).size()));
  flag_of(inference, "exclusive", false);
  flag_of(inference, "reverse", false);
  if (inference.dtype(0) == DType::Bool) inference.fail("input 0 has type bool, expected numbers");
  infer_same(inference);
}

void infer_reverse(Inference& inference) {
  require_index(inference, 1);
  const Shape& x = inference.shape(0);
  if (x.size() < 2) inference.fail(fmt::format("the input has rank {}, expected 2 or more", x.size()));
  const int64_t batch = axis_of(inference, "batch_axis", 1, 2), time = axis_of(inference, "time_axis", 0, 2);
  if (batch == time) inference.fail(fmt::format("batch_axis and time_axis are both {}, expected 0 and 1", batch));
  require_vector(inference, 1, "sequence_lens", x[static_cast<size_t>(batch)]);
  infer_same(inference);
}

void require_extents(const Inference& inference, size_t input, std::string_view what, const Shape& expected) {
  const Shape& got = inference.shape(input);
  if (got.size() == expected.size() && std::equal(got.begin(), got.end(), expected.begin(), fits)) return;
  inference.fail(
      fmt::format("{} (input {}) has shape {}, expected {}", what, input, to_string(got), to_string(expected)));
}

void infer_attention(Inference& inference) {
  for (size_t i = 0; i < inference.input_count(); ++i) {
    if (inference.has(i)) require_real(inference, i);
  }
  const Shape &q = inference.shape(0), &v = inference.shape(2);
  for (const size_t i : {size_t{0}, size_t{1}, size_t{2}}) {
    require_rank(inference, i, 2, 8);
    if (inference.shape(i).size() != q.size()) {
      inference.fail(
          fmt::format("input {} has rank {}, expected {} as the queries", i, inference.shape(i).size(), q.size()));
    }
  }
  const Shape batch(q.begin(), q.end() - 2);
  const auto with = [&](int64_t rows, int64_t columns) {
    Shape shape = batch;
    shape.insert(shape.end(), {rows, columns});
    return shape;
  };
  const int64_t queries = q[q.size() - 2], keys = v[v.size() - 2];
  require_extents(inference, 1, "key", with(q.back(), keys));
  require_extents(inference, 2, "value", with(keys, v.back()));
  if (inference.has(3)) {
    const Shape scores = with(queries, keys);
    const Shape joined = broadcast_shapes(inference, inference.shape(3), scores);
    if (joined.size() != scores.size() || !std::equal(joined.begin(), joined.end(), scores.begin(), fits)) {
      inference.fail(fmt::format("the mask (input 3) has shape {}, expected one that broadcasts to {}",
                                 to_string(inference.shape(3)), to_string(scores)));
    }
  }
  inference.set(0, inference.dtype(0), with(queries, v.back()));
}

void infer_linear_attention(Inference& inference) {
  for (size_t i = 0; i < inference.input_count(); ++i) {
    if (inference.has(i)) require_real(inference, i);
  }
  const int64_t queries = int_attribute(inference.attributes(), "q_num_heads", 0);
  const int64_t heads = int_attribute(inference.attributes(), "kv_num_heads", 0);
  if (heads < 1 || queries < 1 || heads > kLargestParameter || queries % heads != 0) {
    inference.fail(fmt::format("q_num_heads is {} and kv_num_heads {}, expected a positive multiple of the latter",
                               queries, heads));
  }
  const std::string rule = choice_of(inference, "update_rule", {"linear", "gated", "delta", "gated_delta"});
  const bool gated = rule == "gated" || rule == "gated_delta", delta = rule == "delta" || rule == "gated_delta";
  if (inference.has(4) != gated || inference.has(5) != delta) {
    inference.fail(
        fmt::format("update_rule '{}' takes {} decay and {} beta", rule, gated ? "a" : "no", delta ? "a" : "no"));
  }
  for (const size_t i : {size_t{0}, size_t{1}, size_t{2}}) require_rank(inference, i, 3, 3);
  const Shape &q = inference.shape(0), &k = inference.shape(1), &v = inference.shape(2);
  if (q[2] % queries != 0 || v[2] % heads != 0) {
    inference.fail(fmt::format("last extents {} and {} do not split into {} and {} heads", q[2], v[2], queries, heads));
  }
  const int64_t size = q[2] / queries, value_size = v[2] / heads;
  require_extents(inference, 1, "key", {q[0], q[1], heads * size});
  require_extents(inference, 2, "value", {k[0], k[1], heads * value_size});
  if (inference.has(3)) require_extents(inference, 3, "past_state", {q[0], heads, size, value_size});
  const auto either = [&](size_t input, std::string_view what, int64_t a, int64_t b) {
    if (!inference.has(input)) return;
    require_rank(inference, input, 3, 3);
    const int64_t last = inference.shape(input)[2];
    require_extents(inference, input, what, {q[0], q[1], last == b ? b : a});
  };
  either(4, "decay", heads, heads * size);
  either(5, "beta", heads, 1);
  const Shape results[] = {{q[0], q[1], queries * value_size}, {q[0], heads, size, value_size}};
  for (size_t i = 0; i < inference.outputs.size() && i < 2; ++i) inference.set(i, inference.dtype(0), results[i]);
}

const OpSchema kSequenceSchemas[] = {
    {.name = "CumSum",
     .attributes = kRunning,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "axis:one",
     .quant = QuantRule::Float,
     .infer = infer_running,
     .summary = "Running sum along axis."},
    {.name = "CumProd",
     .attributes = kRunning,
     .inputs = {1, 1},
     .outputs = {1, 1},
     .layout = LayoutRule::Axis,
     .dimension_attributes = "axis:one",
     .quant = QuantRule::Float,
     .infer = infer_running,
     .summary = "Running product along axis."},
    {.name = "ReverseSequence",
     .attributes = kReverse,
     .inputs = {2, 2},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Same,
     .infer = infer_reverse,
     .summary = "The first sequence_lens[i] elements of each sequence in reverse order."},
    {.name = "Attention",
     .attributes = kAttention,
     .inputs = {3, 4},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Float,
     .infer = infer_attention,
     .summary = "Softmax of (queries times keys, scaled, plus the mask) times values, per matrix of the batch."},
    {.name = "LinearAttention",
     .attributes = kLinearAttention,
     .inputs = {3, 6},
     .outputs = {0, 2},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Float,
     .infer = infer_linear_attention,
     .summary = "Attention by a state per head that each step decays and adds a key times a value to; and that state."},
};

}  // namespace

std::span<const OpSchema> sequence() { return kSequenceSchemas; }

}  // namespace openrknn::schemas
