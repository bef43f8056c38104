#include "compiler/importers/onnx/operators.h"

#include <fmt/format.h>

#include <array>
#include <unordered_map>

namespace openrknn::onnx {
namespace {

using Family = std::span<const OperatorRow> (*)();
constexpr Family kFamilies[] = {
    elementwise_operators,   arithmetic_operators, convolution_operators, pooling_operators,  matmul_operators,
    normalization_operators, reduction_operators,  shape_operators,       movement_operators, gather_operators,
    resize_operators,        sampling_operators,   constant_operators,    control_operators,  attention_operators,
};

const std::unordered_multimap<std::string_view, const OperatorRow*>& rows_by_name() {
  static const auto table = [] {
    std::unordered_multimap<std::string_view, const OperatorRow*> rows;
    for (const Family family : kFamilies) {
      for (const OperatorRow& row : family()) rows.emplace(row.op, &row);
    }
    return rows;
  }();
  return table;
}

struct Refusal {
  std::string_view op, reason;
};

constexpr std::string_view kQuantized =
    "reading quantized ONNX models is not built yet; give the float model and quantize it here";
constexpr std::string_view kDataDependent = "the size of its output depends on data";
constexpr std::string_view kSequence = "sequences and optional values are not tensors and have no place on the NPU";
constexpr std::string_view kString = "text is not processed on the NPU";
constexpr std::string_view kRecurrent = "recurrent layers are not built yet";
constexpr std::string_view kRandom = "it gives random numbers, so its result cannot be reproduced";
constexpr std::string_view kTraining = "it belongs to training; export the model for inference";
constexpr std::string_view kLoop = "loops are not built yet; export the model with the loop unrolled";
constexpr std::string_view kSignal = "signal processing is not built yet";
constexpr std::string_view kBits = "operations on bits are not built yet";

constexpr Refusal kRefusals[] = {
    {"QuantizeLinear", kQuantized},
    {"DequantizeLinear", kQuantized},
    {"DynamicQuantizeLinear", kQuantized},
    {"QLinearConv", kQuantized},
    {"QLinearMatMul", kQuantized},
    {"ConvInteger", kQuantized},
    {"MatMulInteger", kQuantized},
    {"NonMaxSuppression", kDataDependent},
    {"NonZero", kDataDependent},
    {"Compress", kDataDependent},
    {"Unique", kDataDependent},
    {"SequenceAt", kSequence},
    {"SequenceConstruct", kSequence},
    {"SequenceEmpty", kSequence},
    {"SequenceErase", kSequence},
    {"SequenceInsert", kSequence},
    {"SequenceLength", kSequence},
    {"SequenceMap", kSequence},
    {"SplitToSequence", kSequence},
    {"ConcatFromSequence", kSequence},
    {"Optional", kSequence},
    {"OptionalGetElement", kSequence},
    {"OptionalHasElement", kSequence},
    {"StringConcat", kString},
    {"StringNormalizer", kString},
    {"StringSplit", kString},
    {"RegexFullMatch", kString},
    {"TfIdfVectorizer", kString},
    {"LSTM", kRecurrent},
    {"GRU", kRecurrent},
    {"RNN", kRecurrent},
    {"CausalConvWithState", kRecurrent},
    {"LinearAttention", kRecurrent},
    {"Bernoulli", kRandom},
    {"Multinomial", kRandom},
    {"RandomNormal", kRandom},
    {"RandomNormalLike", kRandom},
    {"RandomUniform", kRandom},
    {"RandomUniformLike", kRandom},
    {"NegativeLogLikelihoodLoss", kTraining},
    {"SoftmaxCrossEntropyLoss", kTraining},
    {"Loop", kLoop},
    {"Scan", kLoop},
    {"DFT", kSignal},
    {"STFT", kSignal},
    {"MelWeightMatrix", kSignal},
    {"BlackmanWindow", kSignal},
    {"HammingWindow", kSignal},
    {"HannWindow", kSignal},
    {"BitShift", kBits},
    {"BitCast", kBits},
    {"BitwiseAnd", kBits},
    {"BitwiseNot", kBits},
    {"BitwiseOr", kBits},
    {"BitwiseXor", kBits},
    {"ImageDecoder", "images are decoded before the model runs; give it pixels"},
};

}  // namespace

const OperatorRow* find_operator(std::string_view op, int64_t opset) {
  const auto [first, last] = rows_by_name().equal_range(op);
  for (auto row = first; row != last; ++row) {
    if (opset >= row->second->since && opset <= row->second->until) return row->second;
  }
  return nullptr;
}

std::string refusal_reason(std::string_view op, std::string_view domain, int64_t opset) {
  if (domain == "ai.onnx.ml") return "classical machine learning (ai.onnx.ml) does not run on an NPU";
  if (domain.starts_with("ai.onnx.preview.training") || domain == "ai.onnx.training") return std::string(kTraining);
  if (!domain.empty()) {
    return fmt::format(
        "it is an operator of the domain '{}', which the ONNX standard does not define, and the model "
        "brings no function for it",
        domain);
  }
  const auto [first, last] = rows_by_name().equal_range(op);
  if (first != last) {
    int since = first->second->since, until = first->second->until;
    for (auto row = first; row != last; ++row) {
      since = std::min(since, row->second->since);
      until = std::max(until, row->second->until);
    }
    return opset < since ? fmt::format("it exists from opset {} on, the model declares opset {}", since, opset)
                         : fmt::format("it was removed after opset {}, the model declares opset {}", until, opset);
  }
  for (const Refusal& refusal : kRefusals) {
    if (refusal.op == op) return std::string(refusal.reason);
  }
  return fmt::format("no translation is built for it (opset {})", opset);
}

}  // namespace openrknn::onnx
