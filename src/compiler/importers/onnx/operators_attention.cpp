// Attention (opset 23) and FlexAttention written out: MatMul, scale, mask, Softmax, MatMul.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

/// [batch, sequence, heads · size] to [batch, heads, sequence, size]; four dimensions are that already.
ValueId split_heads(Translation& t, ValueId x, std::string_view heads_attribute) {
  const Shape shape = t.shape_of(x);
  if (shape.size() == 4) return x;
  const int64_t heads = t.required_integer(heads_attribute);
  if (shape.size() != 3 || heads < 1 || shape[2] % heads != 0) {
    t.fail(Code::ImportShapeMismatch, fmt::format("shape {} does not split into {} heads", to_string(shape), heads));
  }
  return t.transpose(t.reshape(x, {shape[0], shape[1], heads, shape[2] / heads}), {0, 2, 1, 3});
}

/// Queries, keys and values in four dimensions.
struct Heads {
  ValueId q, k, v;
  int64_t batch, heads, groups, queries, keys, size;  // heads: of the queries; groups: heads of keys and values
};
Heads checked(Translation& t, ValueId q, ValueId k, ValueId v) {
  const Shape qs = t.shape_of(q), ks = t.shape_of(k), vs = t.shape_of(v);
  if (qs.size() != 4 || ks.size() != 4 || vs.size() != 4 || ks[1] < 1 || qs[1] % ks[1] != 0 || vs[1] != ks[1] ||
      ks[3] != qs[3] || vs[2] != ks[2] || ks[0] != qs[0] || vs[0] != qs[0]) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("queries {}, keys {} and values {} do not fit", to_string(qs), to_string(ks), to_string(vs)));
  }
  return {q, k, v, qs[0], qs[1], ks[1], qs[2], ks[2], qs[3]};
}
/// a · b for each head. Grouped queries, heads that share a key and value head, are so many more rows of one matrix:
/// nothing is repeated.
ValueId multiply_heads(Translation& t, const Heads& h, ValueId a, ValueId b) {
  if (h.heads == h.groups) return t.emit("MatMul", {a, b});
  const Shape shape = t.shape_of(a);
  const ValueId rows = t.reshape(a, {h.batch, h.groups, h.heads / h.groups * h.queries, shape[3]});
  const ValueId product = t.emit("MatMul", {rows, b});
  return t.reshape(product, {h.batch, h.heads, h.queries, t.shape_of(product)[3]});
}
ValueId scaled_scores(Translation& t, const Heads& h) {
  const double scale = t.real("scale", 1.0 / std::sqrt(static_cast<double>(h.size)));
  const ValueId q = t.emit("Mul", {h.q, t.scalar(scale, t.dtype_of(h.q))});
  return multiply_heads(t, h, q, t.transpose(h.k, {0, 1, 3, 2}));
}

/// Extents of a mask within [batch, heads, queries, keys], lengthened to all keys by `fill`.
ValueId whole_mask(Translation& t, const Heads& h, ValueId mask, const Tensor& fill) {
  Shape shape = t.shape_of(mask);
  if (shape.empty() || shape.size() > 4 || shape.back() > h.keys) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("the mask has shape {}, expected one that broadcasts to [{}, {}, {}, {}]", to_string(shape),
                       h.batch, h.heads, h.queries, h.keys));
  }
  const int64_t missing = h.keys - shape.back(), axis = static_cast<int64_t>(shape.size()) - 1;
  if (missing == 0) return mask;
  shape.back() = missing;
  const ValueId one = t.add_constant(fill.reshaped(Shape(shape.size(), 1)), "unseen");
  return t.emit("Concat", {mask, t.emit("Expand", {one}, {{"shape", shape}})}, {{"axis", axis}});
}

/// How far the keys of a query reach: key <= query + offset + ahead, key >= query + offset - behind.
struct Reach {
  std::optional<int64_t> ahead, behind;
};
bool sees(const Reach& reach, int64_t query, int64_t key) {
  return (!reach.ahead || key - query <= *reach.ahead) && (!reach.behind || query - key <= *reach.behind);
}

constexpr int64_t kLargestMask = int64_t{1} << 26;

