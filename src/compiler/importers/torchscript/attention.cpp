// Attention: as one function, and as the layers of transformers that torch has kernels of their own for.
#include <fmt/format.h>

#include <cmath>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

constexpr double kHidden = -3.4028234663852886e38;  // what a softmax does not see

/// softmax(scale · q · kᵀ + mask) · v. The scale is 1 / sqrt(d) where none is given.
Value attention(const Call& call) {
  const ValueId query = call.floating(0);
  ValueId key = call.floating(1), value = call.floating(2);
  if (call.rank(query) < 2 || call.rank(key) < 2 || call.rank(value) < 2) call.refuse("of vectors");
  if (call.number(4, 0) != 0) call.refuse("dropout is of training", "call model.eval() before it is saved");
  if (call.flag(7) && call.rank(query) >= 3 && call.rank(key) == call.rank(query)) {  // enable_gqa: heads share keys
    const int64_t heads = call.rank(query) - 3, wanted = call.extent(query, heads), there = call.extent(key, heads);
    if (there < 1 || wanted % there != 0) call.refuse(fmt::format("{} heads share {} keys", wanted, there));
    const auto repeat = [&](ValueId x) {
      if (wanted == there) return x;
      Shape apart = call.shape(x), all = call.shape(x);
      apart.insert(apart.begin() + heads + 1, 1);
      Shape spread = apart;
      spread[static_cast<size_t>(heads) + 1] = wanted / there;
      all[static_cast<size_t>(heads)] = wanted;
      return call.reshape(call.expand(call.reshape(x, apart), spread), all);
    };
    key = repeat(key);
    value = repeat(value);
  }
  const auto rank = static_cast<size_t>(call.rank(key));
  Ints order;
  for (size_t d = 0; d < rank; ++d) order.push_back(static_cast<int64_t>(d));
  std::swap(order[rank - 1], order[rank - 2]);
  const double scale = call.number(6, 1 / std::sqrt(static_cast<double>(call.shape(query).back())));
  const ValueId logits = call.add("MatMul", {query, call.transpose(key, order)});
  ValueId scores = call.add("Mul", {logits, call.scalar(scale)});
  const ValueId hidden = call.scalar(kHidden);
  if (call.flag(5)) {
    const int64_t rows = call.extent(scores, call.rank(scores) - 2), columns = call.shape(scores).back();
    call.checked({rows, columns});
    std::vector<float> mask(static_cast<size_t>(rows * columns), 0);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = i + 1; j < columns; ++j)
        mask[static_cast<size_t>(i * columns + j)] = static_cast<float>(kHidden);
    scores = call.add("Add", {scores, call.constant("mask", Tensor::from<float>({rows, columns}, mask))});
  } else if (call.has(3)) {
    const ValueId mask = call.tensor(3);
    scores = call.dtype(mask) == DType::Bool ? call.add("Where", {mask, scores, hidden})
                                             : call.add("Add", {scores, call.cast(mask, DType::Float32)});
  }
  const ValueId weights = call.add("Softmax", {scores}, {{"axis", call.rank(scores) - 1}});
  return box(call.add("MatMul", {weights, value}));
}

ValueId affine(const Call& call, ValueId x, size_t weight, size_t bias) {
  std::vector<ValueId> inputs{x,
                              call.builder().add_beside("Transpose", {call.floating(weight)}, {{"perm", Ints{1, 0}}})};
  if (call.has(bias)) inputs.push_back(call.floating(bias));
  return call.add("MatMul", std::move(inputs));
}

/// Where the arguments of attention over one sequence are.
struct AttentionArguments {
  size_t heads, weights, biases, out_weights, out_biases, mask, mask_type;
};

struct Attended {
  ValueId numbers, weights;
};

