#include <fmt/format.h>

#include "core/executor/plan_data.h"

namespace openrknn {
namespace {

std::string describe(const Plan& plan, const Step& step, const StepNote& note, size_t i) {
  const OperandPlace& place = plan.places[step.first_place + i];
  if (note.values[i] == ValueId::None) return place.constant != nullptr ? "constant" : "-";
  const Slot& slot = plan.slots[static_cast<size_t>(note.values[i])];
  const bool is_permuted = note.forms[i].layout == Layout::ChannelsLast && note.forms[i].rank >= 3;
  return fmt::format("{}{}@{}{}", name(slot.dtype), to_string(physical_shape(slot.shape, note.forms[i])), place.offset,
                     is_permuted ? " channels-last" : "");
}

}  // namespace

std::string whole_operator(const StepNote& note) {
  std::string text = note.op;
  for (const std::string& op : note.followers) text.append(1, '+').append(op);
  return text;
}

Layout layout(const Plan& plan, ValueId id) { return plan.slots[static_cast<size_t>(id)].layout; }

PlanSummary summary(const Plan& plan) {
  PlanSummary summary;
  summary.steps = static_cast<int64_t>(plan.steps.size());
  summary.arena_bytes = plan.arena_bytes;
  for (const StepNote& note : plan.notes) {
    summary.conversions += note.kind == StepKind::Conversion ? 1 : 0;
    summary.reference_steps += note.kind == StepKind::Reference ? 1 : 0;
    summary.fused_nodes += static_cast<int64_t>(note.followers.size());
  }
  return summary;
}

std::string to_text(const Plan& plan) {
  const PlanSummary total = summary(plan);
  std::string text =
      fmt::format("{} steps, {} nodes fused into others, {} conversions, {} by reference, arena {} bytes\n",
                  total.steps, total.fused_nodes, total.conversions, total.reference_steps, total.arena_bytes);
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    const StepNote& note = plan.notes[s];
    std::string inputs, outputs;
    for (size_t i = 0; i < note.values.size(); ++i) {
      std::string& list = i < note.input_count ? inputs : outputs;
      list += (list.empty() ? "" : ", ") + describe(plan, step, note, i);
    }
    text += fmt::format("{:4} {} {} {} ({}) -> {}", s, note.node, whole_operator(note), note.kernel, inputs, outputs);
    text += step.prepared.tiles > 1 ? fmt::format(" in {} tiles\n", step.prepared.tiles) : "\n";
  }
  return text;
}

}  // namespace openrknn