/// Which keys each query sees, as a constant of [queries, keys]; the offset is the same for the whole batch.
ValueId constant_reach(Translation& t, const Heads& h, const Reach& reach, int64_t offset) {
  Tensor mask = Tensor::zeros(DType::Bool, {h.queries, h.keys});
  const std::span<std::byte> cells = mask.mutable_bytes();
  for (int64_t i = 0; i < h.queries; ++i) {
    for (int64_t j = 0; j < h.keys; ++j) {
      if (sees(reach, i + offset, j)) cells[static_cast<size_t>(i * h.keys + j)] = std::byte{1};
    }
  }
  return t.add_constant(std::move(mask), "reach");
}
/// 0, 1, … as a constant of that shape, `first` added.
ValueId counting(Translation& t, const Shape& shape, int64_t first, std::string_view what) {
  Tensor numbers(DType::Int64, shape);
  int64_t next = first;
  for (int64_t& n : numbers.mutable_values<int64_t>()) n = next++;
  return t.add_constant(std::move(numbers), what);
}
/// The same where the offset, nonpad_kv_seqlen - queries, differs in the batch.
ValueId computed_reach(Translation& t, const Heads& h, const Reach& reach, ValueId lengths) {
  const ValueId keys = counting(t, {h.keys}, 0, "keys");
  std::optional<ValueId> all;
  const auto compare = [&](std::string_view op, int64_t distance) {
    const ValueId bound = t.emit("Add", {lengths, counting(t, {h.queries, 1}, distance - h.queries, "bound")});
    const ValueId part = t.emit(op, {keys, bound});
    all = all ? t.emit("And", {*all, part}) : part;
  };
  if (reach.ahead) compare("LessOrEqual", *reach.ahead);
  if (reach.behind) compare("GreaterOrEqual", -*reach.behind);
  return *all;
}

/// True if some query sees no key for certain or perhaps: a softmax alone cannot say "nothing".
bool may_see_nothing(const Translation& t, ValueId allowed, int64_t keys) {
  const Tensor* known = t.constant(allowed);
  if (known == nullptr || known->shape().back() != keys) return true;
  const std::span<const std::byte> cells = known->bytes();
  for (size_t row = 0; row < cells.size(); row += static_cast<size_t>(keys)) {
    const auto end = cells.begin() + static_cast<std::ptrdiff_t>(row) + keys;
    if (std::find(cells.begin() + static_cast<std::ptrdiff_t>(row), end, std::byte{1}) == end) return true;
  }
  return false;
}

/// What masks do to the scores.
struct Masks {
  std::optional<ValueId> allowed;  // false: that query does not see that key
  std::optional<ValueId> added;    // float
};
Masks read_masks(Translation& t, const Heads& h, int64_t past) {
  Masks masks;
  const auto allow = [&](ValueId part) {
    masks.allowed = masks.allowed ? t.emit("And", {*masks.allowed, part}) : part;
  };
  if (t.has(3)) {
    const ValueId mask = t.input(3);
    if (t.dtype_of(mask) == DType::Bool) {
      allow(whole_mask(t, h, mask, Tensor::zeros(DType::Bool, {1})));
    } else {
      const Tensor nothing = Tensor::scalar<float>(-std::numeric_limits<float>::infinity());
      masks.added = whole_mask(t, h, mask, openrknn::cast(nothing, t.dtype_of(mask)));
    }
  }
  std::optional<ValueId> lengths;  // of the keys that are no padding: [batch, 1, 1, 1]
  if (t.has(6)) {
    if (t.rank(6) != 1 || t.shape(6)[0] != h.batch) {
      t.fail(Code::ImportShapeMismatch,
             fmt::format("nonpad_kv_seqlen has shape {}, expected [{}]", to_string(t.shape(6)), h.batch));
    }
    lengths = t.reshape(t.cast(t.input(6), DType::Int64), {h.batch, 1, 1, 1});
    allow(t.emit("Less", {counting(t, {h.keys}, 0, "places"), *lengths}));
  }
  const int64_t left = t.integer("left_window_size", -1), right = t.integer("right_window_size", -1);
  if (left < -1 || right < -1) {
    t.unsupported(fmt::format("window sizes are {} and {}, expected -1 or more", left, right));
  }
  Reach reach;
  if (right >= 0) reach.ahead = right;
  if (t.integer("is_causal", 0) != 0) reach.ahead = 0;
  if (left >= 0) reach.behind = left;
  if (!reach.ahead && !reach.behind) return masks;
  if (h.queries * h.keys > kLargestMask) {
    t.unsupported(fmt::format("a causal or sliding mask of {} x {} is too large", h.queries, h.keys));
  }
  allow(lengths ? computed_reach(t, h, reach, *lengths) : constant_reach(t, h, reach, past));
  return masks;
}

