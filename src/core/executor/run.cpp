#include "core/executor/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/executor/arena.h"
#include "core/executor/plan_data.h"
#include "core/executor/segments.h"

namespace openrknn {
namespace {

bool same_memory(const Slot& slot, Form a, Form b) {
  return memory_order(slot.shape, a) == memory_order(slot.shape, b);
}

Form logical_form(const Slot& slot) { return {Layout::Logical, static_cast<int64_t>(slot.shape.size())}; }

/// Moves a whole value from one form into another, by all threads.
void copy_value(const Slot& slot, Form from, const std::byte* in, Form to, std::byte* out, ThreadPool& pool) {
  if (slot.bytes == 0) return;
  if (same_memory(slot, from, to)) {
    std::memcpy(out, in, static_cast<size_t>(slot.bytes));
    return;
  }
  const FormCopy copy = form_copy(slot.shape, from, to, bit_width(slot.dtype) / 8);
  const int64_t tiles = tile_count(copy);
  if (tiles == 1) return copy_tile(copy, in, out, 0);
  pool.parallel_for(tiles, [&](int64_t tile, int) { copy_tile(copy, in, out, tile); });
}

[[noreturn]] void refuse_reading(const Slot& slot) {
  fail(Code::GraphUnknownName, Location{.tensor = slot.name}, "its content is not there at this point of the run",
       "read outputs, or what the last step wrote, or plan with keep_all, or without fuse");
}

}  // namespace

struct Run::State {
  State(std::shared_ptr<const Plan> shared_plan, ThreadPool& threads) : State(std::move(shared_plan), threads, {}) {
    arena = Tensor(DType::UInt8, {plan->arena_bytes});
    use_arena(arena.mutable_bytes().data());
  }

