// Recurrent layers, in one form: time first, every activation named with its parameters.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr std::string_view kFunctions[] = {
    "Relu",       "Tanh",        "Sigmoid", "Affine",   "LeakyRelu", "ThresholdedRelu",
    "ScaledTanh", "HardSigmoid", "Elu",     "Softsign", "Softplus"};

#define OPENRKNN_RECURRENT_ATTRIBUTES                                                                               \
  AttributeSpec{"direction", AttributeType::String, false, "forward (default), reverse or bidirectional"},          \
      AttributeSpec{"activations", AttributeType::Strings, true, "functions of the gates, per direction"},          \
      AttributeSpec{"activation_alpha", AttributeType::Floats, true, "alpha of each of them; 0 where it has none"}, \
      AttributeSpec{"activation_beta", AttributeType::Floats, true, "beta of each of them; 0 where it has none"},   \
      AttributeSpec {                                                                                               \
    "clip", AttributeType::Float, false, "bound of the magnitude of what gates are computed from; absent: none"     \
  }
constexpr AttributeSpec kRnn[] = {OPENRKNN_RECURRENT_ATTRIBUTES};
constexpr AttributeSpec kGru[] = {
    OPENRKNN_RECURRENT_ATTRIBUTES,
    {"linear_before_reset", AttributeType::Int, false, "1: the reset gate acts on the product; 0 (default): before it"},
};
constexpr AttributeSpec kLstm[] = {
    OPENRKNN_RECURRENT_ATTRIBUTES,
    {"input_forget", AttributeType::Int, false, "1: the forget gate is 1 - input gate; default: 0"},
    {"cell_clip", AttributeType::Float, false, "bound of the cell's magnitude after each step; absent: none"},
};
#undef OPENRKNN_RECURRENT_ATTRIBUTES

/// What tells the three layers apart.
struct Kind {
  int64_t gates, functions;
  bool has_cell;
};

void require_shape(const Inference& inference, size_t input, std::string_view what, const Shape& expected) {
  if (!inference.has(input)) return;
  const Shape& got = inference.shape(input);
  if (got.size() == expected.size() && std::equal(got.begin(), got.end(), expected.begin(), fits)) return;
  inference.fail(
      fmt::format("{} (input {}) has shape {}, expected {}", what, input, to_string(got), to_string(expected)));
}

void check_functions(const Inference& inference, int64_t count) {
  const Attributes& attributes = inference.attributes();
  const auto* names = std::get_if<std::vector<std::string>>(&attributes.find("activations")->second);
  const size_t alphas = floats_attribute(attributes, "activation_alpha").size();
  const size_t betas = floats_attribute(attributes, "activation_beta").size();
  const auto wanted = static_cast<size_t>(count);
  if (names == nullptr || names->size() != wanted || alphas != wanted || betas != wanted) {
    inference.fail(
        fmt::format("activations, activation_alpha and activation_beta have {}, {} and {} entries, expected {}",
                    names == nullptr ? 0 : names->size(), alphas, betas, wanted));
  }
  for (const std::string& name : *names) {
    if (std::find(std::begin(kFunctions), std::end(kFunctions), name) == std::end(kFunctions)) {
      inference.fail(fmt::format("'{}' is no activation of a recurrent layer, expected one of {}", name,
                                 fmt::join(kFunctions, ", ")));
    }
  }
}

void infer_recurrent(Inference& inference, const Kind& kind) {
  for (const size_t i : {size_t{0}, size_t{1}, size_t{2}, size_t{3}, size_t{5}, size_t{6}, size_t{7}}) {
    if (inference.has(i)) require_real(inference, i);
  }
  for (const size_t i : {size_t{0}, size_t{1}, size_t{2}}) require_rank(inference, i, 3, 3);
  const bool both =
      choice_of(inference, "direction", {"forward", "reverse", "bidirectional"}) == std::string_view("bidirectional");
  const int64_t directions = both ? 2 : 1;
  const Shape &x = inference.shape(0), &r = inference.shape(2);
  const int64_t steps = x[0], batch = x[1], hidden = r[2];
  if (hidden < 1 || hidden > kLargestParameter) {
    inference.fail(fmt::format("R (input 2) has shape {}, expected a last extent of 1 or more", to_string(r)));
  }
  require_shape(inference, 1, "W", {directions, kind.gates * hidden, x[2]});
  require_shape(inference, 2, "R", {directions, kind.gates * hidden, hidden});
  require_shape(inference, 3, "B", {directions, 2 * kind.gates * hidden});
  if (inference.has(4)) require_dtype(inference, 4, DType::Int32);
  require_shape(inference, 4, "sequence_lens", {batch});
  require_shape(inference, 5, "initial_h", {directions, batch, hidden});
  require_shape(inference, 6, "initial_c", {directions, batch, hidden});
  require_shape(inference, 7, "P", {directions, 3 * hidden});
  check_functions(inference, directions * kind.functions);
  for (const std::string name : {"clip", "cell_clip"}) {
    if (!has_attribute(inference.attributes(), name)) continue;
    const double bound = float_attribute(inference.attributes(), name, 0);
    if (!(bound > 0)) inference.fail(fmt::format("attribute '{}' is {}, expected more than 0", name, bound));
  }
  flag_of(inference, "linear_before_reset", false);
  flag_of(inference, "input_forget", false);
  const Shape shapes[] = {{steps, directions, batch, hidden}, {directions, batch, hidden}, {directions, batch, hidden}};
  for (size_t i = 0; i < inference.outputs.size() && i < (kind.has_cell ? 3 : 2); ++i) {
    inference.set(i, inference.dtype(0), shapes[i]);
  }
}

template <int gates, int functions, bool has_cell>
void infer_kind(Inference& inference) {
  infer_recurrent(inference, {gates, functions, has_cell});
}

constexpr OpSchema layer(std::string_view name, std::span<const AttributeSpec> attributes, int most_inputs,
                         int most_outputs, void (*infer)(Inference&), std::string_view summary) {
  return {.name = name,
          .attributes = attributes,
          .inputs = {3, most_inputs},
          .outputs = {0, most_outputs},
          .layout = LayoutRule::Logical,
          .quant = QuantRule::Float,
          .infer = infer,
          .summary = summary};
}

const OpSchema kRecurrentSchemas[] = {
    layer("LSTM", kLstm, 8, 3, infer_kind<4, 3, true>,
          "Long short-term memory over the first dimension: all hidden states, the last one, the last cell."),
    layer("GRU", kGru, 6, 2, infer_kind<3, 2, false>,
          "Gated recurrent unit over the first dimension: all hidden states, and the last one."),
    layer("RNN", kRnn, 6, 2, infer_kind<1, 1, false>,
          "f(x W + h R + b) over the first dimension: all hidden states, and the last one."),
};

}  // namespace

std::span<const OpSchema> recurrent() { return kRecurrentSchemas; }

}  // namespace openrknn::schemas
