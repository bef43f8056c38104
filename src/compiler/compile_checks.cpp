#include "compiler/compile_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "compiler/quantize/given_precision.h"

namespace openrknn {
namespace {

bool serves(const CompileOptions& options, CorrectionUse use) {
  const bool codes_activations = options.quantize && !is_weight_only(options.scheme);
  switch (use) {
    case CorrectionUse::CodedWeights:
      return options.quantize;
    case CorrectionUse::CodedActivations:
      return codes_activations;
    case CorrectionUse::Float16:
      return !codes_activations;
  }
  return false;
}

}  // namespace

bool wants(const CompileOptions& options, const Correction& correction) {
  return options.corrections.*correction.wanted && serves(options, correction.use);
}

void require_scheme(const Target& target, const CompileOptions& options) {
  if (!options.quantize || supports(target, options.scheme)) return;
  std::string others;
  for (const Target& row : all_targets()) {
    if (supports(row, options.scheme)) others += fmt::format("{}{}", others.empty() ? "" : ", ", row.name);
  }
  fail(Code::ConfigUnsupported,
       fmt::format("{} does not support {} quantization", target.display_name, name(options.scheme)),
       fmt::format("platforms that do: {}", others));
}

void require_float16(const Target& target, const Graph& graph) {
  if (target.float16) return;
  std::string layers;
  int64_t count = 0;
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    const bool heavy = node.op == "Conv" || node.op == "ConvTranspose" || node.op == "MatMul";
    if (!heavy || graph[node.outputs[0]].dtype != DType::Float16) continue;
    if (++count <= 8) layers += fmt::format("{}'{}'", layers.empty() ? "" : ", ", node.name);
  }
  if (count > 8) layers += fmt::format(" and {} more", count - 8);
  if (count > 0) {
    fail(Code::ConfigUnsupported,
         fmt::format("{} has no float16 convolution, but these layers would need it: {}", target.display_name, layers),
         "build with do_quantization=True, or choose another target_platform");
  }
}

void require_fitting_parameters(const Target& target, const CompileOptions& options, const Graph& golden,
                                const GivenParameters& given) {
  if (options.quantize && is_weight_only(options.scheme)) {
    fail(
        Code::ConfigUnsupported,
        fmt::format("quantized_dtype {} codes weights alone, but the model is quantized already", name(options.scheme)),
        "build with do_quantization=False to keep the model's parameters, or load its float form");
  }
  const std::map<DType, ValueId> types = given_types(given);
  for (const auto& [type, tensor] : types) {
    if (options.quantize && type != activation_spec(options.scheme).dtype) {
      fail(Code::ConfigUnsupported, Location{.tensor = golden[tensor].name},
           fmt::format("the model is quantized to {} here, quantized_dtype {} means {}", numpy_name(type),
                       name(options.scheme), numpy_name(activation_spec(options.scheme).dtype)),
           "build with do_quantization=False to keep the model's parameters");
    }
  }
  if (types.contains(DType::Int16) && !supports(target, Scheme::W16A16I)) {
    fail(Code::ConfigUnsupported,
         fmt::format("the model is quantized to int16, which {} does not compute", target.display_name),
         "quantize its activations to 8 bits, or choose RV1103 or RV1106");
  }
}

void report_parameters(const CompileOptions& options, const KeptParameters& kept, CompileReport& report) {
  report.warnings.insert(report.warnings.end(), kept.notes.begin(), kept.notes.end());
  std::vector<std::string_view> left_out;
  for (const std::span<const Correction> corrections : {corrections_of_layers(), corrections_of_fused_graph()}) {
    for (const Correction& correction : corrections) {
      if (wants(options, correction) && !correction.keeps_numbers) left_out.push_back(correction.name);
    }
  }
  if (options.quantize && options.bias_correction) left_out.emplace_back("bias_correction");
  if (options.quantize && options.rounding != Rounding::Nearest) {
    left_out.emplace_back(options.rounding == Rounding::Adaptive ? "rounding" : "gdq");
  }
  if (!left_out.empty()) {
    report.warnings.push_back(
        fmt::format("left out, because they would change the model's own parameters: {}", fmt::join(left_out, ", ")));
  }
  if (!options.quantize) return;
  report.warnings.push_back(
      fmt::format("the model is quantized already: it keeps the parameters it brings for {} tensors and {} constants, "
                  "only the rest is calibrated; build with do_quantization=False to leave the rest in float16",
                  kept.tensors.size(), kept.constants.size()));
}

