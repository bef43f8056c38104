// What a Plan is inside: flat tables that Run walks without looking anything up.
#pragma once

#include <deque>
#include <limits>
#include <string>
#include <vector>

#include "core/executor/bound_call.h"
#include "core/executor/memory_order.h"
#include "core/executor/plan.h"

namespace openrknn {

/// Where an operand's bytes are: in the arena, or in a constant (both unset: an absent operand).
struct OperandPlace {
  int64_t offset = -1;
  const std::byte* constant = nullptr;
};

/// One entry of the running order. A node is one step, and one more before it for each input that has to be converted.
struct Step {
  void (*run)(const Prepared&, std::span<const Buffer>, int64_t tile, std::byte* scratch) = nullptr;
  Prepared prepared;                          ///< prepared.tiles is 0 where nothing has to be done (aliases)
  uint32_t first_place = 0, place_count = 0;  ///< in Plan::places: inputs, then outputs
  bool parallel = false;                      ///< worth waking other threads
  bool ends_node = true;                      ///< false: a conversion on behalf of the node
  NodeId node = NodeId::None;
};

/// A copy of a value in the arena. Steps are indices into Plan::steps; -1 is before the first.
struct StoredCopy {
  Form form;
  int64_t offset = -1;
  int64_t written = -1;       ///< by this step
  int64_t intact_until = -1;  ///< last step after which the bytes are still there
  int64_t last_read = -1;
};
inline constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

/// What set, get and raw need to know of a value.
struct Slot {
  /// Fused: computed within a step that writes another value over it at once.
  enum class Kind : uint8_t { Unknown, Constant, Input, Computed, Fused };
  Kind kind = Kind::Unknown;
  bool is_needed = false;  ///< an input that is read or is an output: has to be set
  DType dtype = DType::Float32;
  Layout layout = Layout::Logical;
  int64_t bytes = 0;
  Shape shape;  ///< logical
  Tensor constant;
  std::vector<StoredCopy> copies;  ///< the first is the one in `layout`
  std::string name;
};

enum class StepKind : uint8_t { Kernel, Reference, Conversion, Alias };

/// What is said about a step but not needed to run it.
struct StepNote {
  std::string node, op, kernel;
  std::vector<std::string> followers;  ///< operators of the nodes computed within the step of `node`
  StepKind kind = StepKind::Kernel;
  size_t input_count = 0;
  std::vector<ValueId> values;  ///< by place; None for absent operands and constants
  std::vector<Form> forms;      ///< by place
};

/// "Conv+Mul+Add": the node's operator and those of its followers.
std::string whole_operator(const StepNote&);

class Plan {
 public:
  std::vector<Step> steps;
  std::vector<OperandPlace> places;
  int64_t arena_bytes = 0, scratch_bytes = 0;  ///< scratch: per worker
  std::vector<Slot> slots;                     ///< by ValueId
  std::vector<StepNote> notes;                 ///< one a step
  std::vector<Tensor> constants;               ///< that places point into
  std::deque<BoundCall> calls;                 ///< kernels' states may point into their Call
};

}  // namespace openrknn
