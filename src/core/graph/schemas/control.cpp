// Control flow. A body is a Graph in an attribute; what it reads from outside are inputs of the node, after the op's
// own, and of the body, after its own.
#include <fmt/format.h>

#include <algorithm>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kIf[] = {
    {"then_branch", AttributeType::Graph, false, "computed if the condition holds"},
    {"else_branch", AttributeType::Graph, false, "computed else; reads the same inputs"},
    {"problem", AttributeType::String, false, "why the other branch is left out: a run that takes it says so"},
};
constexpr AttributeSpec kLoop[] = {
    {"body", AttributeType::Graph, true,
     "inputs iteration, condition, carried values, captures; outputs condition, carried values, scan outputs"},
    {"carried", AttributeType::Int, true, "how many values go from one iteration to the next"},
};
constexpr AttributeSpec kScan[] = {
    {"body", AttributeType::Graph, true, "inputs states, slices of the scan inputs, captures; outputs states, slices"},
    {"states", AttributeType::Int, true, "how many values go from one iteration to the next"},
    {"scan_inputs", AttributeType::Int, true, "how many inputs are read slice by slice"},
    {"input_axes", AttributeType::Ints, false, "per scan input: the axis it is sliced along; default: 0"},
    {"output_axes", AttributeType::Ints, false, "per scan output: the axis slices are stacked along; default: 0"},
    {"input_directions", AttributeType::Ints, false, "per scan input: 0 (default) forward, 1 backward"},
    {"output_directions", AttributeType::Ints, false, "per scan output: 0 (default) appended, 1 prepended"},
};

const Graph& body_of(const Inference& inference, std::string_view attribute) {
  const auto found = inference.attributes().find(attribute);  // there, and a graph: checked against the schema before
  const auto& body = std::get<std::shared_ptr<const Graph>>(found->second);
  if (body == nullptr) inference.fail(fmt::format("attribute '{}' holds no graph", attribute));
  return *body;
}

std::string text_of(DType dtype, const Shape& shape) { return fmt::format("{}{}", name(dtype), to_string(shape)); }

void require_count(const Inference& inference, std::string_view body, std::string_view what, size_t got,
                   size_t expected) {
  if (got == expected) return;
  inference.fail(fmt::format("{} has {} {}, expected {}", body, got, what, expected));
}

/// The body takes what the node hands it: same type, and no extent fixed that may differ.
void require_input(const Inference& inference, std::string_view what, const Graph& body, size_t index, DType dtype,
                   const Shape& shape) {
  const Value& value = body[body.inputs[index]];
  bool same = value.dtype == dtype && value.shape.size() == shape.size();
  for (size_t d = 0; same && d < shape.size(); ++d) same = value.shape[d] < 0 || value.shape[d] == shape[d];
  if (same) return;
  inference.fail(fmt::format("input {} of {} ('{}') is {}, but is given {}", index, what, value.name,
                             text_of(value.dtype, value.shape), text_of(dtype, shape)));
}

/// What holds for both: extents that differ depend on data.
Shape common_shape(const Inference& inference, const Value& value, DType dtype, const Shape& shape) {
  if (value.dtype != dtype || value.shape.size() != shape.size()) {
    inference.fail(fmt::format("'{}' is {} here and {} there, expected one type and rank", value.name,
                               text_of(value.dtype, value.shape), text_of(dtype, shape)));
  }
  Shape out = shape;
  for (size_t d = 0; d < out.size(); ++d) {
    if (out[d] != value.shape[d]) out[d] = -1;
  }
  return out;
}

size_t count_attribute(const Inference& inference, std::string_view name, size_t most) {
  const int64_t count = int_attribute(inference.attributes(), name, 0);
  if (count < 0 || count > static_cast<int64_t>(most)) {
    inference.fail(fmt::format("attribute '{}' is {}, expected 0 to {}", name, count, most));
  }
  return static_cast<size_t>(count);
}

void require_all(const Inference& inference) {
  for (size_t i = 1; i < inference.input_count(); ++i) {
    if (!inference.has(i) && !(inference.node().op == "Loop" && i == 1)) {
      inference.fail(fmt::format("input {} is left out, expected a value", i));
    }
  }
}