/// Zeros where a float mask leaves a query no key at all. A mask that is known is looked at now.
ValueId without_empty_rows(Translation& t, ValueId weights, ValueId mask) {
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
  if (const Tensor* known = t.constant(mask)) {
    const std::vector<double> values = to_doubles(*known);
    const bool any = std::any_of(values.begin(), values.end(), [](double v) { return v == -HUGE_VAL; });
    if (!any) return weights;
  }
  const int64_t last = static_cast<int64_t>(t.shape_of(mask).size()) - 1;
  const ValueId most = t.emit("ReduceMax", {mask}, {{"axes", std::vector<int64_t>{last}}, {"keepdims", int64_t{1}}});
  const ValueId seen = t.emit("Greater", {most, t.scalar(static_cast<double>(kNothing), t.dtype_of(mask))});
  return t.emit("Where", {seen, weights, t.scalar(0, t.dtype_of(weights))});
}

/// The softmax is computed in float32, which is what the golden graph has; float64 and 16-bit floats are not rounded
/// to.
void check_precision(const Translation& t) {
  const int64_t type = t.integer("softmax_precision", 1);
  if (type != 1 && type != 10 && type != 11 && type != 16) {
    t.unsupported(fmt::format("softmax_precision is {}, expected 1, 10, 11 or 16 (a float type)", type));
  }
}

void attention(Translation& t) {
  check_precision(t);
  if (t.has(4) != t.has(5)) t.fail(Code::ImportBadFile, "past_key and past_value must be given together");
  if (t.has(6) && (t.has(4) || t.output_used(1) || t.output_used(2))) {
    t.fail(Code::ImportBadFile, "nonpad_kv_seqlen and a key and value cache exclude each other");
  }
  const int64_t mode = t.integer("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) t.unsupported(fmt::format("qk_matmul_output_mode is {}, expected 0 to 3", mode));
  const bool flat = t.rank(0) == 3;
  const ValueId q = split_heads(t, t.input(0), "q_num_heads");
  ValueId k = split_heads(t, t.input(1), "kv_num_heads"), v = split_heads(t, t.input(2), "kv_num_heads");
  int64_t past = 0;
  if (t.has(4)) {
    if (t.rank(4) != 4 || t.rank(5) != 4) t.fail(Code::ImportShapeMismatch, "past_key and past_value need rank 4");
    past = t.shape(4)[2];
    k = t.emit("Concat", {t.input(4), k}, {{"axis", int64_t{2}}});
    v = t.emit("Concat", {t.input(5), v}, {{"axis", int64_t{2}}});
  }
  if (t.output_used(1)) t.forward(k, 1);
  if (t.output_used(2)) t.forward(v, 2);

  const Heads h = checked(t, q, k, v);
  const Masks masks = read_masks(t, h, past);
  ValueId scores = scaled_scores(t, h);
  const auto show = [&](int64_t when) {
    if (mode == when && t.output_used(3)) t.forward(scores, 3);
  };
  show(0);
  if (const double cap = t.real("softcap", 0.0); cap != 0.0) {
    const ValueId bound = t.scalar(cap, t.dtype_of(q));
    scores = t.emit("Mul", {t.emit("Tanh", {t.emit("Div", {scores, bound})}), bound});
  }
  show(1);
  if (masks.added) scores = t.emit("Add", {scores, *masks.added});
  if (masks.allowed) {
    // The lowest number will do, and rounds to a number in float16; who looks at the scores is shown infinity.
    const bool shown = mode == 2 && t.output_used(3);
    const float hidden = shown ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::lowest();
    scores = t.emit("Where", {*masks.allowed, scores, t.scalar(static_cast<double>(hidden), t.dtype_of(q))});
  }
  show(2);
  scores = t.emit("Softmax", {scores}, {{"axis", int64_t{3}}});
  // A query that sees no key gives zeros.
  if (masks.allowed && (masks.added || may_see_nothing(t, *masks.allowed, h.keys))) {
    scores = t.emit("Where", {*masks.allowed, scores, t.scalar(0, t.dtype_of(q))});
  }
  if (masks.added) scores = without_empty_rows(t, scores, *masks.added);
  show(3);
  if (!flat && h.heads == h.groups) return t.produce("MatMul", {scores, h.v});
  const ValueId y = multiply_heads(t, h, scores, h.v);
  if (!flat) return t.forward(y);
  const ValueId mixed = t.transpose(y, {0, 2, 1, 3});
  const Shape m = t.shape_of(mixed);
  t.produce_reshaped(mixed, {m[0], m[1], m[2] * m[3]});
}

/// The graph of attribute `name` applied to `value`, or `value` itself.
ValueId modified(Translation& t, std::string_view name, ValueId value) {
  const AttributeProto* attribute = t.attribute(name, AttributeKind::Graph);
  if (attribute == nullptr) return value;
  if (attribute->graph == nullptr) t.fail(Code::ImportBadFile, fmt::format("attribute '{}' holds no graph", name));
  const std::vector<ValueId> results =
      inline_graph(t.builder(), t.scope(), t.node(), *attribute->graph, {{value}}, std::string(name));
  if (results.size() != 1 || t.shape_of(results[0]) != t.shape_of(value)) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("{} must give one tensor of the shape it gets, {}", name, to_string(t.shape_of(value))));
  }
  return results[0];
}

