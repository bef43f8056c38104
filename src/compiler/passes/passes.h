// Every pass, declared once; the lists of passes.cpp say in which order they run and why.
#pragma once

#include "compiler/passes/pass.h"

namespace openrknn::passes {

// clean/
bool remove_unused(Graph&, const PassContext&);
bool widen_floats(Graph&, const PassContext&);
bool remove_no_ops(Graph&, const PassContext&);
bool merge_reshapes(Graph&, const PassContext&);
bool merge_transposes(Graph&, const PassContext&);
bool transpose_to_reshape(Graph&, const PassContext&);
// fold/
bool fold_constants(Graph&, const PassContext&);
bool sub_to_add(Graph&, const PassContext&);
bool div_to_mul(Graph&, const PassContext&);
bool fold_pad(Graph&, const PassContext&);
bool fold_bias(Graph&, const PassContext&);
bool fold_batch_norm(Graph&, const PassContext&);
bool fold_affine(Graph&, const PassContext&);
bool fold_input_scale(Graph&, const PassContext&);
// fuse/
bool min_max_to_clip(Graph&, const PassContext&);
bool mean_to_global_pool(Graph&, const PassContext&);
bool fuse_silu(Graph&, const PassContext&);
bool fuse_hard_swish(Graph&, const PassContext&);
bool fuse_hard_sigmoid(Graph&, const PassContext&);
bool fuse_gelu(Graph&, const PassContext&);
bool fuse_mish(Graph&, const PassContext&);
bool fuse_prelu(Graph&, const PassContext&);
bool fuse_layer_norm(Graph&, const PassContext&);
bool fuse_attention(Graph&, const PassContext&);
bool fuse_activation(Graph&, const PassContext&);

}  // namespace openrknn::passes
