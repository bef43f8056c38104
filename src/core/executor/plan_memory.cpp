#include <fmt/format.h>

#include <algorithm>

#include "core/base/machine_memory.h"
#include "core/executor/arena.h"
#include "core/executor/plan_draft.h"

namespace openrknn {
namespace {

void pin_outputs(Draft& draft, const Graph& graph) {
  for (const ValueId output : graph.outputs) {
    if (output == ValueId::None || graph[output].constant) continue;
    const std::vector<int>& storages = draft.storages_of[static_cast<size_t>(output)];
    if (storages.empty()) {
      fail(Code::GraphInvalid, Location{.tensor = graph[output].name}, "a graph output that nothing computes");
    }
    draft.buffer_of(storages.front()).is_pinned = true;
  }
  for (DraftBuffer& buffer : draft.buffers) {
    if (buffer.is_pinned) buffer.last = kForever;
  }
}

void reuse_inputs(Draft& draft, const Plan& plan) {
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const int index = plan.steps[s].prepared.in_place;
    const std::vector<int>& inputs = draft.inputs[s];
    if (index < 0 || static_cast<size_t>(index) >= inputs.size() || draft.outputs[s].empty()) continue;
    const int input = inputs[static_cast<size_t>(index)], output = draft.outputs[s][0];
    if (input < 0 || output < 0) continue;
    const int taken = draft.storages[input].buffer;
    const auto reads_it = [&](int operand) { return operand >= 0 && draft.storages[operand].buffer == taken; };
    DraftBuffer &from = draft.buffer_of(input), &to = draft.buffer_of(output);
    const bool is_last_use = !from.is_pinned && from.last == static_cast<int64_t>(s);
    const bool is_only_reader = std::count_if(inputs.begin(), inputs.end(), reads_it) == 1;
    if (!is_last_use || !is_only_reader || from.bytes != to.bytes) continue;
    from.taken_by_step = static_cast<int64_t>(s);
    to.same_as = from.same_as >= 0 ? from.same_as : taken;
  }
}

std::vector<int64_t> place_buffers(const Draft& draft, Plan& plan) {
  std::vector<Block> blocks;
  std::vector<size_t> block_of;
  for (const DraftBuffer& buffer : draft.buffers) {
    if (buffer.same_as >= 0) {
      block_of.push_back(block_of[static_cast<size_t>(buffer.same_as)]);
      blocks[block_of.back()].last = std::max(blocks[block_of.back()].last, buffer.last);
    } else {
      block_of.push_back(blocks.size());
      blocks.push_back({.bytes = buffer.bytes, .first = buffer.first, .last = buffer.last});
    }
  }
  plan.arena_bytes = place_blocks(blocks);
  std::vector<int64_t> offsets;
  offsets.reserve(block_of.size());
  for (const size_t block : block_of) offsets.push_back(blocks[block].offset);
  return offsets;
}

void fill_places(const Draft& draft, const std::vector<int64_t>& offsets, Plan& plan) {
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    plan.steps[s].first_place = static_cast<uint32_t>(plan.places.size());
    for (const std::vector<int>* operands : {&draft.inputs[s], &draft.outputs[s]}) {
      for (const int operand : *operands) {
        OperandPlace place;
        if (operand >= 0) place.offset = offsets[static_cast<size_t>(draft.storages[operand].buffer)];
        if (is_constant_operand(operand)) place.constant = plan.constants[constant_index(operand)].bytes().data();
        plan.places.push_back(place);
      }
    }
    plan.steps[s].place_count = static_cast<uint32_t>(plan.places.size()) - plan.steps[s].first_place;
  }
}

/// When each storage is written and last read.
std::vector<StoredCopy> lives_of_storages(const Draft& draft, const std::vector<int64_t>& offsets) {
  std::vector<StoredCopy> lives;
  for (const Storage& storage : draft.storages) {
    const DraftBuffer& buffer = draft.buffers[storage.buffer];
    lives.push_back({.form = storage.form,
                     .offset = offsets[static_cast<size_t>(storage.buffer)],
                     .intact_until = buffer.taken_by_step >= 0 ? buffer.taken_by_step - 1 : buffer.last});
  }
  for (size_t s = 0; s < draft.inputs.size(); ++s) {
    for (const int input : draft.inputs[s]) {
      if (input >= 0) lives[static_cast<size_t>(input)].last_read = static_cast<int64_t>(s);
    }
    for (const int output : draft.outputs[s]) {
      if (output >= 0) lives[static_cast<size_t>(output)].written = static_cast<int64_t>(s);
    }
  }
  return lives;
}

void fill_slots(const Draft& draft, const std::vector<int64_t>& offsets, const Graph& graph, Plan& plan) {
  const std::vector<StoredCopy> lives = lives_of_storages(draft, offsets);
  plan.slots.resize(draft.storages_of.size());
  for (size_t i = 0; i < plan.slots.size(); ++i) {
    const Value& value = graph[ValueId(static_cast<int32_t>(i))];
    Slot& slot = plan.slots[i];
    slot.name = value.name;
    if (draft.is_fused[i]) slot.kind = Slot::Kind::Fused;
    if (!value.constant && draft.storages_of[i].empty()) continue;
    slot.dtype = value.dtype;
    slot.shape = value.shape;
    slot.bytes = byte_size(value.dtype, element_count(value.shape));
    if (value.constant) {
      slot.kind = Slot::Kind::Constant;
      slot.constant = *value.constant;
      continue;
    }
    slot.kind = value.producer == NodeId::None ? Slot::Kind::Input : Slot::Kind::Computed;
    for (const int storage : draft.storages_of[i]) slot.copies.push_back(lives[static_cast<size_t>(storage)]);
    slot.layout = slot.copies[0].form.layout;
    slot.is_needed = graph.is_output(ValueId(static_cast<int32_t>(i))) || slot.copies[0].last_read >= 0;
  }
}

/// The error names the largest value, which is where a wrong shape shows.
void refuse_more_than_the_machine_has(const Draft& draft, const Graph& graph, const Plan& plan) {
  constexpr int64_t kSmall = int64_t{64} << 20;
  if (plan.arena_bytes <= kSmall) return;
  const int64_t available = available_memory();
  if (plan.arena_bytes <= available) return;
  const Storage* largest = &draft.storages.front();
  for (const Storage& storage : draft.storages) {
    if (draft.buffers[storage.buffer].bytes > draft.buffers[largest->buffer].bytes) largest = &storage;
  }
  const Value& value = graph[largest->value];
  Location where = value.producer == NodeId::None ? Location{} : graph.where(value.producer);
  where.tensor = value.name;
  fail(Code::OutOfMemory, std::move(where),
       fmt::format("the graph's values need {:.1f} MiB at one time, {:.1f} MiB are available; the largest is {} {}",
                   static_cast<double>(plan.arena_bytes) / 0x1p20, static_cast<double>(available) / 0x1p20,
                   name(value.dtype), to_string(value.shape)),
       "give smaller input shapes, or run it on a machine with more memory");
}

}  // namespace

void assign_memory(Draft& draft, const Graph& graph, Plan& plan) {
  pin_outputs(draft, graph);
  reuse_inputs(draft, plan);
  const std::vector<int64_t> offsets = place_buffers(draft, plan);
  refuse_more_than_the_machine_has(draft, graph, plan);
  fill_places(draft, offsets, plan);
  fill_slots(draft, offsets, graph, plan);
}

}  // namespace openrknn
