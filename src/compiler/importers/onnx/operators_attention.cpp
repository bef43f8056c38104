// Attention (opset 23) written out: MatMul, scale, mask, Softmax, MatMul.
#include <fmt/format.h>

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

/// Grouped queries: every key and value head serves `times` query heads.
ValueId repeat_heads(Translation& t, ValueId x, int64_t times) {
  if (times == 1) return x;
  const Shape s = t.shape_of(x);
  const ValueId wide =
      t.emit("Expand", {t.reshape(x, {s[0], s[1], 1, s[2], s[3]})}, {{"shape", Shape{s[0], s[1], times, s[2], s[3]}}});
  return t.reshape(wide, {s[0], s[1] * times, s[2], s[3]});
}

void attention(Translation& t) {
  const auto refuse = [&](std::string_view what) { t.unsupported(fmt::format("{} not built yet", what)); };
  if (t.has(4) || t.has(5) || t.output_used(1) || t.output_used(2)) refuse("a key and value cache is");
  if (t.has(6)) refuse("nonpad_kv_seqlen is");
  if (t.output_used(3)) refuse("the output qk_matmul_output is");
  if (t.integer("left_window_size", -1) >= 0 || t.integer("right_window_size", -1) >= 0) refuse("a sliding window is");

  const bool flat = t.rank(0) == 3;
  const ValueId q = split_heads(t, t.input(0), "q_num_heads");
  ValueId k = split_heads(t, t.input(1), "kv_num_heads"), v = split_heads(t, t.input(2), "kv_num_heads");
  const Shape qs = t.shape_of(q), ks = t.shape_of(k);
  if (qs.size() != 4 || ks.size() != 4 || t.shape_of(v).size() != 4 || ks[1] < 1 || qs[1] % ks[1] != 0) {
    t.fail(Code::ImportShapeMismatch, fmt::format("queries {} and keys {} do not fit", to_string(qs), to_string(ks)));
  }
  k = repeat_heads(t, k, qs[1] / ks[1]);
  v = repeat_heads(t, v, qs[1] / ks[1]);
  const double scale = t.real("scale", 1.0 / std::sqrt(static_cast<double>(qs[3])));
  ValueId scores = t.emit("MatMul", {t.emit("Mul", {q, t.scalar(scale, t.dtype_of(q))}), t.transpose(k, {0, 1, 3, 2})});
  if (const double cap = t.real("softcap", 0.0); cap != 0.0) {
    const ValueId bound = t.scalar(cap, t.dtype_of(q));
    scores = t.emit("Mul", {t.emit("Tanh", {t.emit("Div", {scores, bound})}), bound});
  }
  std::optional<ValueId> allowed;  // false: that query does not see that key
  if (t.has(3)) {
    const ValueId mask = t.input(3);
    if (t.shape_of(mask).empty() || (t.shape_of(mask).back() != ks[2] && t.shape_of(mask).back() != 1)) {
      refuse("a mask shorter than the keys is");
    }
    if (t.dtype_of(mask) == DType::Bool) {
      allowed = mask;
    } else {
      scores = t.emit("Add", {scores, mask});
    }
  }
  if (t.integer("is_causal", 0) != 0) {
    if (qs[2] * ks[2] > (int64_t{1} << 26)) refuse("a causal mask of this size is");
    Tensor causal = Tensor::zeros(DType::Bool, {qs[2], ks[2]});
    const std::span<std::byte> cells = causal.mutable_bytes();
    for (int64_t i = 0; i < qs[2]; ++i) {
      for (int64_t j = 0; j <= i && j < ks[2]; ++j) cells[static_cast<size_t>(i * ks[2] + j)] = std::byte{1};
    }
    const ValueId mask = t.add_constant(std::move(causal), "causal");
    allowed = allowed ? t.emit("And", {*allowed, mask}) : mask;
  }
  if (allowed) {
    scores = t.emit("Where", {*allowed, scores, t.scalar(std::numeric_limits<float>::lowest(), t.dtype_of(q))});
  }
  ValueId weights = t.emit("Softmax", {scores}, {{"axis", int64_t{3}}});
  // A query that sees no key gives zeros, which a softmax alone cannot say.
  if (allowed && t.has(3)) weights = t.emit("Where", {*allowed, weights, t.scalar(0, t.dtype_of(q))});
  if (!flat) return t.produce("MatMul", {weights, v});
  const ValueId mixed = t.transpose(t.emit("MatMul", {weights, v}), {0, 2, 1, 3});
  const Shape m = t.shape_of(mixed);
  t.produce_reshaped(mixed, {m[0], m[1], m[2] * m[3]});
}

constexpr OperatorRow kRows[] = {{"Attention", 23, 28, attention}};

}  // namespace

std::span<const OperatorRow> attention_operators() { return kRows; }

}  // namespace openrknn::onnx
