#include "core/executor/segments.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <map>

#include "core/executor/control_flow.h"
#include "core/executor/data_dependent_node.h"
#include "core/executor/needed_nodes.h"
#include "core/graph/schema.h"

namespace openrknn {

// Members of SegmentedRun::State, hence not in the unnamed namespace.

/// A part of the graph in the shapes it was given once.
struct PlannedSegment {
  std::vector<Shape> shapes;  // of the inputs
  Graph graph;
  std::shared_ptr<Weights> weights;
  std::shared_ptr<const Plan> plan;
  std::optional<Run> run;
};

struct Segment {
  Graph graph;                         // -1 where its own inputs are not known yet
  std::vector<ValueId> reads, writes;  // in the whole graph: what graph.inputs and graph.outputs are there
  std::vector<NodeId> ending;          // computed after it, each on its own
  std::vector<ValueId> released;       // nobody reads them afterwards
  std::list<PlannedSegment> plans;     // the latest first
};

namespace {

/// Plans kept a segment, the least recently used one goes first. Shapes that never come back must not pile up.
constexpr size_t kMostPlans = 8;

bool has_unknown_extents(const Graph& graph, ValueId id) {
  return id != ValueId::None && !graph[id].constant && !is_static(graph[id].shape);
}

/// Copies nodes of the whole graph into the segment's own.
class SegmentBuilder {
 public:
  SegmentBuilder(const Graph& whole, Segment& segment) : whole_(whole), segment_(segment) {
    segment_.graph.origins = whole.origins;
  }

  void add(NodeId id) {
    Node node = whole_[id];
    for (ValueId& input : node.inputs) input = copy(input);
    for (ValueId& output : node.outputs) {
      if (output == ValueId::None) continue;
      Value value = whole_[output];
      value.producer = NodeId::None;
      value.constant.reset();
      value.aliases.clear();
      const ValueId made = segment_.graph.add(std::move(value));
      copies_[output] = made;
      output = made;
    }
    segment_.graph.add(std::move(node));
  }

  bool gives(ValueId id) const { return copies_.contains(id) && !std::ranges::count(segment_.reads, id); }

  void write(ValueId id) {
    if (!gives(id) || std::ranges::count(segment_.writes, id) != 0) return;
    segment_.writes.push_back(id);
    segment_.graph.outputs.push_back(copies_.at(id));
  }

 private:
  ValueId copy(ValueId id) {
    if (id == ValueId::None) return id;
    if (const auto found = copies_.find(id); found != copies_.end()) return found->second;
    Value value = whole_[id];
    value.producer = NodeId::None;
    value.aliases.clear();
    const bool is_known = value.constant.has_value();
    const ValueId made = segment_.graph.add(std::move(value));
    copies_.emplace(id, made);
    if (!is_known) {
      segment_.reads.push_back(id);
      segment_.graph.inputs.push_back(made);
    }
    return made;
  }