const Target& target_of(const CompileOptions& options) {
  const Target* target = find_target(options.target);
  if (target == nullptr) {
    std::string known;
    for (const Target& row : all_targets()) known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
    fail(Code::ConfigUnknownPlatform, fmt::format("unknown target '{}'", options.target), "known targets: " + known);
  }
  return *target;
}

void require_samples(const CompileOptions& options, const Samples* samples) {
  if (!needs_samples(options) || samples != nullptr) return;
  if (options.quantize && is_weight_only(options.scheme)) {
    fail(Code::DatasetMissing,
         fmt::format("{} needs no samples, but bias correction, adaptive rounding and gdq do, and none were given",
                     name(options.scheme)),
         "pass a dataset, or leave the corrections out");
  }
  fail(Code::DatasetMissing, "quantization needs sample data and none was given",
       "pass a dataset, or build with do_quantization=False");
}

void warn_of_idle_options(const CompileOptions& options, CompileReport& report) {
  struct Row {
    std::string_view option;
    bool is_given, serves;
  };
  const bool codes = options.quantize, codes_weights = codes || options.quantize_weight;
  const Row rows[] = {
      {"quantized_algorithm", options.algorithm != RangeAlgorithm::Normal, codes},
      {"rounding", options.rounding == Rounding::Adaptive, codes},
      {"quantized_algorithm", options.rounding == Rounding::ErrorFeedback, codes},
      {"bias_correction", options.bias_correction, codes},
      {"symmetric_weights", options.symmetric_weights, codes_weights},
      {"quantize_weight", options.quantize_weight, !codes},
      {"quantized_hybrid_level", options.hybrid_level > 0, codes && options.scheme == Scheme::W8A8},
  };
  std::vector<std::string_view> idle;
  for (const Row& row : rows) {
    if (row.is_given && !row.serves) idle.push_back(row.option);
  }
  for (const std::span<const Correction> corrections : {corrections_of_layers(), corrections_of_fused_graph()}) {
    for (const Correction& correction : corrections) {
      const bool is_told = std::ranges::find(idle, correction.option) != idle.end();
      if (options.corrections.*correction.wanted && !serves(options, correction.use) && !is_told) {
        idle.push_back(correction.option);
      }
    }
  }
  if (idle.empty()) return;
  report.warnings.push_back(
      fmt::format("no effect {}: {}",
                  codes ? fmt::format("in a {} build", name(options.scheme)) : std::string("without quantization"),
                  fmt::join(idle, ", ")));
}

void warn_of_few_samples(const CompileOptions& options, const Samples& samples, CompileReport& report) {
  constexpr int64_t kEnough = 200;
  if (options.rounding != Rounding::ErrorFeedback || samples.count() >= kEnough) return;
  report.warnings.push_back(fmt::format("gdq has {} samples, {} or more are recommended!", samples.count(), kEnough));
}

void require_outputs_of_a_file(const CompileOptions& options) {
  Diagnostics problems;
  if (options.batch < 1) {
    problems.add(Code::ConfigBadValue, {}, fmt::format("rknn_batch_size: got {}, expected 1 or more", options.batch));
  }
  if (options.remove_weight && options.compress_weight) {
    problems.add(Code::ConfigBadValue, {}, "remove_weight and compress_weight contradict each other",
                 "a file without weights has none to compress");
  }
  if (options.remove_weight && options.keep_golden) {
    problems.add(Code::ConfigBadValue, {}, "remove_weight and keep_golden contradict each other",
                 "keep the golden model in the full file");
  }
  problems.throw_if_any();
}

}  // namespace openrknn
