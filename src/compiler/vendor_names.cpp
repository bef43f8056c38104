#include "compiler/vendor_names.h"

#include <algorithm>
#include <array>

namespace openrknn {
namespace {

// As the toolkit's logs and tables print them. Longer ones first: what is left shall have no ending of its own.
constexpr std::array<std::string_view, 22> kEndings = {
    "_before_conv", "__float16", "_2reshape", "_2global", "_2swish", "_before", "__int16", "_expand",
    "_2gemm",       "_2conv",    "_2sdpa",    "__int8",   "_int16",  "_int8",   "_sdpa",   "_rs",
    "-rs",          "_tp",       "_mm",       "_sw",      "_ln",     "_i1"};

constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kOperators = {{
    {"exSwish", "SiLU"},
    {"exGelu", "Gelu"},
    {"exMish", "Mish"},
    {"exHardSwish", "HardSwish"},
    {"exSoftmax13", "Softmax"},
    {"exSoftmaxMask", "Softmax"},
    {"exNorm", "LayerNormalization"},
    {"exLayerNorm", "LayerNormalization"},
    {"exMatMul", "MatMul"},
    {"exSDPAttention", "Attention"},
    {"exDataConvert", "Convert"},
    {"exLRN", "LRN"},
    {"exGRU", "GRU"},
}};

}  // namespace

std::string layer_named(const Graph& graph, std::string_view name) {
  if (!graph.computing(name).empty()) return std::string(name);
  for (const std::string_view ending : kEndings) {
    if (!name.ends_with(ending) || name.size() == ending.size()) continue;
    return layer_named(graph, name.substr(0, name.size() - ending.size()));
  }
  return {};
}

std::string_view operator_named(std::string_view vendor_type) {
  const auto* row = std::ranges::find(kOperators, vendor_type, &std::pair<std::string_view, std::string_view>::first);
  return row == kOperators.end() ? vendor_type : row->second;
}

}  // namespace openrknn