/// x [N, T, E] attends to itself. Masks are true where nothing is seen.
Attended attend(const Call& call, ValueId x, const AttentionArguments& at) {
  call.require_rank(x, 3, 3);
  const Shape shape = call.shape(x);
  const int64_t heads = call.integer(at.heads);
  if (heads < 1 || shape[2] % heads != 0) call.refuse(fmt::format("{} heads of {}", heads, to_string(shape)));
  const int64_t width = shape[2] / heads;
  const ValueId all = affine(call, x, at.weights, at.biases);
  if (call.shape(all)[2] != 3 * shape[2]) call.refuse(fmt::format("weights that give {}", to_string(call.shape(all))));
  const auto part = [&](int64_t i, Ints order) {
    const ValueId own = call.slice(all, 2, i * shape[2], (i + 1) * shape[2]);
    return call.transpose(call.reshape(own, {shape[0], shape[1], heads, width}), std::move(order));
  };
  const ValueId query = part(0, {0, 2, 1, 3}), key = part(1, {0, 2, 3, 1}), value = part(2, {0, 2, 1, 3});
  const ValueId scaled = call.add("Mul", {query, call.scalar(1 / std::sqrt(static_cast<double>(width)))});
  ValueId scores = call.add("MatMul", {scaled, key});
  if (call.has(at.mask)) {
    ValueId mask = call.tensor(at.mask);
    if (call.integer(at.mask_type, 0) == 1) {  // of places: [N, T]
      call.require_rank(mask, 2, 2);
      mask = call.reshape(mask, {call.extent(mask, 0), 1, 1, call.extent(mask, 1)});
    }
    scores = call.dtype(mask) == DType::Bool ? call.add("Where", {mask, call.scalar(kHidden), scores})
                                             : call.add("Add", {scores, call.cast(mask, DType::Float32)});
  }
  const ValueId weights = call.add("Softmax", {scores}, {{"axis", int64_t{3}}});
  const ValueId mixed = call.transpose(call.add("MatMul", {weights, value}), {0, 2, 1, 3});
  return {affine(call, call.reshape(mixed, shape), at.out_weights, at.out_biases), weights};
}

/// query key value embed_dim num_head qkv_weight qkv_bias proj_weight proj_bias mask need_weights average mask_type
Value multi_head_attention(const Call& call) {
  const ValueId x = call.floating(0);
  if (call.floating(1) != x || call.floating(2) != x)
    call.refuse("keys or values other than the queries are not supported in this form",
                "call torch.backends.mha.set_fastpath_enabled(False) before tracing");
  const Attended result = attend(call, x, {4, 5, 6, 7, 8, 9, 12});
  if (!call.flag(10, true)) return make_tuple({box(result.numbers), None{}});
  if (!call.flag(11, true)) return tuple_of({result.numbers, result.weights});
  return tuple_of(
      {result.numbers, call.add("ReduceMean", {result.weights}, {{"axes", Ints{1}}, {"keepdims", int64_t{0}}})});
}

/// src embed_dim num_heads qkv_weight qkv_bias proj_weight proj_bias use_gelu norm_first eps norm_weight_1 norm_bias_1
/// norm_weight_2 norm_bias_2 ffn_weight_1 ffn_bias_1 ffn_weight_2 ffn_bias_2 mask mask_type
Value encoder_layer(const Call& call) {
  const ValueId x = call.floating(0);
  const bool norm_first = call.flag(8);
  const auto norm = [&](ValueId y, size_t weight, size_t bias) {
    return call.add("LayerNormalization", {y, call.floating(weight), call.floating(bias)},
                    {{"axis", call.rank(y) - 1}, {"epsilon", call.number(9, 1e-5)}});
  };
  const auto think = [&](ValueId y) {
    const ValueId wide = affine(call, y, 14, 15);
    return affine(call, call.flag(7) ? call.add("Gelu", {wide}) : call.add("Relu", {wide}), 16, 17);
  };
  const AttentionArguments arguments{2, 3, 4, 5, 6, 18, 19};
  if (norm_first) {
    const ValueId seen = call.add("Add", {x, attend(call, norm(x, 10, 11), arguments).numbers});
    return box(call.add("Add", {seen, think(norm(seen, 12, 13))}));
  }
  const ValueId seen = norm(call.add("Add", {x, attend(call, x, arguments).numbers}), 10, 11);
  return box(norm(call.add("Add", {seen, think(seen)}), 12, 13));
}

constexpr OperatorRow kAttentionRows[] = {
    {"aten::_native_multi_head_attention",
     "query key value embed_dim num_head qkv_weight qkv_bias proj_weight proj_bias mask need_weights "
     "average_attn_weights mask_type",
     multi_head_attention},
    {"aten::_transformer_encoder_layer_fwd",
     "src embed_dim num_heads qkv_weight qkv_bias proj_weight proj_bias use_gelu norm_first eps norm_weight_1 "
     "norm_bias_1 norm_weight_2 norm_bias_2 ffn_weight_1 ffn_bias_1 ffn_weight_2 ffn_bias_2 mask mask_type",
     encoder_layer},
    {"aten::scaled_dot_product_attention", "query key value attn_mask dropout_p is_causal scale enable_gqa", attention},
};

}  // namespace

std::span<const OperatorRow> rows_of_attention() { return kAttentionRows; }

}  // namespace openrknn::torchscript
