#include "core/executor/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/executor/chain_builder.h"
#include "core/executor/kernel_choice.h"
#include "core/executor/layout_choice.h"
#include "core/executor/needed_nodes.h"
#include "core/executor/plan_draft.h"
#include "core/executor/segments.h"
#include "core/graph/custom.h"

namespace openrknn {
namespace {

// Waking a thread costs about what one core does with this many bytes, packed weights included.
constexpr int64_t kParallelBytes = 32 * 1024;

/// Nodes that have to run, producers first: those the outputs need (all with keep_all), except where content is known.
std::vector<NodeId> nodes_to_run(const Graph& graph, bool keep_all) {
  std::vector<NodeId> nodes = keep_all ? graph.order() : needed_nodes(graph);
  std::erase_if(nodes, [&](NodeId id) { return !computes_something(graph, id); });
  return nodes;
}

void refuse_dynamic_shapes(const Graph& graph) {
  Diagnostics dynamic;
  const auto check = [&](ValueId id, Location where) {
    if (id == ValueId::None || is_static(graph[id].shape)) return;
    where.tensor = graph[id].name;
    dynamic.add(Code::NotBuilt, std::move(where),
                fmt::format("shape {} depends on data, and one plan needs fixed shapes", to_string(graph[id].shape)),
                "run it in segments (SegmentedRun, graph.run), or let the graph end before this tensor");
  };
  for (const ValueId input : graph.inputs) check(input, {});
  for (const NodeId id : graph.order()) {  // all nodes: layouts are chosen for the whole graph
    for (const ValueId output : graph[id].outputs) check(output, graph.where(id));
    if (!computes_something(graph, id) || !ends_segment(graph, id)) continue;
    dynamic.add(Code::NotBuilt, graph.where(id), "only a run can tell what this node computes, and one plan needs it",
                "run it in segments (SegmentedRun, graph.run), or let the graph end before it");
  }
  dynamic.throw_if_any();
}

/// The law by which the graph's integers are computed; null if it has none.
const Law* law_of(const Graph& graph, const Arithmetic& arithmetic) {
  for (int32_t i = 0; i < graph.value_count(); ++i) {
    if (graph[ValueId(i)].quant) return &find_law(arithmetic);
  }
  return nullptr;
}

class Planner {
 public:
  Planner(const Graph& graph, const Arithmetic& arithmetic, const PlanOptions& options, Weights& weights)
      : graph_(graph),
        options_(options),
        weights_(weights),
        law_(law_of(graph, arithmetic)),
        layouts_(choose_layouts(graph)),
        plan_(std::make_shared<Plan>()) {
    draft_.storages_of.resize(static_cast<size_t>(graph.value_count()));
    draft_.is_fused.resize(static_cast<size_t>(graph.value_count()));
  }

  std::shared_ptr<const Plan> plan() {
    for (const ValueId input : graph_.inputs) {
      if (graph_[input].constant || !storages_of(input).empty()) continue;
      // Held all the time, so that what was set once serves every run.
      new_buffer(new_storage(input, primary_form(input))) = {
          .bytes = byte_count(input), .first = -1, .last = kForever, .is_pinned = true};
    }
    const std::vector<NodeId> nodes = nodes_to_run(graph_, options_.keep_all);
    if (options_.fuse && !options_.keep_all) chains_.emplace(graph_, nodes, draft_, *plan_);
    for (const NodeId id : nodes) add_node(id);
    missing_.throw_if_any();
    if (chains_) chains_->finish();
    assign_memory(draft_, graph_, *plan_);
    return plan_;
  }

 private:
  std::vector<int>& storages_of(ValueId id) { return draft_.storages_of[static_cast<size_t>(id)]; }
  int64_t next_step() const { return static_cast<int64_t>(plan_->steps.size()); }
  int64_t byte_count(ValueId id) const { return byte_size(graph_[id].dtype, element_count(graph_[id].shape)); }
  int64_t rank_of(ValueId id) const { return static_cast<int64_t>(graph_[id].shape.size()); }
  Form primary_form(ValueId id) const { return {layouts_.value[static_cast<size_t>(id)], rank_of(id)}; }

  // ---- storages

  int new_storage(ValueId id, Form form) {
    const int storage = static_cast<int>(draft_.storages.size());
    draft_.storages.push_back({.value = id, .form = form, .order = memory_order(graph_[id].shape, form)});
    storages_of(id).push_back(storage);
    return storage;
  }

  DraftBuffer& new_buffer(int storage) {
    draft_.storages[storage].buffer = static_cast<int>(draft_.buffers.size());
    return draft_.buffers.emplace_back();
  }

  /// A storage that the next step writes.
  int new_output(ValueId id, Form form, bool is_pinned) {
    const int storage = new_storage(id, form);
    new_buffer(storage) = {.bytes = byte_count(id), .first = next_step(), .last = next_step(), .is_pinned = is_pinned};
    return storage;
  }

