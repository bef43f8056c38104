#include "compiler/stages.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/compile_checks.h"
#include "core/executor/plan.h"
#include "core/graph/text.h"

namespace openrknn {

void Stages::run_passes(std::string_view stage, std::span<const Pass> passes, Graph& graph) {
  constexpr int kMostRounds = 100;
  run(stage, graph, [&] {
    const PassContext context{.evaluate = evaluate,
                              .note = [&](std::string_view line) { report_.pass_log.emplace_back(line); }};
    bool changed = true;
    for (int round = 0; changed; ++round) {
      if (round == kMostRounds) fail(Code::Internal, fmt::format("stage '{}' does not come to rest", stage));
      changed = false;
      for (const Pass& pass : passes) {
        if (pass.level > options_.optimization_level || is_left_out(pass)) continue;
        begin(pass.name);
        if (!pass.run(graph, context)) continue;
        changed = true;
        finished(pass.name, graph);
      }
    }
  });
}

bool Stages::is_left_out(const Pass& pass) const {
  if (pass.is_asked_for && !options_.flash_attention) return true;
  return std::ranges::find(options_.left_out_passes, pass.name) != options_.left_out_passes.end();
}

void Stages::run_corrections(std::span<const Correction> corrections, Graph& graph, const CorrectionContext& context) {
  for (const Correction& correction : corrections) {
    if (!wants(options_, correction) || (keeps_numbers_ && !correction.keeps_numbers)) continue;
    if (correction.needs_samples && context.observations == nullptr) continue;
    run(correction.name, graph, [&] { correction.run(graph, context); });
  }
}

/// Stages of several shape sets count together.
void Stages::add_time(std::string_view stage, double seconds) {
  for (StageTime& time : report_.times) {
    if (time.stage == stage) {
      time.seconds += seconds;
      return;
    }
  }
  report_.times.push_back({std::string(stage), seconds});
}

void Stages::finished(std::string_view stage, const Graph& graph) {
  if (options_.check) verify(graph);
  if (options_.dump && (options_.dump_after == stage || options_.dump_after == "all")) {
    options_.dump(stage, to_text(graph));
  }
}

}  // namespace openrknn