  const Graph& whole_;
  Segment& segment_;
  std::map<ValueId, ValueId> copies_;
};

/// A node belongs to the segment after the last one that ends before it.
std::vector<Segment> segments_of(const Graph& graph) {
  std::vector<size_t> level(static_cast<size_t>(graph.value_count()), 0);
  std::vector<std::vector<NodeId>> nodes, ending;
  for (const NodeId id : needed_nodes(graph)) {
    size_t own = 0;
    for (const ValueId input : graph[id].inputs) {
      if (input != ValueId::None) own = std::max(own, level[static_cast<size_t>(input)]);
    }
    if (own >= nodes.size()) {
      nodes.resize(own + 1);
      ending.resize(own + 1);
    }
    const bool ends = ends_segment(graph, id);
    (ends ? ending : nodes)[own].push_back(id);
    for (const ValueId output : graph[id].outputs) {
      if (output != ValueId::None && !graph[output].constant) level[static_cast<size_t>(output)] = own + (ends ? 1 : 0);
    }
  }

  std::vector<Segment> segments(nodes.size());
  std::vector<SegmentBuilder> builders;
  for (size_t i = 0; i < segments.size(); ++i) {
    SegmentBuilder& builder = builders.emplace_back(graph, segments[i]);
    for (const NodeId id : nodes[i]) builder.add(id);
    segments[i].ending = ending[i];
  }
  // What is read elsewhere goes out; after its last reader it is released.
  std::vector<size_t> last(level.size(), 0);
  for (size_t i = 0; i < segments.size(); ++i) {
    std::vector<ValueId> wanted = segments[i].reads;
    for (const NodeId id : segments[i].ending) {
      wanted.insert(wanted.end(), graph[id].inputs.begin(), graph[id].inputs.end());
    }
    for (const ValueId id : wanted) {
      if (id == ValueId::None || graph[id].constant) continue;
      last[static_cast<size_t>(id)] = std::max(last[static_cast<size_t>(id)], i);
      for (SegmentBuilder& builder : builders) builder.write(id);
    }
  }
  for (const ValueId id : graph.outputs) {
    last[static_cast<size_t>(id)] = segments.size();
    for (SegmentBuilder& builder : builders) builder.write(id);
  }
  for (size_t i = 0; i < last.size(); ++i) {
    if (last[i] < segments.size()) segments[last[i]].released.push_back(ValueId(static_cast<int32_t>(i)));
  }
  return segments;
}

PlannedSegment plan_segment(const Segment& segment, std::vector<Shape> shapes, const Arithmetic& arithmetic,
                            const PlanOptions& options, const std::shared_ptr<Weights>& shared) {
  PlannedSegment planned{.shapes = std::move(shapes), .graph = segment.graph, .weights = shared};
  Graph& graph = planned.graph;
  for (size_t i = 0; i < graph.inputs.size(); ++i) graph[graph.inputs[i]].shape = planned.shapes[i];
  for (const NodeId id : graph.order()) {
    infer(graph, id, evaluate);
    for (const ValueId output : graph[id].outputs) {
      if (output == ValueId::None) continue;
      // Constants of these shapes alone have no lasting address, by which shared weights are told apart.
      if (graph[output].constant) planned.weights = std::make_shared<Weights>();
      if (!is_static(graph[output].shape)) {
        fail(Code::Internal, graph.where(id),
             fmt::format("'{}' still has shape {}", graph[output].name, to_string(graph[output].shape)));
      }
    }
  }
  planned.plan = plan(graph, arithmetic, options, *planned.weights);
  return planned;
}

}  // namespace

bool ends_segment(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (is_control_flow(node.op)) return true;
  const DataDependentOperator* row = find_data_dependent(node.op);
  if (row == nullptr) return false;
  return row->compute != nullptr || row->resolve != nullptr || has_unknown_extents(graph, node.outputs[0]);
}

bool needs_segments(const Graph& graph) {
  const auto unknown = [&](ValueId id) { return has_unknown_extents(graph, id); };
  if (std::ranges::any_of(graph.inputs, unknown)) return true;
  return std::ranges::any_of(needed_nodes(graph), [&](NodeId id) {
    return ends_segment(graph, id) || std::ranges::any_of(graph[id].outputs, unknown);
  });
}

void require_fixed_shapes(const Graph& graph, std::string_view who) {
  Diagnostics problems;
  for (const NodeId id : needed_nodes(graph)) {
    if (!ends_segment(graph, id)) continue;
    problems.add(Code::NotBuilt, graph.where(id),
                 fmt::format("{} needs fixed shapes, but {}", who,
                             is_control_flow(graph[id].op)
                                 ? fmt::format("{} decides at run time what is computed", graph[id].op)
                                 : fmt::format("the output extents of {} depend on data", graph[id].op)),
                 "run the graph with graph.run, or end the model before this node (outputs=…)");
  }
  problems.throw_if_any();
}

struct SegmentedRun::State {
  Graph graph;
  Arithmetic arithmetic;
  PlanOptions options;
  ThreadPool& pool;
  std::shared_ptr<Weights> weights = std::make_shared<Weights>();
  std::vector<Segment> segments;
  std::map<std::pair<NodeId, std::string>, SegmentedRun> bodies;  // made when first needed
  std::function<void()> checkpoint;
  std::vector<Tensor> contents;  // by ValueId: what is known of this run and still needed
  std::vector<bool> is_there;
  int64_t plans_made = 0;

  State(Graph g, const Arithmetic& a, const PlanOptions& o, ThreadPool& p)
      : graph(std::move(g)), arithmetic(a), options(o), pool(p), segments(segments_of(graph)) {
    options.keep_all = false;
  }

  const Tensor& content(ValueId id) const {
    if (graph[id].constant) return *graph[id].constant;
    if (!is_there[static_cast<size_t>(id)]) {
      fail(Code::GraphInvalid, Location{.tensor = graph[id].name}, "is read, but nothing computes it");
    }
    return contents[static_cast<size_t>(id)];
  }

  void put(ValueId id, Tensor tensor) {
    contents[static_cast<size_t>(id)] = std::move(tensor);
    is_there[static_cast<size_t>(id)] = true;
  }

  PlannedSegment& planned(Segment& segment) {
    std::vector<Shape> shapes;
    for (const ValueId id : segment.reads) shapes.push_back(content(id).shape());
    auto found = std::ranges::find_if(segment.plans, [&](const PlannedSegment& p) { return p.shapes == shapes; });
    if (found == segment.plans.end()) {
      segment.plans.push_front(plan_segment(segment, std::move(shapes), arithmetic, options, weights));
      segment.plans.front().run.emplace(segment.plans.front().plan, pool);
      ++plans_made;
      if (segment.plans.size() > kMostPlans) segment.plans.pop_back();
    } else if (found != segment.plans.begin()) {
      segment.plans.splice(segment.plans.begin(), segment.plans, found);
    }
    return segment.plans.front();
  }

