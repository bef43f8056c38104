#include "core/executor/chain_builder.h"

#include <algorithm>
#include <utility>

namespace openrknn {

ChainBuilder::ChainBuilder(const Graph& graph, std::span<const NodeId> nodes, Draft& draft, Plan& plan)
    : graph_(graph), draft_(draft), plan_(plan), readers_(static_cast<size_t>(graph.value_count())) {
  const auto count = [&](ValueId id) {
    if (id != ValueId::None) ++readers_[static_cast<size_t>(id)];
  };
  for (const NodeId id : nodes) std::for_each(graph[id].inputs.begin(), graph[id].inputs.end(), count);
  std::for_each(graph.outputs.begin(), graph.outputs.end(), count);
}

bool ChainBuilder::computes_only(size_t step, int storage) const {
  return draft_.outputs[step].size() == 1 && draft_.outputs[step][0] == storage;
}

bool ChainBuilder::is_there_before(size_t step, ValueId id, Form form) const {
  if (id == ValueId::None || graph_[id].constant) return true;
  const int storage = find_storage(draft_, id, memory_order(graph_[id].shape, form));
  return storage >= 0 && draft_.buffer_of(storage).first < static_cast<int64_t>(step);
}

std::optional<Joint> ChainBuilder::find(NodeId id, const NodeForms& forms, const Prepared& prepared) const {
  const std::vector<ValueId>& inputs = graph_[id].inputs;
  if (prepared.run_elements == nullptr || graph_[id].outputs.size() != 1 || inputs.size() >= kMostChainOperands) {
    return std::nullopt;
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId value = inputs[i];
    if ((prepared.element_inputs >> i & 1) == 0 || value == ValueId::None || graph_[value].constant) continue;
    const int storage = find_storage(draft_, value, memory_order(graph_[value].shape, forms.inputs[i]));
    if (storage < 0 || readers_[static_cast<size_t>(value)] != 1) continue;
    if (bit_width(graph_[value].dtype) != bit_width(graph_[graph_[id].outputs[0]].dtype)) continue;
    const int64_t first = draft_.buffer_of(storage).first;
    if (first < 0 || !computes_only(static_cast<size_t>(first), storage)) continue;
    const size_t step = static_cast<size_t>(first);
    if (!chains_.contains(step) && !starts_chain(plan_.steps[step].prepared, draft_.inputs[step].size())) continue;
    bool others_are_there = true;
    for (size_t j = 0; j < inputs.size(); ++j) {
      others_are_there = others_are_there && (j == i || is_there_before(step, inputs[j], forms.inputs[j]));
    }
    if (others_are_there) return Joint{step, i};
  }
  return std::nullopt;
}

void ChainBuilder::add_operand(size_t step, int operand) {
  StepNote& note = plan_.notes[step];
  ValueId value = ValueId::None;
  Form form;
  if (operand >= 0) {
    DraftBuffer& buffer = draft_.buffer_of(operand);
    buffer.last = std::max(buffer.last, static_cast<int64_t>(step));
    value = draft_.storages[operand].value;
    form = draft_.storages[operand].form;
  }
  note.values.insert(note.values.end() - 1, value);
  note.forms.insert(note.forms.end() - 1, form);
  ++note.input_count;
  draft_.inputs[step].push_back(operand);
}

void ChainBuilder::join(NodeId id, const Joint& joint, const std::vector<int>& operands, Form output,
                        Prepared prepared) {
  Step& step = plan_.steps[joint.step];
  auto chain = chains_.find(joint.step);
  if (chain == chains_.end()) {
    chain = chains_.emplace(joint.step, Chain{.run = step.run}).first;
    chain->second.head = std::exchange(step.prepared, {.tiles = step.prepared.tiles});
    chain->second.head_inputs = draft_.inputs[joint.step].size();
    step.run = run_chain;
  }
  plan_.scratch_bytes = std::max(plan_.scratch_bytes, prepared.scratch);
  Follower follower{.prepared = std::move(prepared), .inputs = {}, .element_input = joint.input};
  for (size_t i = 0; i < operands.size(); ++i) {
    follower.inputs.push_back(i == joint.input ? 0 : draft_.inputs[joint.step].size());
    if (i != joint.input) add_operand(joint.step, operands[i]);
  }
  append(chain->second, std::move(follower));

  // The node's output takes the place of its input.
  const ValueId before = graph_[id].inputs[joint.input], after = graph_[id].outputs[0];
  const int written = static_cast<int>(draft_.storages.size());
  draft_.storages.push_back({.value = after,
                             .form = output,
                             .order = memory_order(graph_[after].shape, output),
                             .buffer = draft_.storages[operands[joint.input]].buffer});
  draft_.storages_of[static_cast<size_t>(after)].push_back(written);
  draft_.storages_of[static_cast<size_t>(before)].clear();
  draft_.is_fused[static_cast<size_t>(before)] = true;
  draft_.outputs[joint.step] = {written};
  StepNote& note = plan_.notes[joint.step];
  note.values.back() = after;
  note.forms.back() = output;
  note.followers.push_back(graph_[id].op);
}

void ChainBuilder::finish() {
  for (auto& [step, chain] : chains_) plan_.steps[step].prepared = prepare_chain(std::move(chain));
}

}  // namespace openrknn
