#include "compiler/passes/rule_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "compiler/passes/pass.h"

namespace openrknn {
namespace {

// Rules of the vendor's optimizer as its logs name them, and the pass here that does the same.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kVendorRules = {{
    {"replace_exswish", "fuse_silu"},
    {"fuse_bn_into_conv", "fold_batch_norm"},
    {"replace_mul_add_by_bn", "fold_affine"},
    {"replace_torch_layernorm", "fuse_layer_norm"},
    {"convert_layernorm_to_exnorm", "fuse_layer_norm"},
    {"fuse_mul_into_matmul", "fold_affine"},
    {"fuse_two_reshape", "merge_reshapes"},
    {"fuse_two_transpose", "merge_transposes"},
    {"convert_transpose_to_reshape", "transpose_to_reshape"},
    {"remove_invalid_reshape", "remove_no_ops"},
    {"remove_invalid_slice", "remove_no_ops"},
    {"remove_invalid_cast", "remove_no_ops"},
    {"fuse_matmul_softmax_matmul_to_sdpa", "fuse_attention"},
    {"fuse_exmatmul_add_mul_exsoftmax13_exmatmul_to_sdpa", "fuse_attention"},
}};

// What comes after them counts on their result.
constexpr std::array<std::string_view, 3> kNeeded = {"remove_unused", "widen_floats", "fold_constants"};

}  // namespace

std::vector<std::string> passes_to_leave_out(const std::vector<std::string>& names,
                                             std::vector<std::string>& warnings) {
  std::vector<std::string> passes;
  for (const std::string& name : names) {
    const auto* rule = std::ranges::find(kVendorRules, name, &std::pair<std::string_view, std::string_view>::first);
    const std::string_view pass = rule == kVendorRules.end() ? std::string_view(name) : rule->second;
    if (find_pass(pass) == nullptr) {
      warnings.push_back(
          fmt::format("disable_rules: '{}' is not a pass of this compiler (docs/passes.md), ignored", name));
    } else if (std::ranges::find(kNeeded, pass) != kNeeded.end()) {
      warnings.push_back(fmt::format("disable_rules: no build can do without '{}', ignored", name));
    } else {
      passes.emplace_back(pass);
    }
  }
  return passes;
}

}  // namespace openrknn