  State(std::shared_ptr<const Plan> shared_plan, ThreadPool& threads, std::span<std::byte> callers_arena)
      : plan(std::move(shared_plan)), pool(threads) {
    scratch_stride =
        (plan->scratch_bytes + kBufferPadding + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
    scratch = Tensor(DType::UInt8, {scratch_stride * pool.threads()});
    scratch_data = scratch.mutable_bytes().data();
    is_set.assign(plan->slots.size(), false);
    body = [this](int64_t tile, int worker) { run_tile(tile, worker); };
    if (callers_arena.data() != nullptr) use_arena(callers_arena.data());
  }

  void use_arena(std::byte* data) {
    arena_data = data;
    for (const OperandPlace& place : plan->places) {
      // Kernels take one type for all operands; they never write to inputs.
      std::byte* constant = const_cast<std::byte*>(place.constant);
      buffers.push_back({place.offset >= 0 ? arena_data + place.offset : constant});
    }
  }

  const Slot& slot(ValueId id) const {
    const size_t i = static_cast<size_t>(id);
    if (id == ValueId::None || i >= plan->slots.size()) fail(Code::GraphUnknownName, "no such value in this plan");
    return plan->slots[i];
  }

  void run_tile(int64_t tile, int worker) const {
    current->run(current->prepared, {buffers.data() + current->first_place, current->place_count}, tile,
                 scratch_data + worker * scratch_stride);
  }

  void run_step() {
    current = &plan->steps[next];
    const int64_t tiles = current->prepared.tiles;
    if (current->parallel) {
      pool.parallel_for(tiles, body);
    } else {
      for (int64_t tile = 0; tile < tiles; ++tile) run_tile(tile, 0);
    }
    done = ++next;
    if (!waiting.empty()) write_waiting();
  }

  void start() {
    if (std::all_of(plan->slots.begin(), plan->slots.end(), [&](const Slot& s) {
          return s.kind != Slot::Kind::Input || !s.is_needed || is_set[static_cast<size_t>(&s - plan->slots.data())];
        })) {
      return;
    }
    std::string names;
    for (size_t i = 0; i < plan->slots.size(); ++i) {
      const Slot& s = plan->slots[i];
      const bool lacks = s.kind == Slot::Kind::Input && s.is_needed && !is_set[i];
      if (lacks) names += (names.empty() ? "'" : ", '") + s.name + "'";
    }
    fail(Code::RuntimeInputNotSet, "inputs without data: " + names, "set every input before the run");
  }

  // ---- values looked at

  /// Not whether it is still there.
  bool is_readable(ValueId id) const {
    const Slot& wanted = slot(id);
    if (wanted.kind == Slot::Kind::Input) return is_set[static_cast<size_t>(id)];
    return wanted.kind == Slot::Kind::Computed;
  }

  std::span<const std::byte> bytes_of(const Slot& of, const StoredCopy& copy) const {
    return {arena_data + copy.offset, static_cast<size_t>(of.bytes)};
  }

  // ---- values given by the caller

  /// A value that was given before the step that computes it.
  struct Waiting {
    ValueId id;
    std::vector<std::byte> bytes;  // in the slot's layout
  };

  int64_t step_index() const { return static_cast<int64_t>(next); }

  /// Content of the copy is there when the next step is `step`.
  static bool is_live(const StoredCopy& copy, int64_t step) {
    return copy.written < step && copy.intact_until >= step - 1;
  }

  void write(ValueId id, Form form, const std::byte* bytes) {
    const Slot& target = slot(id);
    for (const StoredCopy& copy : target.copies) {
      if (&copy != target.copies.data() && !is_live(copy, step_index())) continue;
      copy_value(target, form, bytes, copy.form, arena_data + copy.offset, pool);
    }
  }

  void write_waiting() {
    for (size_t i = 0; i < waiting.size();) {
      const Slot& target = slot(waiting[i].id);
      if (target.copies[0].written != step_index() - 1) {
        ++i;
        continue;
      }
      write(waiting[i].id, target.copies[0].form, waiting[i].bytes.data());
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  /// Another value in the same memory (an alias) that would change with it and is still wanted; null if none.
  const Slot* sharer(const Slot& target, int64_t step) const {
    for (const Slot& other : plan->slots) {
      if (&other == &target) continue;
      for (const StoredCopy& copy : other.copies) {
        const bool is_wanted = copy.last_read >= step || copy.intact_until == kForever;
        const auto is_here = [&](const StoredCopy& own) { return own.offset == copy.offset && is_live(own, step); };
        const bool is_shared = std::any_of(target.copies.begin(), target.copies.end(), is_here);
        if (is_wanted && is_shared && is_live(copy, step)) return &other;
      }
    }
    return nullptr;
  }

  std::shared_ptr<const Plan> plan;
  ThreadPool& pool;
  Tensor arena, scratch;
  std::byte *arena_data = nullptr, *scratch_data = nullptr;
  int64_t scratch_stride = 0;
  std::vector<Buffer> buffers;  // Plan::places, resolved
  std::vector<bool> is_set;     // inputs, by ValueId
  std::vector<Waiting> waiting;
  std::function<void(int64_t, int)> body;
  const Step* current = nullptr;
  size_t next = 0;  // step to run next; 0 starts over
  size_t done = 0;  // steps run in the latest pass
};

Run::Run(std::shared_ptr<const Plan> plan, ThreadPool& pool) : state_(std::make_unique<State>(std::move(plan), pool)) {}
Run::Run(std::shared_ptr<const Plan> plan, ThreadPool& pool, std::span<std::byte> arena) {
  const bool is_aligned = reinterpret_cast<uintptr_t>(arena.data()) % kBufferAlignment == 0;
  if (static_cast<int64_t>(arena.size()) < plan->arena_bytes || arena.data() == nullptr || !is_aligned) {
    fail(Code::InvalidArgument, fmt::format("the arena has {} bytes{}, expected {} at a multiple of {}", arena.size(),
                                            is_aligned ? "" : ", unaligned", plan->arena_bytes, kBufferAlignment));
  }
  state_ = std::make_unique<State>(std::move(plan), pool, arena);
}
Run::~Run() = default;
Run::Run(Run&&) noexcept = default;
Run& Run::operator=(Run&&) noexcept = default;

void Run::set(ValueId id, const Tensor& tensor, Layout given) {
  State& state = *state_;
  const Slot& slot = state.slot(id);
  const Location where{.tensor = slot.name};
  if (slot.kind == Slot::Kind::Fused) {
    fail(Code::RuntimeBadInput, where, "is computed within the step that reads it",
         "plan with keep_all, or without fuse");
  }
  if (slot.kind == Slot::Kind::Unknown || slot.kind == Slot::Kind::Constant) {
    fail(Code::RuntimeBadInput, where,
         slot.kind == Slot::Kind::Constant ? "its content is fixed in the graph"
                                           : "nothing in this plan computes or reads it");
  }
  const Form form{given, static_cast<int64_t>(slot.shape.size())};
  const Shape expected = physical_shape(slot.shape, form);
  if (tensor.dtype() != slot.dtype || tensor.shape() != expected) {
    fail(Code::RuntimeBadInput, where,
         fmt::format("got {} {}, expected {} {}", name(tensor.dtype()), to_string(tensor.shape()), name(slot.dtype),
                     to_string(expected)));
  }
  if (bit_width(slot.dtype) < 8 && !same_memory(slot, form, slot.copies[0].form)) {
    fail(Code::NotBuilt, where, "4-bit values cannot be rearranged while running", "give it in Run::layout()");
  }
  const StoredCopy& primary = slot.copies[0];
  const int64_t step = state.step_index();
  const bool is_computed_later = slot.kind == Slot::Kind::Computed && (step == 0 || primary.written >= step);
  const int64_t written_at = is_computed_later ? primary.written + 1 : step;
  if (const Slot* other = state.sharer(slot, written_at); other != nullptr && slot.kind == Slot::Kind::Computed) {
    fail(Code::RuntimeBadInput, where, fmt::format("shares its memory with '{}', which is still needed", other->name),
         "plan with keep_all");
  }
  if (is_computed_later) {
    State::Waiting waiting{.id = id, .bytes = std::vector<std::byte>(static_cast<size_t>(slot.bytes))};
    copy_value(slot, form, tensor.bytes().data(), primary.form, waiting.bytes.data(), state.pool);
    std::erase_if(state.waiting, [&](const State::Waiting& w) { return w.id == id; });
    state.waiting.push_back(std::move(waiting));
    return;
  }
  if (!State::is_live(primary, step)) {
    fail(Code::RuntimeBadInput, where, "was read already in this run", "set it before its readers run");
  }
  state.write(id, form, tensor.bytes().data());
  if (slot.kind == Slot::Kind::Input) state.is_set[static_cast<size_t>(id)] = true;
}

NodeId Run::step() {
  State& state = *state_;
  if (state.next == 0) state.start();
  if (state.next == state.plan->steps.size()) {
    state.next = 0;
    return NodeId::None;
  }
  const FloatEnvironment environment;
  do state.run_step();
  while (!state.current->ends_node);
  return state.current->node;
}

void Run::restart() { state_->next = 0; }

void Run::run() {
  State& state = *state_;
  state.next = state.done = 0;
  state.start();
  const FloatEnvironment environment;
  const ThreadPool::Expecting expecting(state.pool);
  while (state.next < state.plan->steps.size()) state.run_step();
  state.next = 0;
}

std::span<const std::byte> Run::raw(ValueId id) const {
  const State& state = *state_;
  const Slot& slot = state.slot(id);
  if (slot.kind == Slot::Kind::Constant) return slot.constant.bytes();
  if (!state.is_readable(id) || !State::is_live(slot.copies[0], static_cast<int64_t>(state.done))) refuse_reading(slot);
  return state.bytes_of(slot, slot.copies[0]);
}

Run::StoredBytes Run::stored(ValueId id) const {
  const State& state = *state_;
  const Slot& slot = state.slot(id);
  if (slot.kind == Slot::Kind::Constant) return {slot.constant.bytes(), logical_form(slot)};
  if (!state.is_readable(id)) refuse_reading(slot);
  const auto is_there = [&](const StoredCopy& copy) { return State::is_live(copy, static_cast<int64_t>(state.done)); };
  const auto copy = std::find_if(slot.copies.begin(), slot.copies.end(), is_there);
  if (copy == slot.copies.end()) refuse_reading(slot);
  return {state.bytes_of(slot, *copy), copy->form};
}

Tensor Run::get(ValueId id) const {
  const StoredBytes found = stored(id);
  const Slot& slot = state_->slot(id);
  if (slot.kind == Slot::Kind::Constant) return slot.constant;
  Tensor tensor(slot.dtype, slot.shape);
  copy_value(slot, found.form, found.bytes.data(), logical_form(slot), tensor.mutable_bytes().data(), state_->pool);
  return tensor;
}

Layout Run::layout(ValueId id) const { return state_->slot(id).layout; }

std::vector<Tensor> run_graph(const Graph& graph, const Arithmetic& arithmetic, std::span<const Tensor> inputs,
                              ThreadPool& pool, const PlanOptions& options) {
  if (inputs.size() != graph.inputs.size()) {
    fail(Code::RuntimeBadInput, fmt::format("got {} inputs, expected {}", inputs.size(), graph.inputs.size()));
  }
  if (needs_segments(graph)) return SegmentedRun(graph, arithmetic, options, pool).run(inputs);
  Weights weights;
  Run run(plan(graph, arithmetic, options, weights), pool);
  for (size_t i = 0; i < inputs.size(); ++i) run.set(graph.inputs[i], inputs[i]);
  run.run();
  std::vector<Tensor> outputs;
  for (const ValueId output : graph.outputs) outputs.push_back(run.get(output));
  return outputs;
}

}  // namespace openrknn
