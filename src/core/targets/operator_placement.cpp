// Facts: the vendor's public operator lists for its compiler 2.3.2, joined where they disagree.
#include "core/targets/operator_placement.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr std::string_view kBroadcast = "equal shapes, or B is [b,c,1,w] [b,1,1,w] [b,c,h,1] [b,1,h,1] [b,c,1,1]";
constexpr std::string_view kPool = "kernel 1..7, stride 1..8, pads 0..7, extents up to 8192, rounded down";
constexpr std::string_view kGlobal = "h, w up to 7 (RK3576: 8192); larger ones as a chain";

// Families: 356x 3588 3562 3576 1106 1106B 2118. The last three have int8 or float16 convolution, not both.
constexpr OperatorPlacement kNpuRows[] = {
    {"Abs", "cccccc-", "cccc--c", "as Max of x and -x", check_rewritten},
    {"Add", "cccccc-", "cccc--c", kBroadcast, check_broadcast},
    {"Attention", "--cc---", "--cc---", "q and v up to 8192 wide; one mask for all heads, or one number a key",
     check_attention},
    {"AveragePool", "cccccc-", "cccc--c",
     "kernel 1..7, stride 1..8, pads 0..7, count_include_pad 1; a Conv on RV1103B, RV1106B and RK2118",
     check_average_pool},
    {"BatchNormalization", "yyyyyy-", "yyyy--y", ""},
    {"Clip", "yyyyyy-", "yyyy--y", ""},
    {"Concat", "yyyyyy-", "yyyy--y", ""},
    {"Conv", "cccccc-", "cccc--c",
     "kernel 1..31 (depthwise 1..8), stride 1..7, pads 0..15, dilation 1..31 (depthwise 1..32), constant weights",
     check_conv},
    {"ConvTranspose", "cccccc-", "cccc--c",
     "kernel 1..31, pads 0..15, stride 1, 2, 4, 8 (1..8 from RK3562 on), group 1 or depthwise, dilation with kernel 1",
     check_conv_transpose},
    {"Convert", "yyyyyy-", "yyyy--y", ""},
    {"Div", "-------", "cccc--c", kBroadcast, check_broadcast},
    {"Elu", "cccccc-", "cccc--c", "alpha 1", check_elu},
    {"Expand", "cccccc-", "cccc--c", "from [b,c,1,w] [b,1,1,w] [b,c,h,1] [b,1,h,1] [b,c,1,1], h and w up to 8192",
     check_expand},
    {"GRU", "-------", "cccc---", "sequence, input, hidden up to 8192; batch 1 or a multiple of 4", check_recurrent},
    {"Gather", "cccc---", "cccc---", "indices of rank 1, axis 0..3", check_gather},
    {"Gelu", "yyyyyy-", "yyyy--y", ""},
    {"GlobalAveragePool", "cccccc-", "cccc--c", kGlobal, check_global_pool},
    {"GlobalMaxPool", "cccccc-", "cccc--c", kGlobal, check_global_pool},
    {"Greater", "---c---", "---c---", kBroadcast, check_broadcast},
    {"HardSigmoid", "cccccc-", "cccc--c", "alpha 1/6, beta 0.5", check_hard_sigmoid},
    {"HardSwish", "yyyyyy-", "yyyy--y", ""},
    {"LSTM", "ccccc--", "cccc--c",
     "sequence, input, hidden up to 8192; batch 1 or a multiple of 4; no peepholes, no coupled gates", check_recurrent},
    {"LayerNormalization", "-------", "cccc---", "over the channels, or all but the batch", check_layer_normalization},
    {"LeakyRelu", "yyyyyy-", "yyyy--y", ""},
    {"MatMul", "cccccc-", "cccc--c", "constant B: as a 1x1 Conv; else K up to 8192", check_mat_mul},
    {"Max", "cccccc-", "cccc--c", kBroadcast, check_broadcast},
    {"MaxPool", "cccccc-", "cccc--c", kPool, check_max_pool},
    {"Min", "cc-cc--", "cc-c---", kBroadcast, check_broadcast},
    {"Mish", "yyyyyy-", "yyyy--y", ""},
    {"Mul", "cccccc-", "cccc--c", kBroadcast, check_broadcast},
    {"Neg", "cccccc-", "cccc--c", "as Mul by -1", check_rewritten},
    {"PRelu", "cccccc-", "cccc--c", "slope one number or one per channel", check_prelu},
    {"Pad", "cccccc-", "cccc--c", "constant; reflect with c, h up to 8192 and w up to 8176", check_pad},
    {"Pow", "ccccc--", "cccc--c", "constant exponent 0, 1, 2, 3, 0.5 or -0.5", check_pow},
    {"Reciprocal", "-------", "cccc--c", "as Div of a constant by x", check_rewritten},
    {"ReduceMean", "cccccc-", "cccc--c", "over h and w: as GlobalAveragePool or Conv", check_spatial_reduction},
    {"ReduceSum", "cccccc-", "cccc--c", "over h and w: as Conv by ones", check_spatial_reduction},
    {"Relu", "yyyyyy-", "yyyy--y", ""},
    {"Reshape", "yyyyyy-", "yyyy--y", ""},
    {"Resize", "cccccc-", "cccc--c",
     "nearest or linear, integer scale 2..8 in h and w, half_pixel, pytorch_half_pixel or align_corners", check_resize},
    {"SiLU", "yyyyyy-", "yyyy--y", ""},
    {"Sigmoid", "yyyyyy-", "yyyy--y", ""},
    {"Slice", "cccccc-", "cccc--c", "steps of 1", check_slice},
    {"Softmax", "-ccccc-", "-ccc--c", "axis 1 or 3", check_softmax},
    {"Softplus", "yyyyyy-", "yyyy--y", ""},
    {"Split", "yyyyyy-", "yyyy--y", ""},
    {"Sqrt", "ccccc--", "cccc--c", "as Pow by 0.5", check_rewritten},
    {"Sub", "cccccc-", "cccc--c", "B is [b,c,1,1] or one number", check_sub},
    {"Tanh", "yyyyyy-", "yyyy--y", ""},
    {"Tile", "yyyyyy-", "yyyy--y", ""},
    {"Transpose", "cccccc-", "cccc--c", "by permutation and size; RK3566, RK3568: only between extents of 1",
     check_transpose},
    {"Where", "cccccc-", "cccc--c", kBroadcast, check_broadcast},
};