bool is_single(const Shape& shape) { return shape.empty() || shape == Shape{1}; }

void require_one_element(const Inference& inference, size_t input, DType dtype, std::string_view what) {
  require_dtype(inference, input, dtype);
  if (!is_single(inference.shape(input))) {
    inference.fail(fmt::format("{} has shape {}, expected one element", what, to_string(inference.shape(input))));
  }
}

void infer_if(Inference& inference) {
  require_one_element(inference, 0, DType::Bool, "the condition");
  require_all(inference);
  std::vector<const Graph*> branches;
  for (const auto& [attribute, what] :
       {std::pair("then_branch", "the then branch"), std::pair("else_branch", "the else branch")}) {
    if (!inference.attributes().contains(attribute)) continue;
    const Graph& body = *branches.emplace_back(&body_of(inference, attribute));
    require_count(inference, what, "inputs", body.inputs.size(), inference.input_count() - 1);
    require_count(inference, what, "outputs", body.outputs.size(), inference.outputs.size());
    for (size_t i = 1; i < inference.input_count(); ++i) {
      require_input(inference, what, body, i - 1, inference.dtype(i), inference.shape(i));
    }
  }
  if (branches.empty()) inference.fail("both branches are left out, expected one at least");
  const Graph &first = *branches.front(), &last = *branches.back();
  for (size_t i = 0; i < inference.outputs.size(); ++i) {
    const Value& value = last[last.outputs[i]];
    inference.set(i, value.dtype, common_shape(inference, first[first.outputs[i]], value.dtype, value.shape));
  }
}

/// The loop runs exactly as often as its trip count says: the condition it starts with holds and is never changed.
bool is_counted(const Inference& inference, const Graph& body) {
  const Tensor* start = inference.constant(1);
  if (inference.has(1) && (start == nullptr || to_ints(*start)[0] == 0)) return false;
  const ValueId condition = body.outputs[0];
  if (condition == body.inputs[1]) return true;
  return body[condition].constant && to_ints(*body[condition].constant)[0] != 0;
}

void infer_loop(Inference& inference) {
  constexpr std::string_view kBody = "the body";
  require_all(inference);
  if (inference.has(0)) require_one_element(inference, 0, DType::Int64, "the trip count");
  if (inference.has(1)) require_one_element(inference, 1, DType::Bool, "the condition");
  const Graph& body = body_of(inference, "body");
  const size_t given = inference.input_count() - std::min<size_t>(inference.input_count(), 2);
  const size_t carried = count_attribute(inference, "carried", std::min(given, inference.outputs.size()));
  require_count(inference, kBody, "inputs", body.inputs.size(), 2 + given);
  require_count(inference, kBody, "outputs", body.outputs.size(), 1 + inference.outputs.size());
  const Value &iteration = body[body.inputs[0]], &condition = body[body.inputs[1]], &next = body[body.outputs[0]];
  if (iteration.dtype != DType::Int64 || !is_single(iteration.shape) || condition.dtype != DType::Bool ||
      !is_single(condition.shape) || next.dtype != DType::Bool || !is_single(next.shape)) {
    inference.fail("the body's iteration number and conditions must be one i64 and one bool each");
  }
  int64_t trips = -1;
  if (const Tensor* known = inference.constant(0); known != nullptr) {
    const int64_t wanted = to_ints(*known)[0];
    if (wanted < 0) inference.fail(fmt::format("the trip count is {}, expected 0 or more", wanted));
    if (is_counted(inference, body)) trips = wanted;
  }
  for (size_t i = 0; i < given; ++i) {
    require_input(inference, kBody, body, 2 + i, inference.dtype(2 + i), inference.shape(2 + i));
  }
  for (size_t i = 0; i < carried; ++i) {
    const Value& value = body[body.outputs[1 + i]];
    require_input(inference, kBody, body, 2 + i, value.dtype, value.shape);
    inference.set(i, value.dtype, common_shape(inference, value, inference.dtype(2 + i), inference.shape(2 + i)));
  }
  for (size_t i = carried; i < inference.outputs.size(); ++i) {
    const Value& value = body[body.outputs[1 + i]];
    Shape out = value.shape;
    out.insert(out.begin(), trips);
    inference.set(i, value.dtype, std::move(out));
  }
}

