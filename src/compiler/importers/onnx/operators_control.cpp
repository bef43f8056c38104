// Control flow: decided while importing where that is possible, else nodes with bodies.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/onnx/operators.h"
#include "core/graph/schema.h"

namespace openrknn::onnx {
namespace {

using Types = std::vector<std::pair<DType, Shape>>;

const GraphProto& body_of(Translation& t, std::string_view name) {
  const AttributeProto* attribute = t.attribute(name, AttributeKind::Graph);
  if (attribute == nullptr || attribute->graph == nullptr) {
    t.fail(Code::ImportBadFile, fmt::format("attribute '{}' is missing", name), "export the model again");
  }
  return *attribute->graph;
}

/// Something in a body could not be translated, which is noted: what depends on the node is skipped.
void give_up(Translation& t) {
  for (const Bytes name : t.node().outputs) {
    if (!name.empty()) t.scope().poisoned.insert(name);
  }
}

std::shared_ptr<const Graph> shared(Graph graph) { return std::make_shared<const Graph>(std::move(graph)); }

void require_outputs(Translation& t, std::string_view what, size_t got, size_t expected) {
  if (got == expected) return;
  t.fail(Code::ImportBadFile,
         fmt::format("{} has {} outputs, expected {} for the node's {}", what, got, expected, t.output_count()),
         "export the model again");
}

/// Both branches take the same inputs: what either of them reads.
void take_captures(ImportedBody& branch, std::span<const ValueId> all, const Graph& outside) {
  std::vector<ValueId> inputs;
  for (const ValueId captured : all) {
    const auto own = std::find(branch.captures.begin(), branch.captures.end(), captured);
    if (own != branch.captures.end()) {
      inputs.push_back(branch.graph.inputs[static_cast<size_t>(own - branch.captures.begin())]);
    } else {
      const Value& value = outside[captured];
      inputs.push_back(branch.graph.add({.name = value.name, .dtype = value.dtype, .shape = value.shape}));
    }
  }
  branch.graph.inputs = std::move(inputs);
}

/// A branch, or why there is none.
struct Branch {
  std::optional<ImportedBody> body;
  std::vector<Diagnostic> problems;

