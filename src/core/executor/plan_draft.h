// A plan in the making: who stores what, who uses it when. Memory is given out once the order of steps is known.
#pragma once

#include <deque>
#include <vector>

#include "core/executor/memory_order.h"
#include "core/executor/plan_data.h"

namespace openrknn {

/// A value in one form, in a buffer of the arena.
struct Storage {
  ValueId value = ValueId::None;
  Form form;
  MemoryOrder order;
  int buffer = -1;
};

/// Memory of one or more storages (a Reshape shares its input's). Lives from step `first` to step `last`.
struct DraftBuffer {
  int64_t bytes = 0, first = 0, last = 0;
  bool is_pinned = false;      ///< inputs, outputs, everything with keep_all: never given away
  int64_t taken_by_step = -1;  ///< that writes its output over this buffer
  int same_as = -1;            ///< the earlier buffer whose memory this one took over
};

/// An operand of a step is a storage (>= 0), absent (kAbsent), or a constant.
inline constexpr int kAbsent = -1;
inline int constant_operand(size_t index) { return -2 - static_cast<int>(index); }
inline bool is_constant_operand(int operand) { return operand <= -2; }
inline size_t constant_index(int operand) { return static_cast<size_t>(-2 - operand); }

struct Draft {
  std::deque<Storage> storages;
  std::vector<std::vector<int>> storages_of;  ///< by ValueId; the first is the primary one
  std::vector<bool> is_fused;                 ///< by ValueId: Slot::Kind::Fused
  std::deque<DraftBuffer> buffers;
  std::vector<std::vector<int>> inputs, outputs;  ///< operands by step

  const DraftBuffer& buffer_of(int storage) const { return buffers[storages[storage].buffer]; }
  DraftBuffer& buffer_of(int storage) { return buffers[storages[storage].buffer]; }
};

/// The storage of the value whose bytes lie in this order; kAbsent if there is none.
inline int find_storage(const Draft& draft, ValueId id, const MemoryOrder& order) {
  for (const int storage : draft.storages_of[static_cast<size_t>(id)]) {
    if (draft.storages[static_cast<size_t>(storage)].order == order) return storage;
  }
  return kAbsent;
}

/// Pins the graph's outputs, lets kernels write over inputs they are the last to read, lays out the arena and fills
/// Plan::places and Plan::slots.
void assign_memory(Draft&, const Graph&, Plan&);

}  // namespace openrknn
