// Operators along a sequence: running sums, sequences turned around, caches, linear attention, causal convolution.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

void running(Translation& t) {
  const int64_t axis = t.axis(t.known_int(1, "the axis"), t.rank(0));
  Attributes attributes = {{"axis", axis}};
  for (const std::string_view flag : {"exclusive", "reverse"}) {
    if (t.integer(flag, 0) != 0) attributes[std::string(flag)] = int64_t{1};
  }
  t.produce(t.op(), {t.input(0)}, std::move(attributes));
}

void reverse_sequence(Translation& t) {
  t.produce("ReverseSequence", {t.input(0), t.input(1)},
            {{"batch_axis", t.integer("batch_axis", 1)}, {"time_axis", t.integer("time_axis", 0)}});
}

constexpr int64_t kLargestGrid = int64_t{1} << 26;

/// The cache with the update written behind write_indices: a ScatterND whose indices name every line along the axis.
void tensor_scatter(Translation& t) {
  const Shape cache = t.shape(0), update = t.shape(1);
  const std::string mode = t.text("mode", "linear");
  if (mode != "linear" && mode != "circular") {
    t.unsupported(fmt::format("mode is '{}', expected linear or circular", mode));
  }
  const int64_t axis = t.axis(t.integer("axis", -2), t.rank(0));
  const auto along = static_cast<size_t>(axis);
  bool fit = axis > 0 && update.size() == cache.size();
  for (size_t d = 0; fit && d < cache.size(); ++d) fit = d == along ? update[d] <= cache[d] : update[d] == cache[d];
  if (!fit) {
    t.fail(Code::ImportShapeMismatch, fmt::format("an update of {} does not fit into {} along axis {}",
                                                  to_string(update), to_string(cache), axis));
  }
  // Places: everything up to the axis, as a grid of [batch, D1, …, sequence].
  Shape grid(update.begin(), update.begin() + axis + 1);
  const int64_t lines = element_count(grid);
  if (lines * (axis + 1) > kLargestGrid) t.unsupported(fmt::format("an update of {} is too large", to_string(update)));
  Shape prefix_shape = grid, last_shape = grid;
  prefix_shape.push_back(axis);
  last_shape.push_back(1);
  Tensor prefix(DType::Int64, prefix_shape);
  const std::span<int64_t> places = prefix.mutable_values<int64_t>();
  for (int64_t line = 0; line < lines; ++line) {
    int64_t rest = line / grid.back();
    for (int64_t d = axis - 1; d >= 0; --d) {
      places[static_cast<size_t>(line * axis + d)] = rest % grid[static_cast<size_t>(d)];
      rest /= grid[static_cast<size_t>(d)];
    }
  }
  Tensor steps(DType::Int64, {grid.back(), 1});
  for (int64_t i = 0; i < grid.back(); ++i) steps.mutable_values<int64_t>()[static_cast<size_t>(i)] = i;
  ValueId last = t.add_constant(std::move(steps), "steps");
  if (t.has(2)) {
    if (t.rank(2) != 1 || t.shape(2)[0] != cache[0]) {
      t.fail(Code::ImportShapeMismatch,
             fmt::format("write_indices has shape {}, expected [{}]", to_string(t.shape(2)), cache[0]));
    }
    Shape begins(last_shape.size(), 1);
    begins[0] = cache[0];
    last = t.emit("Add", {last, t.reshape(t.cast(t.input(2), DType::Int64), begins)});
    if (mode == "circular") {
      last = t.emit("Mod", {last, t.scalar(static_cast<double>(cache[along]), DType::Int64)});
    }
  }
  last = t.emit("Expand",
                {t.reshape(last,
                           [&] {
                             Shape raised(last_shape.size(), 1);
                             const Shape given = t.shape_of(last);
                             std::copy_backward(given.begin(), given.end(), raised.end());
                             return raised;
                           }())},
                {{"shape", last_shape}});
  const ValueId indices = t.emit("Concat", {t.add_constant(std::move(prefix), "places"), last}, {{"axis", axis + 1}});
  t.produce("ScatterND", {t.input(0), indices, t.input(1)}, {{"reduction", std::string("none")}});
}

void linear_attention(Translation& t) {
  const int64_t queries = t.required_integer("q_num_heads");
  if (t.rank(0) != 3 || queries < 1 || t.shape(0)[2] % queries != 0) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("query {} does not split into {} heads", to_string(t.shape(0)), queries));
  }
  double scale = t.real("scale", 0);
  if (scale == 0) scale = 1.0 / std::sqrt(static_cast<double>(std::max<int64_t>(1, t.shape(0)[2] / queries)));
  std::vector<ValueId> inputs;
  for (size_t i = 0; i < 6; ++i) inputs.push_back(t.optional_input(i));
  t.produce("LinearAttention", std::move(inputs),
            {{"q_num_heads", queries},
             {"kv_num_heads", t.required_integer("kv_num_heads")},
             {"scale", scale},
             {"update_rule", t.text("update_rule", "gated_delta")}});
}

/// A depthwise convolution over what came before and the input; the end of that is the state of the next call.
void causal_convolution(Translation& t) {
  const Shape x = t.shape(0), w = t.shape(1);
  if (x.size() != 3 || w.size() != 3 || w[0] != x[1] || w[1] != 1 || w[2] < 1) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("weights {} do not fit an input of {}, expected [channels, 1, k]", to_string(w), to_string(x)));
  }
  const std::string activation = t.text("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish") {
    t.unsupported(fmt::format("activation is '{}', expected none, silu or swish", activation));
  }
  const int64_t before = w[2] - 1;
  const Shape state = {x[0], x[1], before};
  if (t.has(3) && t.shape(3) != state) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("past_state has shape {}, expected {}", to_string(t.shape(3)), to_string(state)));
  }
  ValueId whole = t.input(0);
  int64_t padding = before;
  if (before > 0 && (t.has(3) || t.output_used(1))) {
    const ValueId past = t.has(3) ? t.input(3) : t.add_constant(Tensor::zeros(t.dtype(0), state), "nothing");
    whole = t.emit("Concat", {past, whole}, {{"axis", int64_t{2}}});
    padding = 0;
  }
  if (t.output_used(1)) {
    if (before == 0) {
      t.produce_constant(Tensor::zeros(t.dtype(0), state), 1);
    } else {
      t.forward(
          t.emit(
              "Slice", {whole},
              {{"starts", Shape{0, 0, x[2]}}, {"ends", Shape{x[0], x[1], x[2] + before}}, {"steps", Shape{1, 1, 1}}}),
          1);
    }
  }
  std::vector<ValueId> inputs = {whole, t.input(1)};
  if (t.has(2)) inputs.push_back(t.input(2));
  const Attributes attributes = {{"kernel_shape", Shape{w[2]}},
                                 {"strides", Shape{1}},
                                 {"pads", Shape{padding, 0}},
                                 {"dilations", Shape{1}},
                                 {"group", x[1]}};
  if (activation == "none") return t.produce("Conv", std::move(inputs), attributes);
  t.produce("SiLU", {t.emit("Conv", std::move(inputs), attributes)});
}

constexpr OperatorRow kSequenceRows[] = {
    {"CumSum", 11, 28, running},
    {"CumProd", 26, 28, running},
    {"ReverseSequence", 10, 28, reverse_sequence},
    {"TensorScatter", 24, 28, tensor_scatter},
    {"LinearAttention", 27, 28, linear_attention},
    {"CausalConvWithState", 27, 28, causal_convolution},
};

}  // namespace

std::span<const OperatorRow> sequence_operators() { return kSequenceRows; }

}  // namespace openrknn::onnx
