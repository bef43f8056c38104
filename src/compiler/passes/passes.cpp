// The order of passes, and what each promises about the numbers.
#include "compiler/passes/passes.h"

namespace openrknn {
namespace {

using namespace passes;  // NOLINT(google-build-using-namespace): the tables read as a list

constexpr Pass kClean[] = {
    {"remove_unused", 0, Effect::Exact, remove_unused, "first: nothing below should spend work on dead nodes"},
    {"widen_floats", 0, Effect::Rounding, widen_floats,
     "golden is one float32 graph; before remove_no_ops, which then drops casts between floats"},
    {"remove_no_ops", 1, Effect::Exact, remove_no_ops,
     "nodes that change nothing hide patterns; constants go second for the passes that look for them there"},
    {"merge_transposes", 1, Effect::Exact, merge_transposes, "layout changes of exporters cancel out"},
    {"transpose_to_reshape", 1, Effect::Exact, transpose_to_reshape,
     "moving dimensions of extent 1 is free; before merge_reshapes, which takes it in"},
    {"merge_reshapes", 1, Effect::Exact, merge_reshapes, "only the last shape of a row counts"},
};

constexpr Pass kFold[] = {
    {"fold_constants", 0, Effect::Exact, fold_constants,
     "first: what follows asks for constants; the same kernels compute it that would at run time"},
    {"sub_to_add", 1, Effect::Exact, sub_to_add, "one form less for the folds and patterns below"},
    {"div_to_mul", 2, Effect::Rounding, div_to_mul, "the NPU multiplies; before fold_affine and fold_input_scale"},
    {"fold_pad", 1, Effect::Exact, fold_pad, "window ops pad by themselves"},
    {"fold_bias", 1, Effect::Exact, fold_bias, "a layer adds its bias for free; before the folds that change it"},
    {"fold_batch_norm", 1, Effect::Rounding, fold_batch_norm, "the normalisation becomes part of the weights"},
    {"fold_affine", 2, Effect::Rounding, fold_affine, "per-channel constants become part of weights and bias"},
};

constexpr Pass kFuse[] = {
    {"min_max_to_clip", 1, Effect::Exact, min_max_to_clip, "first: the patterns below know Clip and Relu only"},
    {"mean_to_global_pool", 2, Effect::Rounding, mean_to_global_pool, "the NPU pools; it does not reduce"},
    {"fuse_layer_norm", 2, Effect::Rounding, fuse_layer_norm,
     "one node instead of nine; before patterns that could take its Mul or Add"},
    {"fuse_gelu", 2, Effect::Rounding, fuse_gelu, "one node instead of five or more"},
    {"fuse_silu", 2, Effect::Rounding, fuse_silu, "one node with one table instead of two with a wide range between"},
    {"fuse_mish", 2, Effect::Rounding, fuse_mish, "as fuse_silu"},
    {"fuse_hard_swish", 2, Effect::Rounding, fuse_hard_swish, "as fuse_silu"},
    {"fuse_hard_sigmoid", 2, Effect::Rounding, fuse_hard_sigmoid, "after fuse_hard_swish, which contains it"},
    {"fuse_prelu", 2, Effect::Rounding, fuse_prelu,
     "one layer instead of five; its Relu would go into the layer before"},
    {.name = "fuse_attention",
     .effect = Effect::Rounding,
     .run = fuse_attention,
     .reason = "what an option asks for; before its products could take what stands behind them",
     .is_asked_for = true},
    {"fuse_activation", 1, Effect::Exact, fuse_activation,
     "an activation inside a layer no longer matches the patterns above"},
    {"fold_input_scale", 2, Effect::Rounding, fold_input_scale,
     "scaled inputs become scaled weights; last: the factor may be the end of a pattern above (GELU's half)"},
};

}  // namespace

std::span<const Pass> clean_passes() { return kClean; }
std::span<const Pass> fold_passes() { return kFold; }
std::span<const Pass> fuse_passes() { return kFuse; }

const Pass* find_pass(std::string_view name) {
  for (const std::span<const Pass> list : {clean_passes(), fold_passes(), fuse_passes()}) {
    for (const Pass& pass : list) {
      if (pass.name == name) return &pass;
    }
  }
  return nullptr;
}

}  // namespace openrknn
