// What a compile tells of itself: rules and what they named, counts, and what was asked for.
#pragma once

#include "compiler/compile.h"
#include "core/model/precision_notes.h"
#include "core/targets/targets.h"

namespace openrknn {

std::vector<std::pair<std::string, std::string>> facts_of(const Target& target, const CompileOptions& options,
                                                          const PreparedBuild& prepared);
/// Patterns that name nothing are warned of; a name that does is an error of assign_precision.
void report_rules(const Graph& golden, std::span<const PrecisionRule> rules, CompileReport& report);
/// A Concat that would cost one of its operands its numbers computes in float16 where that is wanted, and is warned of
/// where not.
std::vector<PrecisionRule> rules_for_concats(const Graph& golden, const PrecisionMap& precision,
                                             const Calibration& calibration, const CompileOptions& options,
                                             CompileReport& report);
std::vector<PrecisionNote> notes_of(const Graph& golden, const PrecisionMap& precision);
void count_nodes(const Graph& graph, CompileReport& report);
/// How many attentions enable_flash_attention found; a warning, if none.
void report_attention(const Graph&, CompileReport&);
/// How many layers sparse_infer serves; a warning that says why, if none.
void report_sparse_layers(const Graph&, CompileReport&);

}  // namespace openrknn