/// Softmax(score_mod(Q Kᵀ · scale)), then prob_mod, then V.
void flex_attention(Translation& t) {
  check_precision(t);
  const Heads h = checked(t, t.input(0), t.input(1), t.input(2));
  const ValueId scores = modified(t, "score_mod", scaled_scores(t, h));
  const ValueId weights = modified(t, "prob_mod", t.emit("Softmax", {scores}, {{"axis", int64_t{3}}}));
  t.forward(multiply_heads(t, h, weights, h.v));
}

/// Part of the last dimension: begin, begin + step, … below end.
ValueId columns(Translation& t, ValueId x, int64_t begin, int64_t end, int64_t step = 1) {
  const Shape shape = t.shape_of(x);
  std::vector<int64_t> starts(shape.size(), 0), ends = shape, steps(shape.size(), 1);
  starts.back() = begin;
  ends.back() = end;
  steps.back() = step;
  return t.emit("Slice", {x}, {{"starts", starts}, {"ends", ends}, {"steps", steps}});
}

/// Pairs of the last dimension turned by the angle of their position. Heads stand in dimension 1, or are split off the
/// last one.
void rotary_embedding(Translation& t) {
  const bool flat = t.rank(0) == 3;
  const ValueId x = split_heads(t, t.input(0), "num_heads");
  const Shape shape = t.shape_of(x);
  if (shape.size() != 4)
    t.fail(Code::ImportShapeMismatch, fmt::format("X has shape {}, expected rank 3 or 4", to_string(shape)));
  const int64_t given = t.integer("rotary_embedding_dim", 0), turned = given == 0 ? shape[3] : given;
  if (turned < 2 || turned > shape[3] || turned % 2 != 0) {
    t.unsupported(fmt::format("rotary_embedding_dim is {}, expected an even number up to {}", turned, shape[3]));
  }
  const auto angles = [&](size_t input) {
    const ValueId cache = t.input(input);
    const ValueId rows = t.has(3) ? t.emit("Gather", {cache, t.input(3)}, {{"axis", int64_t{0}}}) : cache;
    const Shape s = t.shape_of(rows);
    if (s.size() != 3 || s[1] != shape[2] || s[2] != turned / 2 || (s[0] != shape[0] && s[0] != 1)) {
      t.fail(Code::ImportShapeMismatch, fmt::format("the cosines or sines have shape {}, expected [{}, {}, {}]",
                                                    to_string(s), shape[0], shape[2], turned / 2));
    }
    return t.reshape(rows, {s[0], 1, s[1], s[2]});
  };
  const ValueId cosine = angles(1), sine = angles(2);
  const bool interleaved = t.integer("interleaved", 0) != 0;
  const ValueId a = interleaved ? columns(t, x, 0, turned, 2) : columns(t, x, 0, turned / 2);
  const ValueId b = interleaved ? columns(t, x, 1, turned, 2) : columns(t, x, turned / 2, turned);
  ValueId real = t.emit("Sub", {t.emit("Mul", {cosine, a}), t.emit("Mul", {sine, b})});
  ValueId imaginary = t.emit("Add", {t.emit("Mul", {sine, a}), t.emit("Mul", {cosine, b})});
  ValueId y;
  if (interleaved) {
    const Shape pair = {shape[0], shape[1], shape[2], turned / 2, 1};
    y = t.emit("Concat", {t.reshape(real, pair), t.reshape(imaginary, pair)}, {{"axis", int64_t{4}}});
    y = t.reshape(y, {shape[0], shape[1], shape[2], turned});
  } else {
    y = t.emit("Concat", {real, imaginary}, {{"axis", int64_t{3}}});
  }
  if (turned < shape[3]) y = t.emit("Concat", {y, columns(t, x, turned, shape[3])}, {{"axis", int64_t{3}}});
  if (!flat) return t.forward(y);
  t.produce_reshaped(t.transpose(y, {0, 2, 1, 3}), t.shape(0));
}

constexpr OperatorRow kAttentionRows[] = {{"Attention", 23, 28, attention},
                                          {"RotaryEmbedding", 23, 28, rotary_embedding}};
constexpr OperatorRow kPreview[] = {{"FlexAttention", 1, 1, flex_attention}};

}  // namespace

std::span<const OperatorRow> attention_operators() { return kAttentionRows; }
std::span<const OperatorRow> preview_operators() { return kPreview; }

}  // namespace openrknn::onnx