// CPU kernels of the vendor's runtime. Here under the names of this graph: ArgMaxPool is its MaxPool, Reciprocal its
// Div.
constexpr std::string_view kCpu[] = {
    "Add",
    "And",
    "ArgMax",
    "ArgMaxPool",
    "ArgMin",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Convert",
    "Cos",
    "DepthToSpace",
    "Div",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Floor",
    "GRU",
    "Gather",
    "GatherElements",
    "Gelu",
    "Greater",
    "GreaterOrEqual",
    "HardSwish",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "MaxRoiPool",
    "MaxUnpool",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Not",
    "OneHot",
    "Pad",
    "Pow",
    "Reciprocal",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Reshape",
    "Resize",
    "ReverseSequence",
    "RoiAlign",
    "Round",
    "ScatterND",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Slice",
    "Softmax",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Sub",
    "Tanh",
    "Tile",
    "TopK",
    "Transpose",
    "Where",
};
// What is left of them in the small runtime of RV1103, RV1106 and their B forms. RK2118 has none.
constexpr std::string_view kSmallCpu[] = {
    "Concat",     "Convert",  "Div",       "Exp",     "Gather",    "LayerNormalization",
    "Reciprocal", "ReduceL2", "ReduceMax", "Reshape", "ScatterND", "Softmax"};

}  // namespace

std::span<const OperatorPlacement> npu_operators() { return kNpuRows; }

const OperatorPlacement* find_npu_operator(std::string_view op) {
  for (const OperatorPlacement& row : kNpuRows) {
    if (row.op == op) return &row;
  }
  return nullptr;
}

bool has_cpu_kernel(std::string_view op, Family family) {
  if (family == Family::Rk2118) return false;
  const bool is_small = family == Family::Rv1106 || family == Family::Rv1106b;
  const std::span<const std::string_view> kernels = is_small ? std::span<const std::string_view>(kSmallCpu) : kCpu;
  return std::find(kernels.begin(), kernels.end(), op) != kernels.end();
}

Place place_of(std::string_view op, Family family, DType dtype) {
  if (const OperatorPlacement* row = find_npu_operator(op)) {
    const std::string_view letters = dtype == DType::Float16 ? row->float16 : row->int8;
    const char letter = letters[static_cast<size_t>(family)];
    if (letter == 'y') return Place::Npu;
    if (letter == 'c') return Place::NpuIf;
  }
  return has_cpu_kernel(op, family) ? Place::Cpu : Place::None;
}

}  // namespace openrknn