  /// The value in `form`: where it lies so already, else converted by a step of its own.
  int storage_in(ValueId id, Form form, NodeId reader) {
    const Value& value = graph_[id];
    if (const int found = find_storage(draft_, id, memory_order(value.shape, form)); found >= 0) return found;
    Location where = graph_.where(reader);
    where.tensor = value.name;
    if (storages_of(id).empty()) fail(Code::GraphInvalid, where, "is read, but neither computed, given nor constant");
    if (bit_width(value.dtype) < 8) fail(Code::NotBuilt, where, "4-bit values cannot be rearranged while running");
    const int from = storages_of(id).front();
    Step step{.run = form_copy_kernel().run, .ends_node = false, .node = reader};
    step.prepared =
        prepare_form_copy(form_copy(value.shape, draft_.storages[from].form, form, bit_width(value.dtype) / 8));
    const int to = new_output(id, form, false);
    add_step(std::move(step),
             {.node = value.name, .op = "(layout)", .kernel = "form_copy", .kind = StepKind::Conversion}, {from}, {to});
    return to;
  }

  // ---- steps

  /// `traffic`: bytes the step reads beside its operands.
  void add_step(Step step, StepNote note, std::vector<int> inputs, std::vector<int> outputs, int64_t traffic = 0) {
    for (const std::vector<int>* operands : {&inputs, &outputs}) {
      for (const int operand : *operands) {
        note.values.push_back(ValueId::None);
        note.forms.push_back({});
        if (is_constant_operand(operand)) traffic += plan_->constants[constant_index(operand)].bytes().size();
        if (operand < 0) continue;
        DraftBuffer& buffer = draft_.buffer_of(operand);
        buffer.last = std::max(buffer.last, next_step());
        traffic += buffer.bytes;
        note.values.back() = draft_.storages[operand].value;
        note.forms.back() = draft_.storages[operand].form;
      }
    }
    note.input_count = inputs.size();
    step.parallel = step.prepared.tiles > 1 && traffic >= kParallelBytes;
    plan_->scratch_bytes = std::max(plan_->scratch_bytes, step.prepared.scratch);
    plan_->steps.push_back(std::move(step));
    plan_->notes.push_back(std::move(note));
    draft_.inputs.push_back(std::move(inputs));
    draft_.outputs.push_back(std::move(outputs));
  }

  void add_node(NodeId id) {
    const Node& node = graph_[id];
    if (is_mover(node) && !graph_[node.inputs[0]].constant && add_alias(id)) return;
    const NodeForms forms = forms_of(graph_, node, layouts_.node[static_cast<size_t>(id)], layouts_.value);
    const auto has_nothing = [&](ValueId output) {
      return output == ValueId::None || element_count(graph_[output].shape) == 0;
    };
    if (std::all_of(node.outputs.begin(), node.outputs.end(), has_nothing)) return add_idle_step(id, forms);
    BoundCall& bound = plan_->calls.emplace_back();
    bind(bound, graph_, id, forms, weights_);
    bound.law = law_;
    bound.ideal = options_.ideal;
    if (CustomCompute compute = code_of(id)) return add_custom_step(id, bound, forms, std::move(compute));
    const Kernel* kernel = kernel_for(bound.call(), options_);
    if (kernel == nullptr) {
      missing_.add(missing_kernel(bound.call(), graph_.where(id)));
      return add_idle_step(id, forms);  // so that its readers are checked too
    }
    Step step{.run = kernel->run, .node = id};
    step.prepared = kernel->prepare(bound.call(), weights_);
    const std::optional<Joint> joint = chains_ ? chains_->find(id, forms, step.prepared) : std::nullopt;
    if (joint) {
      const std::vector<int> operands = bring_inputs(id, bound, forms, step.prepared.unread_inputs);
      return chains_->join(id, *joint, operands, forms.outputs[0], std::move(step.prepared));
    }
    const std::vector<int> inputs = bring_inputs(id, bound, forms, step.prepared.unread_inputs);
    const StepKind kind = is_reference(*kernel) ? StepKind::Reference : StepKind::Kernel;
    const int64_t packed = packed_bytes(bound, step.prepared.unread_inputs);
    add_step(std::move(step), {.node = node.name, .op = node.op, .kernel = std::string(kernel->name), .kind = kind},
             inputs, make_outputs(id, forms), packed);
  }

  CustomCompute code_of(NodeId id) const {
    return graph_[id].op == kCustomOp && options_.custom_code ? options_.custom_code(graph_, id) : CustomCompute();
  }

