#include "compiler/compile_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/corrections/concat_ranges.h"
#include "compiler/quantize/match_rules.h"
#include "core/targets/sparsity.h"

namespace openrknn {

std::vector<std::pair<std::string, std::string>> facts_of(const Target& target, const CompileOptions& options,
                                                          const PreparedBuild& prepared) {
  std::vector<std::pair<std::string, std::string>> facts{{"target", std::string(target.display_name)}};
  facts.emplace_back("build", options.quantize ? std::string(name(options.scheme)) : "float16");
  if (prepared.brings_parameters) facts.emplace_back("parameters", "the model's own");
  if (!options.quantize) return facts;
  const int64_t samples = prepared.report.samples;
  facts.emplace_back("scales", options.method == QuantizedMethod::Layer ? "per layer" : "per channel");
  facts.emplace_back("ranges", std::string(name(options.algorithm)));
  if (options.corrections.equalize && !prepared.brings_parameters) facts.emplace_back("equalize", "on");
  if (samples > 0) facts.emplace_back("calibrated with", fmt::format("{} sample{}", samples, samples == 1 ? "" : "s"));
  return facts;
}

void report_rules(const Graph& golden, std::span<const PrecisionRule> rules, CompileReport& report) {
  Diagnostics problems;
  const std::vector<RuleMatch> matches = match_rules(golden, rules, problems);
  problems.throw_if_any();
  for (size_t i = 0; i < matches.size(); ++i) {
    const AppliedRule applied{to_string(rules[i]), matches[i].layers};
    log(LogLevel::Info, "quantize",
        fmt::format("precision rule '{}' names {} layers: {}", applied.rule, applied.layers.size(),
                    fmt::join(applied.layers, ", ")));
    if (applied.layers.empty()) {
      report.warnings.push_back(fmt::format("precision rule '{}' names no layer", applied.rule));
    }
    report.precision_rules.push_back(applied);
  }
}

std::vector<PrecisionRule> rules_for_concats(const Graph& golden, const PrecisionMap& precision,
                                             const Calibration& calibration, const CompileOptions& options,
                                             CompileReport& report) {
  if (!options.quantize || is_weight_only(options.scheme)) return {};
  std::vector<CollapsedConcat> found = collapsed_concats(golden, calibration, activation_spec(options.scheme).dtype);
  std::erase_if(found, [&](const CollapsedConcat& one) { return precision.at(one.node).dtype == DType::Float16; });
  for (const CollapsedConcat& one : found) {
    if (options.corrections.split_concat) {
      report.pass_log.push_back(fmt::format("split_concat: {}; float16", one.problem));
    } else {
      report.warnings.push_back(
          fmt::format("{}; build with split_concat=True, or make them outputs of their own", one.problem));
    }
  }
  return options.corrections.split_concat ? rules_for(golden, found) : std::vector<PrecisionRule>{};
}

std::vector<PrecisionNote> notes_of(const Graph& golden, const PrecisionMap& precision) {
  std::vector<PrecisionNote> notes;
  for (const NodeId id : golden.order()) {
    const Precision& row = precision.at(id);
    notes.push_back({golden[id].name, std::string(numpy_name(row.dtype)), row.rule});
  }
  return notes;
}

void count_nodes(const Graph& graph, CompileReport& report) {
  for (const NodeId id : graph.order()) {
    ++report.nodes_compiled;
    const Value& first = graph[graph[id].outputs[0]];
    if (first.quant.has_value()) ++report.quantized_nodes;
    if (first.quant.has_value() && first.dtype == DType::Int16) ++report.int16_nodes;
    if (is_floating(first.dtype)) ++report.float_nodes;
  }
}

void report_attention(const Graph& graph, CompileReport& report) {
  const std::vector<NodeId> order = graph.order();
  const auto count = std::ranges::count_if(order, [&](NodeId id) { return graph[id].op == "Attention"; });
  if (count == 0) {
    report.warnings.emplace_back(
        "enable_flash_attention=True has no effect: the model has no MatMul, Softmax over the last axis and MatMul in "
        "a "
        "row, with one mask for all heads or one number a key (docs/passes.md)");
    return;
  }
  report.results.push_back(fmt::format("enable_flash_attention: {} attention{} computed as one layer, in float16",
                                       count, count == 1 ? " is" : "s are"));
}

void report_sparse_layers(const Graph& graph, CompileReport& report) {
  int64_t layers = 0, sparse = 0;
  std::string first;
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    if (node.op != "Conv") continue;
    ++layers;
    const std::string reason = why_dense(graph, node);
    if (reason.empty()) {
      ++sparse;
    } else if (first.empty()) {
      first = fmt::format("'{}': {}", node.name, reason);
    }
  }
  if (sparse == 0) {
    report.warnings.push_back(
        fmt::format("sparse_infer=True has no effect: none of {} convolutions is 4:2 sparse along "
                    "its input channels (docs/sparsity.md){}",
                    layers, first.empty() ? "" : "; " + first));
    return;
  }
  report.results.push_back(
      fmt::format("sparse_infer: {} of {} convolutions are computed as 4:2 sparse", sparse, layers));
}

}  // namespace openrknn
