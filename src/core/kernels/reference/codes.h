// Shared by the Int8 and Int16 reference kernels: which calls they take, parameters, rows, numpy broadcasting.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "core/kernels/output_stage.h"
#include "core/kernels/reference/prepared.h"

namespace openrknn::reference {

/// Int8 codes with one scale and zero point.
inline bool is_codes(const Operand& operand) {
  return operand.present && operand.dtype == DType::Int8 && operand.quant != nullptr &&
         operand.quant->scale.size() == 1;
}
/// Int8 or Int16 codes with one scale and zero point.
using CodeTypes = Types<int8_t, int16_t>;
inline bool is_coded(const Operand& operand) {
  return operand.present && one_of(CodeTypes{}, operand.dtype) && operand.quant != nullptr &&
         operand.quant->scale.size() == 1;
}
inline bool are_codes(std::span<const Operand> operands) {
  for (const Operand& operand : operands) {
    if (!is_codes(operand)) return false;
  }
  return true;
}
/// All of them codes of the same type as `like`.
inline bool are_coded_as(const Operand& like, std::span<const Operand> operands) {
  if (!is_coded(like)) return false;
  for (const Operand& operand : operands) {
    if (!is_coded(operand) || operand.dtype != like.dtype) return false;
  }
  return true;
}
inline bool is_coded_as(const Operand& like, const Operand& operand) { return are_coded_as(like, {&operand, 1}); }
/// The bias of a layer is as wide as its accumulator.
inline DType bias_dtype(DType codes) { return codes == DType::Int16 ? DType::Int64 : DType::Int32; }
inline bool bias_fits(const Call& call, size_t index = 2) {
  return !present(call.inputs, index) || call.inputs[index].dtype == bias_dtype(call.inputs[0].dtype);
}
/// Element c of a bias. More than an accumulator holds (a file may lie) must not overflow the sum.
template <class Code>
int64_t bias_of(std::span<const Buffer> buffers, size_t index, int64_t c) {
  using Bias = std::conditional_t<sizeof(Code) == 1, int32_t, int64_t>;
  return saturate48(input<Bias>(buffers, index)[c]);
}
/// lower() has been here, or nobody asks for its integers.
inline bool is_lowered(const Call& call, size_t scales = 1) {
  return call.ideal || (call.node.fixed && call.node.fixed->scale.size() >= scales && call.law != nullptr);
}

/// real = (code - zero_point) * scale
struct CodeParams {
  double scale = 1;
  int32_t zero_point = 0, low = -128, high = 127;

  CodeParams() = default;
  explicit CodeParams(const Operand& operand)
      : scale(operand.quant->scale[0]),
        zero_point(operand.quant->zero_point[0]),
        low(static_cast<int32_t>(lowest_code(operand.dtype))),
        high(static_cast<int32_t>(highest_code(operand.dtype))) {}
  double real(int32_t code) const { return (code - zero_point) * scale; }
  int32_t code(double real) const { return real_to_code(real, scale, zero_point, low, high); }
};

/// Elements between neighbouring channels of an operand.
inline int64_t channel_stride(const Operand& x) {
  int64_t stride = 1;
  if (x.layout == Layout::Logical) {
    for (size_t d = 2; d < x.shape.size(); ++d) stride *= x.shape[d];
  }
  return stride;
}

/// Operators that are one curve (curves.h) of their operand at either width.
inline constexpr std::string_view kCurveOperators[] = {"Elu",     "Selu",      "Celu",     "HardSigmoid",
                                                       "Sigmoid", "Tanh",      "Softplus", "Softsign",
                                                       "SiLU",    "HardSwish", "Mish",     "Gelu"};
/// `curve` as a row of each of them, then the others.
template <size_t kOthers>
constexpr auto with_curve_rows(const Kernel& curve, const Kernel (&others)[kOthers]) {
  constexpr size_t kCurves = std::size(kCurveOperators);
  std::array<Kernel, kCurves + kOthers> rows{};
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = i < kCurves ? curve : others[i - kCurves];
  for (size_t i = 0; i < kCurves; ++i) rows[i].op = kCurveOperators[i];
  return rows;
}

/// Strides of an operand along the output's dimensions, 0 where it is repeated.
inline std::vector<int64_t> broadcast_strides(const Shape& in, const Shape& out) {
  std::vector<int64_t> strides(out.size(), 0);
  int64_t stride = 1;
  for (size_t i = 0; i < in.size(); ++i) {
    const size_t from = in.size() - 1 - i, to = out.size() - 1 - i;
    if (in[from] != 1) strides[to] = stride;
    stride *= in[from];
  }
  return strides;
}
/// Element of the operand that output element `index` reads.
inline int64_t broadcast_offset(int64_t index, const Shape& out, const std::vector<int64_t>& strides) {
  int64_t offset = 0;
  for (size_t i = out.size(); i-- > 0;) {
    offset += index % out[i] * strides[i];
    index /= out[i];
  }
  return offset;
}

}  // namespace openrknn::reference
