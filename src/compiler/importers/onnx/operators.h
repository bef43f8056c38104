// What OpenRKNN knows about ONNX's operators: one row each, one small function each.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "compiler/importers/onnx/translation.h"

namespace openrknn::onnx {

inline constexpr int kOldestOpset = 1;  ///< of the file; an operator's row says since when its forms are read
inline constexpr int kNewestOpset = 28;

struct OperatorRow {
  std::string_view op;
  int since, until;  ///< opsets in which the operator exists; forms inside that range are told apart by the function
  void (*translate)(Translation&);
};

/// The row for an operator of the default domain; null if there is none for this opset.
const OperatorRow* find_operator(std::string_view op, int64_t opset);
/// The same for an operator of `domain`: the default one, ai.onnx.preview or com.microsoft.
const OperatorRow* find_operator(std::string_view op, std::string_view domain, int64_t opset);
/// The row for an operator of the domain `openrknn`, which is one for all; null if the graph has no such operator.
const OperatorRow* find_own_operator(std::string_view op, int64_t version);
/// Why a node cannot be imported, as the end of a sentence about it.
std::string refusal_reason(std::string_view op, std::string_view domain, int64_t opset);

// One family a file.
std::span<const OperatorRow> elementwise_operators();
std::span<const OperatorRow> arithmetic_operators();
std::span<const OperatorRow> convolution_operators();
std::span<const OperatorRow> pooling_operators();
std::span<const OperatorRow> matmul_operators();
std::span<const OperatorRow> normalization_operators();
std::span<const OperatorRow> reduction_operators();
std::span<const OperatorRow> shape_operators();
std::span<const OperatorRow> movement_operators();
std::span<const OperatorRow> gather_operators();
std::span<const OperatorRow> resize_operators();
std::span<const OperatorRow> sampling_operators();
std::span<const OperatorRow> constant_operators();
std::span<const OperatorRow> control_operators();
std::span<const OperatorRow> data_dependent_operators();
std::span<const OperatorRow> attention_operators();
std::span<const OperatorRow> legacy_operators();
std::span<const OperatorRow> loss_operators();
std::span<const OperatorRow> quantized_operators();
std::span<const OperatorRow> recurrent_operators();
std::span<const OperatorRow> einsum_operators();
std::span<const OperatorRow> sequence_operators();
std::span<const OperatorRow> signal_operators();
/// Of the domain ai.onnx.preview.
std::span<const OperatorRow> preview_operators();
/// Of the domain com.microsoft: operators on codes that onnxruntime's quantizer writes.
std::span<const OperatorRow> contrib_operators();

}  // namespace openrknn::onnx