  void compute(Segment& segment) {
    if (segment.writes.empty()) return;
    PlannedSegment& part = planned(segment);
    for (size_t i = 0; i < segment.reads.size(); ++i) part.run->set(part.graph.inputs[i], content(segment.reads[i]));
    part.run->run();
    for (size_t i = 0; i < segment.writes.size(); ++i) put(segment.writes[i], part.run->get(part.graph.outputs[i]));
  }

  void compute(NodeId id) {
    std::vector<const Tensor*> inputs;
    for (const ValueId input : graph[id].inputs) inputs.push_back(input == ValueId::None ? nullptr : &content(input));
    const RunBody run_body = [&](std::string_view attribute, std::vector<Tensor> given) {
      return body(id, attribute).run(given);
    };
    const FloatEnvironment environment;
    std::vector<Tensor> outputs = is_control_flow(graph[id].op) ? run_control_flow(graph, id, inputs, run_body)
                                                                : compute_data_dependent(graph, id, inputs);
    for (size_t i = 0; i < graph[id].outputs.size(); ++i) {
      if (graph[id].outputs[i] != ValueId::None) put(graph[id].outputs[i], std::move(outputs.at(i)));
    }
  }

  SegmentedRun& body(NodeId id, std::string_view attribute) {
    const auto key = std::pair(id, std::string(attribute));
    auto found = bodies.find(key);
    if (found == bodies.end()) {
      const auto& given = std::get<std::shared_ptr<const Graph>>(graph[id].attributes.find(attribute)->second);
      found = bodies.emplace(key, SegmentedRun(*given, arithmetic, options, pool)).first;
      found->second.set_checkpoint(checkpoint);
    }
    return found->second;
  }

  void take_inputs(std::span<const Tensor> inputs) {
    if (inputs.size() != graph.inputs.size()) {
      fail(Code::RuntimeBadInput, fmt::format("got {} inputs, expected {}", inputs.size(), graph.inputs.size()));
    }
    contents.assign(static_cast<size_t>(graph.value_count()), Tensor());
    is_there.assign(contents.size(), false);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Value& value = graph[graph.inputs[i]];
      bool fits = inputs[i].dtype() == value.dtype && inputs[i].shape().size() == value.shape.size();
      for (size_t d = 0; fits && d < value.shape.size(); ++d) {
        fits = value.shape[d] < 0 || value.shape[d] == inputs[i].shape()[d];
      }
      if (!fits) {
        fail(Code::RuntimeBadInput, Location{.tensor = value.name},
             fmt::format("got {} {}, expected {} {}", name(inputs[i].dtype()), to_string(inputs[i].shape()),
                         name(value.dtype), to_string(value.shape)));
      }
      put(graph.inputs[i], inputs[i]);
    }
  }
};

SegmentedRun::SegmentedRun(Graph graph, const Arithmetic& arithmetic, const PlanOptions& options, ThreadPool& pool)
    : state_(std::make_unique<State>(std::move(graph), arithmetic, options, pool)) {}
SegmentedRun::~SegmentedRun() = default;
SegmentedRun::SegmentedRun(SegmentedRun&&) noexcept = default;
SegmentedRun& SegmentedRun::operator=(SegmentedRun&&) noexcept = default;

std::vector<Tensor> SegmentedRun::run(std::span<const Tensor> inputs) {
  State& state = *state_;
  state.take_inputs(inputs);
  if (state.checkpoint) state.checkpoint();  // a body of constants alone has no segment
  for (Segment& segment : state.segments) {
    if (state.checkpoint) state.checkpoint();
    state.compute(segment);
    for (const NodeId id : segment.ending) state.compute(id);
    for (const ValueId id : segment.released) {
      state.contents[static_cast<size_t>(id)] = Tensor();
      state.is_there[static_cast<size_t>(id)] = false;
    }
  }
  std::vector<Tensor> outputs;
  for (const ValueId id : state.graph.outputs) outputs.push_back(state.content(id));
  state.contents.clear();
  return outputs;
}

void SegmentedRun::set_checkpoint(std::function<void()> checkpoint) {
  for (auto& [key, body] : state_->bodies) body.set_checkpoint(checkpoint);
  state_->checkpoint = std::move(checkpoint);
}

int64_t SegmentedRun::plans_made() const {
  int64_t total = state_->plans_made;
  for (const auto& [key, body] : state_->bodies) total += body.plans_made();
  return total;
}

}  // namespace openrknn