  /// One tile: the code is called once a run, by the thread that runs.
  void add_custom_step(NodeId id, const BoundCall& bound, const NodeForms& forms, CustomCompute compute) {
    Step step{.node = id};
    step.run = [](const Prepared& prepared, std::span<const Buffer> buffers, int64_t, std::byte*) {
      (*static_cast<const CustomCompute*>(prepared.state.get()))(buffers);
    };
    step.prepared.state = std::make_shared<const CustomCompute>(std::move(compute));
    const std::vector<int> inputs = bring_inputs(id, bound, forms, 0);
    StepNote note{.node = graph_[id].name, .op = std::string(custom_type(graph_[id])), .kernel = "custom"};
    note.kind = StepKind::Kernel;
    add_step(std::move(step), std::move(note), inputs, make_outputs(id, forms));
  }

  static bool is_unread(const BoundCall& bound, size_t input, uint32_t unread) {
    return bound.inputs[input].constant != nullptr && input < 32 && (unread >> input & 1) != 0;
  }
  /// Of the constants that the kernel keeps in a form of its own.
  static int64_t packed_bytes(const BoundCall& bound, uint32_t unread) {
    int64_t bytes = 0;
    for (size_t i = 0; i < bound.inputs.size(); ++i) {
      if (is_unread(bound, i, unread)) bytes += static_cast<int64_t>(bound.inputs[i].constant->bytes().size());
    }
    return bytes;
  }

  std::vector<int> bring_inputs(NodeId id, const BoundCall& bound, const NodeForms& forms, uint32_t unread) {
    std::vector<int> inputs;
    for (size_t i = 0; i < bound.inputs.size(); ++i) {
      const Tensor* constant = bound.inputs[i].constant;
      if (!bound.inputs[i].present || is_unread(bound, i, unread)) {
        inputs.push_back(kAbsent);
      } else if (constant != nullptr) {
        inputs.push_back(constant_operand(plan_->constants.size()));
        plan_->constants.push_back(readable_constant(*constant, weights_));
      } else {
        inputs.push_back(storage_in(bound.node.inputs[i], forms.inputs[i], id));
      }
    }
    return inputs;
  }

  std::vector<int> make_outputs(NodeId id, const NodeForms& forms) {
    std::vector<int> outputs;
    for (size_t i = 0; i < graph_[id].outputs.size(); ++i) {
      const ValueId output = graph_[id].outputs[i];
      outputs.push_back(output == ValueId::None ? kAbsent : new_output(output, forms.outputs[i], options_.keep_all));
    }
    return outputs;
  }

  void add_idle_step(NodeId id, const NodeForms& forms) {
    Step step{.node = id};
    step.prepared.tiles = 0;
    add_step(std::move(step), {.node = graph_[id].name, .op = graph_[id].op, .kernel = "nothing"}, {},
             make_outputs(id, forms));
  }

  /// A Reshape always, a Transpose where it moves nothing: the output is the input's memory under another shape.
  bool add_alias(NodeId id) {
    const Node& node = graph_[id];
    const ValueId from = node.inputs[0], to = node.outputs[0];
    if (graph_[from].dtype != graph_[to].dtype) return false;
    const Form form = primary_form(to);
    const bool is_reshape = node.op == "Reshape";
    const MemoryOrder wanted = is_reshape
                                   ? memory_order(graph_[to].shape, form)
                                   : transposed_order(graph_[from].shape, permutation_of(node, rank_of(from)), form);
    int source = find_storage(draft_, from, wanted);
    for (const Layout layout : {Layout::Logical, Layout::ChannelsLast}) {
      const Form candidate{layout, rank_of(from)};
      if (is_reshape && source < 0 && memory_order(graph_[from].shape, candidate) == wanted) {
        source = storage_in(from, candidate, id);
      }
    }
    if (source < 0) return false;
    Step step{.node = id};
    StepNote note{.node = node.name, .op = node.op, .kernel = "alias", .kind = StepKind::Alias};
    int target = kAbsent;
    if (options_.keep_all) {  // every value can be set and read on its own
      const Form bytes{Layout::Logical, 1};
      step.run = form_copy_kernel().run;
      step.prepared = prepare_form_copy(form_copy({byte_count(from)}, bytes, bytes, 1));
      note.kernel = "copy";
      note.kind = StepKind::Kernel;
      target = new_output(to, form, true);
    } else {
      step.prepared.tiles = 0;
      target = new_storage(to, form);
      draft_.storages[target].buffer = draft_.storages[source].buffer;
    }
    add_step(std::move(step), std::move(note), {source}, {target});
    return true;
  }

  const Graph& graph_;
  const PlanOptions& options_;
  Weights& weights_;
  const Law* law_;
  const LayoutChoice layouts_;
  std::shared_ptr<Plan> plan_;
  Draft draft_;
  std::optional<ChainBuilder> chains_;  // none: every node is a step
  Diagnostics missing_;
};

}  // namespace

std::shared_ptr<const Plan> plan(const Graph& graph, const Arithmetic& arithmetic, const PlanOptions& options,
                                 Weights& weights) {
  refuse_dynamic_shapes(graph);
  return Planner(graph, arithmetic, options, weights).plan();
}

}  // namespace openrknn
