#include "compiler/importers/onnx/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

namespace openrknn::onnx {
namespace {

using Family = std::span<const OperatorRow> (*)();
constexpr Family kFamilies[] = {
    elementwise_operators,   arithmetic_operators,     convolution_operators, pooling_operators,   matmul_operators,
    normalization_operators, reduction_operators,      shape_operators,       movement_operators,  gather_operators,
    resize_operators,        constant_operators,       control_operators,     attention_operators, legacy_operators,
    loss_operators,          data_dependent_operators, recurrent_operators,   sequence_operators,  signal_operators,
    einsum_operators,        quantized_operators,      sampling_operators,
};

struct DomainRow {
  std::string_view domain;
  Family operators;
};
constexpr DomainRow kOtherDomains[] = {
    {"ai.onnx.preview", preview_operators},
    {"com.microsoft", contrib_operators},
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

constexpr std::string_view kSequence = "sequences and optional values are not tensors and have no place on the NPU";
constexpr std::string_view kString = "text is not processed on the NPU";
constexpr std::string_view kRandom =
    "it gives random numbers, so its result cannot be reproduced; feed the numbers as an input instead";
constexpr std::string_view kTraining = "it belongs to training; export the model for inference";

constexpr Refusal kRefusals[] = {
    {"SequenceAt", kSequence},         {"SequenceConstruct", kSequence},
    {"SequenceEmpty", kSequence},      {"SequenceErase", kSequence},
    {"SequenceInsert", kSequence},     {"SequenceLength", kSequence},
    {"SequenceMap", kSequence},        {"SplitToSequence", kSequence},
    {"ConcatFromSequence", kSequence}, {"Optional", kSequence},
    {"OptionalGetElement", kSequence}, {"OptionalHasElement", kSequence},
    {"StringConcat", kString},         {"StringNormalizer", kString},
    {"StringSplit", kString},          {"RegexFullMatch", kString},
    {"TfIdfVectorizer", kString},      {"Bernoulli", kRandom},
    {"Multinomial", kRandom},          {"RandomNormal", kRandom},
    {"RandomNormalLike", kRandom},     {"RandomUniform", kRandom},
    {"RandomUniformLike", kRandom},    {"ImageDecoder", "images are decoded before the model runs; give it pixels"},
};

}  // namespace

const OperatorRow* find_operator(std::string_view op, int64_t opset) {
  const auto [first, last] = rows_by_name().equal_range(op);
  for (auto row = first; row != last; ++row) {
    if (opset >= row->second->since && opset <= row->second->until) return row->second;
  }
  return nullptr;
}

const OperatorRow* find_operator(std::string_view op, std::string_view domain, int64_t opset) {
  if (domain.empty()) return find_operator(op, opset);
  if (domain == "openrknn") return find_own_operator(op, opset);
  for (const DomainRow& other : kOtherDomains) {
    if (other.domain != domain) continue;
    for (const OperatorRow& row : other.operators()) {
      if (row.op == op && opset >= row.since && opset <= row.until) return &row;
    }
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

namespace openrknn {

std::vector<SourceOperator> onnx_operators() {
  std::vector<SourceOperator> operators;
  for (const auto& [op, row] : onnx::rows_by_name()) operators.push_back({op, row->since, row->until, {}});
  for (const onnx::Refusal& row : onnx::kRefusals) operators.push_back({row.op, 0, 0, row.reason});
  std::sort(operators.begin(), operators.end(), [](const SourceOperator& a, const SourceOperator& b) {
    return std::pair(a.op, a.since) < std::pair(b.op, b.since);
  });
  return operators;
}

}  // namespace openrknn