  /// Sound as a graph, but not in these shapes: models with a branch an input size have such.
  bool only_misfits() const {
    return !body && !problems.empty() && std::all_of(problems.begin(), problems.end(), [](const Diagnostic& d) {
      return d.code == Code::ImportShapeMismatch || d.code == Code::GraphInferenceFailed;
    });
  }
};

Branch import_branch(Translation& t, const GraphProto& proto) {
  Diagnostics& problems = t.builder().problems;
  const Diagnostics before = problems;
  Branch branch{import_body(t.builder(), t.scope(), t.node(), proto, {}), problems.list()};
  branch.problems.erase(branch.problems.begin(), branch.problems.begin() + std::ssize(before.list()));
  problems = before;
  return branch;
}

void require_same_types(Translation& t, const Graph& first, const Graph& second) {
  for (size_t i = 0; i < t.output_count(); ++i) {
    const Value& one = first[first.outputs[i]];
    const Value& two = second[second.outputs[i]];
    if (one.dtype == two.dtype && one.shape.size() == two.shape.size()) continue;
    t.fail(
        Code::ImportNotConstant,
        fmt::format("the condition is known at run time only, and output {} is {}{} in one branch, {}{} in the other: "
                    "expected one type and rank",
                    i, name(one.dtype), to_string(one.shape), name(two.dtype), to_string(two.shape)),
        "freeze the inputs that decide the condition (initial_values)");
  }
}

void branch(Translation& t) {
  const GraphProto &taken = body_of(t, "then_branch"), &other = body_of(t, "else_branch");
  if (t.constant(0) != nullptr) {
    const std::vector<int64_t> condition = t.known_ints(0, "the condition");
    if (condition.size() != 1) t.fail(Code::ImportShapeMismatch, "the condition must be one boolean");
    return inline_branch(t.builder(), t.scope(), t.node(), condition[0] != 0 ? taken : other, t.origin());
  }
  require_outputs(t, "the then branch", taken.outputs.size(), t.output_count());
  require_outputs(t, "the else branch", other.outputs.size(), t.output_count());
  Branch branches[] = {import_branch(t, taken), import_branch(t, other)};
  Branch &first = branches[0], &second = branches[1];
  const bool is_partial = (first.body && second.only_misfits()) || (second.body && first.only_misfits());
  if (!is_partial) {
    for (Branch& each : branches) {
      for (Diagnostic& problem : each.problems) t.builder().problems.add(std::move(problem));
    }
    if (!first.body || !second.body) return give_up(t);
    require_same_types(t, first.body->graph, second.body->graph);
  }
  std::vector<ValueId> captures;
  for (const Branch& each : branches) {
    for (const ValueId id : each.body ? each.body->captures : std::vector<ValueId>()) {
      if (std::find(captures.begin(), captures.end(), id) == captures.end()) captures.push_back(id);
    }
  }
  Attributes attributes;
  for (Branch& each : branches) {
    if (each.body) {
      take_captures(*each.body, captures, t.builder().graph);
      attributes[&each == &first ? "then_branch" : "else_branch"] = shared(std::move(each.body->graph));
    } else {
      const Diagnostic& problem = each.problems.front();
      attributes["problem"] = fmt::format("node '{}': {}", problem.where.node, problem.problem);
    }
  }
  std::vector<ValueId> inputs = {t.input(0)};
  inputs.insert(inputs.end(), captures.begin(), captures.end());
  t.produce("If", std::move(inputs), std::move(attributes));
}

/// Imports the body for values that go from one iteration to the next (`types` at `first`…): extents that an iteration
/// changes become unknown, and the body is imported once more, until none changes.
std::optional<ImportedBody> import_repeated(Translation& t, const GraphProto& proto, Types types, size_t first,
                                            size_t carried, size_t first_output) {
  for (;;) {
    std::optional<ImportedBody> body = import_body(t.builder(), t.scope(), t.node(), proto, types);
    if (!body) return body;
    bool settled = true;
    for (size_t i = 0; i < carried; ++i) {
      const Value& next = body->graph[body->graph.outputs[first_output + i]];
      auto& [dtype, shape] = types[first + i];
      if (next.dtype != dtype || next.shape.size() != shape.size()) {
        t.fail(Code::ImportShapeMismatch,
               fmt::format("'{}' is {}{} before an iteration and {}{} after it, expected one type and rank",
                           proto.inputs[first + i].name, name(dtype), to_string(shape), name(next.dtype),
                           to_string(next.shape)),
               "export the model again");
      }
      for (size_t d = 0; d < shape.size(); ++d) {
        if (shape[d] < 0 || shape[d] == next.shape[d]) continue;
        shape[d] = -1;  // each round settles one extent more
        settled = false;
      }
    }
    if (settled) return body;
  }
}

/// The iteration number and the condition are scalars, unless the body says they have one dimension.
Shape single_shape(const GraphProto& body, size_t input) {
  const bool one = input < body.inputs.size() && body.inputs[input].shape && body.inputs[input].shape->size() == 1;
  return one ? Shape{1} : Shape{};
}

void loop(Translation& t) {
  const GraphProto& proto = body_of(t, "body");
  const size_t carried = t.input_count() > 2 ? t.input_count() - 2 : 0;
  require_outputs(t, "the body", proto.outputs.size(), 1 + std::max(t.output_count(), carried));
  if (t.output_count() < carried) {
    t.fail(Code::ImportBadFile,
           fmt::format("{} values are carried, but the node has {} outputs", carried, t.output_count()),
           "export the model again");
  }
  Types types = {{DType::Int64, single_shape(proto, 0)}, {DType::Bool, single_shape(proto, 1)}};
  std::vector<ValueId> inputs = {t.optional_input(0), t.optional_input(1)};
  for (size_t i = 0; i < carried; ++i) {
    inputs.push_back(t.input(2 + i));
    types.emplace_back(t.dtype(2 + i), t.open_shape(2 + i));
  }
  if (const ValueId trips = inputs[0]; trips != ValueId::None && t.dtype_of(trips) != DType::Int64) {
    inputs[0] = t.cast(trips, DType::Int64);
  }
  std::optional<ImportedBody> body = import_repeated(t, proto, std::move(types), 2, carried, 1);
  if (!body) return give_up(t);
  inputs.insert(inputs.end(), body->captures.begin(), body->captures.end());
  t.produce("Loop", std::move(inputs),
            {{"body", shared(std::move(body->graph))}, {"carried", static_cast<int64_t>(carried)}});
}

/// Opset 8: sequence lengths first, and a batch dimension everywhere. A Scan over the batch whose body is the Scan over
/// the sequence.
void batched_scan(Translation& t) {
  const GraphProto& proto = body_of(t, "body");
  if (t.has(0)) t.unsupported("sequence_lens are given", "export with opset 9 or newer");
  const int64_t scanned = t.required_integer("num_scan_inputs");
  const int64_t given = static_cast<int64_t>(t.input_count()) - 1;
  if (scanned < 1 || scanned > given) {
    t.fail(Code::ImportBadFile, fmt::format("num_scan_inputs is {}, expected 1 to {}", scanned, given));
  }
  const auto states = static_cast<size_t>(given - scanned);
  require_outputs(t, "the body", proto.outputs.size(), std::max(t.output_count(), states));
  const std::vector<int64_t> directions = t.integers("directions");
  if (!directions.empty() && std::ssize(directions) != scanned) {
    t.fail(Code::ImportBadFile, fmt::format("directions has {} entries, expected {}", directions.size(), scanned));
  }
  Types types;
  Graph around;  // one entry of the batch
  Node each{.op = "Scan"};
  std::vector<ValueId> inputs;
  for (size_t i = 0; i < static_cast<size_t>(given); ++i) {
    const size_t leading = i < states ? 1 : 2;
    const Shape shape = t.open_shape(1 + i);
    if (shape.size() < leading) {
      t.fail(Code::ImportShapeMismatch,
             fmt::format("input {} has shape {}, expected rank {} or more", 1 + i, to_string(shape), leading));
    }
    inputs.push_back(t.input(1 + i));
    const auto rest = shape.begin() + static_cast<std::ptrdiff_t>(leading);
    types.emplace_back(t.dtype(1 + i), Shape(rest, shape.end()));
    each.inputs.push_back(around.add(Value{.dtype = t.dtype(1 + i), .shape = Shape(shape.begin() + 1, shape.end())}));
  }
  std::optional<ImportedBody> body = import_repeated(t, proto, std::move(types), 0, states, 0);
  if (!body) return give_up(t);
  for (const ValueId captured : body->captures) {
    const Value& value = t.builder().graph[captured];
    inputs.push_back(captured);
    each.inputs.push_back(around.add(Value{.name = value.name, .dtype = value.dtype, .shape = value.shape}));
  }
  around.inputs = each.inputs;
  for (size_t i = 0; i < t.output_count(); ++i) each.outputs.push_back(around.add(Value{}));
  around.outputs = each.outputs;
  each.attributes = {
      {"body", shared(std::move(body->graph))}, {"states", static_cast<int64_t>(states)}, {"scan_inputs", scanned}};
  if (!directions.empty()) each.attributes["input_directions"] = directions;
  infer(around, around.add(std::move(each)));
  t.produce("Scan", std::move(inputs),
            {{"body", shared(std::move(around))}, {"states", int64_t{0}}, {"scan_inputs", given}});
}

void scan(Translation& t) {
  if (t.opset() < 9) return batched_scan(t);
  const GraphProto& proto = body_of(t, "body");
  const int64_t scanned = t.required_integer("num_scan_inputs");
  const auto given = static_cast<int64_t>(t.input_count());
  if (scanned < 1 || scanned > given) {
    t.fail(Code::ImportBadFile, fmt::format("num_scan_inputs is {}, expected 1 to {}", scanned, given));
  }
  const auto states = static_cast<size_t>(given - scanned);
  require_outputs(t, "the body", proto.outputs.size(), std::max(t.output_count(), states));
  if (t.output_count() < states) {
    t.fail(Code::ImportBadFile,
           fmt::format("{} states are carried, but the node has {} outputs", states, t.output_count()));
  }
  const auto list = [&](std::string_view name, size_t count) {
    std::vector<int64_t> values = t.integers(name);
    if (values.empty()) values.assign(count, 0);
    if (values.size() != count) {
      t.fail(Code::ImportBadFile, fmt::format("{} has {} entries, expected {}", name, values.size(), count));
    }
    return values;
  };
  const size_t stacked = t.output_count() - states;
  std::vector<int64_t> input_axes = list("scan_input_axes", static_cast<size_t>(scanned));
  Types types;
  for (size_t i = 0; i < states; ++i) types.emplace_back(t.dtype(i), t.open_shape(i));
  for (size_t i = 0; i < input_axes.size(); ++i) {
    Shape slice = t.open_shape(states + i);
    input_axes[i] = t.axis(input_axes[i], std::ssize(slice), "scan_input_axes");
    slice.erase(slice.begin() + static_cast<std::ptrdiff_t>(input_axes[i]));
    types.emplace_back(t.dtype(states + i), std::move(slice));
  }
  std::optional<ImportedBody> body = import_repeated(t, proto, std::move(types), 0, states, 0);
  if (!body) return give_up(t);
  std::vector<int64_t> output_axes = list("scan_output_axes", stacked);
  for (size_t i = 0; i < stacked; ++i) {
    const Value& slice = body->graph[body->graph.outputs[states + i]];
    output_axes[i] = t.axis(output_axes[i], std::ssize(slice.shape) + 1, "scan_output_axes");
  }
  std::vector<ValueId> inputs = t.inputs();
  inputs.insert(inputs.end(), body->captures.begin(), body->captures.end());
  t.produce("Scan", std::move(inputs),
            {{"body", shared(std::move(body->graph))},
             {"states", static_cast<int64_t>(states)},
             {"scan_inputs", scanned},
             {"input_axes", std::move(input_axes)},
             {"output_axes", std::move(output_axes)},
             {"input_directions", list("scan_input_directions", static_cast<size_t>(scanned))},
             {"output_directions", list("scan_output_directions", stacked)}});
}

constexpr OperatorRow kControlRows[] = {{"If", 1, 28, branch}, {"Loop", 1, 28, loop}, {"Scan", 8, 28, scan}};

}  // namespace

std::span<const OperatorRow> control_operators() { return kControlRows; }

}  // namespace openrknn::onnx