void infer_scan(Inference& inference) {
  constexpr std::string_view kBody = "the body";
  require_all(inference);
  const Graph& body = body_of(inference, "body");
  const size_t states =
      count_attribute(inference, "states", std::min(inference.input_count(), inference.outputs.size()));
  const size_t scanned = count_attribute(inference, "scan_inputs", inference.input_count() - states);
  if (scanned == 0) inference.fail("there is nothing to scan: attribute 'scan_inputs' is 0, expected 1 or more");
  const size_t stacked = inference.outputs.size() - states;
  require_count(inference, kBody, "inputs", body.inputs.size(), inference.input_count());
  require_count(inference, kBody, "outputs", body.outputs.size(), inference.outputs.size());
  const std::vector<int64_t> input_axes = list_of(inference, "input_axes", scanned, 0, 0);
  const std::vector<int64_t> output_axes = list_of(inference, "output_axes", stacked, 0, 0);
  for (const auto& [name, count] : {std::pair("input_directions", scanned), std::pair("output_directions", stacked)}) {
    for (const int64_t direction : list_of(inference, name, count, 0, 0)) {
      if (direction > 1) inference.fail(fmt::format("attribute '{}' holds {}, expected 0 or 1", name, direction));
    }
  }
  int64_t length = -1;
  for (size_t i = 0; i < inference.input_count(); ++i) {
    Shape shape = inference.shape(i);
    if (i >= states && i < states + scanned) {
      const auto axis = static_cast<size_t>(input_axes[i - states]);
      if (axis >= shape.size()) {
        inference.fail(fmt::format("input {} of shape {} has no axis {} to scan", i, to_string(shape), axis));
      }
      if (!fits(shape[axis], length)) {
        inference.fail(
            fmt::format("scan inputs differ in length: input {} has {} slices, others {}", i, shape[axis], length));
      }
      length = std::max(length, shape[axis]);
      shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
    }
    require_input(inference, kBody, body, i, inference.dtype(i), shape);
  }
  for (size_t i = 0; i < inference.outputs.size(); ++i) {
    const Value& value = body[body.outputs[i]];
    if (i < states) {
      require_input(inference, kBody, body, i, value.dtype, value.shape);
      inference.set(i, value.dtype, common_shape(inference, value, inference.dtype(i), inference.shape(i)));
      continue;
    }
    Shape out = value.shape;
    const int64_t axis = output_axes[i - states];
    if (axis > static_cast<int64_t>(out.size())) {
      inference.fail(fmt::format("slices of shape {} cannot be stacked along axis {}", to_string(out), axis));
    }
    out.insert(out.begin() + axis, length);
    inference.set(i, value.dtype, std::move(out));
  }
}

const OpSchema kControlSchemas[] = {
    {.name = "If",
     .attributes = kIf,
     .inputs = {1, kMany},
     .outputs = {1, kMany},
     .quant = QuantRule::Index,
     .infer = infer_if,
     .summary = "The outputs of one of two graphs; inputs condition, captures…."},
    {.name = "Loop",
     .attributes = kLoop,
     .inputs = {0, kMany},
     .outputs = {1, kMany},
     .quant = QuantRule::Index,
     .infer = infer_loop,
     .summary =
         "A body repeated while its condition holds; inputs trip count?, condition?, carried…, captures…; outputs "
         "carried…, scan outputs…."},
    {.name = "Scan",
     .attributes = kScan,
     .inputs = {1, kMany},
     .outputs = {1, kMany},
     .quant = QuantRule::Index,
     .infer = infer_scan,
     .summary = "A body over the slices of its scan inputs; inputs states…, scan inputs…, captures…; outputs states…, "
                "stacked slices…."},
};

}  // namespace

std::span<const OpSchema> control() { return kControlSchemas; }

}  // namespace openrknn::schemas
