#include "compiler/analysis/diagnosis/suspects.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "compiler/quantize/precision_rules.h"

namespace openrknn {
namespace {

constexpr double kStandsOut = 8;        // three of eight bits
constexpr double kMostlyClipped = 0.5;  // of the noise
constexpr double kFewCodes = 48;        // of 256, for all of a curve that is not flat

/// Operators that give their input's numbers, or some of them, unchanged.
bool passes_on(const Node& node) {
  constexpr std::string_view kOps[] = {"Relu", "Clip",         "MaxPool",      "Reshape", "Transpose", "Slice",
                                       "Pad",  "DepthToSpace", "SpaceToDepth", "Resize",  "Squeeze",   "Unsqueeze"};
  return std::find(std::begin(kOps), std::end(kOps), node.op) != std::end(kOps);
}

/// Functions that are flat outside of an interval, and its half width: what is left there is below half a code.
struct Curve {
  std::string_view op;
  double half_width;
};
constexpr Curve kCurves[] = {{"Sigmoid", 6}, {"Tanh", 3}, {"HardSigmoid", 3}, {"Erf", 2}};
const Curve* curve_of(const Node& node) {
  const auto found =
      std::find_if(std::begin(kCurves), std::end(kCurves), [&](const Curve& c) { return c.op == node.op; });
  return found == std::end(kCurves) ? nullptr : &*found;
}

/// From the value back through what only passes numbers on.
std::vector<NodeId> chain_to(const Graph& golden, ValueId value, std::string_view op) {
  std::vector<NodeId> chain;
  for (NodeId node = golden[value].producer; node != NodeId::None; node = golden[golden[node].inputs[0]].producer) {
    chain.push_back(node);
    if (golden[node].op == op) return chain;
    if (!passes_on(golden[node]) || golden[node].inputs.empty()) break;
  }
  return {};
}

void lift(std::map<NodeId, DType>& precision, const Subject& subject, NodeId node) {
  if (node == NodeId::None || !subject.target.float16) return;
  const auto row = subject.recipe.precision.find(node);
  if (row != subject.recipe.precision.end() && row->second.dtype != DType::Float16) precision[node] = DType::Float16;
}

/// The value is never coded: who computes it (back to a layer that has an accumulator) and who reads it work in
/// float16.
Remedy lifting(const Subject& subject, ValueId value, NodeId reader = NodeId::None) {
  const Graph& golden = subject.golden;
  Remedy remedy;
  NodeId producer = golden[value].producer;
  lift(remedy.precision, subject, producer);
  while (producer != NodeId::None && passes_on(golden[producer])) {
    producer = golden[golden[producer].inputs[0]].producer;
    lift(remedy.precision, subject, producer);
  }
  if (reader != NodeId::None) {
    lift(remedy.precision, subject, reader);
  } else {
    for (const NodeId user : golden.users(value)) lift(remedy.precision, subject, user);
  }
  remedy.fix = fmt::format("compute it in float16: precision rules {}", rules_text(golden, remedy.precision));
  return remedy;
}

/// "1 code", "5 codes": those between −magnitude and magnitude.
std::string codes_text(double magnitude, double scale) {
  const double codes = std::floor(2 * magnitude / scale) + 1;
  return fmt::format("{:.0f} code{}", codes, codes == 1 ? "" : "s");
}

double scale_of(const Value& value) { return value.quant ? value.quant->scale[0] : 0; }

/// One tensor as it is coded: is something wrong with it?
class CodedValue {
 public:
  CodedValue(const Subject& subject, ValueId value, ValueId form, const Numbers& numbers, NodeId reader)
      : subject_(subject), golden_(subject.golden), value_(value), held_(subject.built[form]), reader_(reader) {
    if (const auto known = numbers.find(value); known != numbers.end()) real_ = &known->second;
    numbers_ = &numbers;
  }

  std::optional<Suspicion> explain() const {
    if (real_ == nullptr || !held_.quant) return std::nullopt;
    for (const auto method : {&CodedValue::clipping, &CodedValue::mixed_concat, &CodedValue::outlier_channel}) {
      if (std::optional<Suspicion> found = (this->*method)()) return found;
    }
    return std::nullopt;
  }

 private:
  const std::string& name() const { return golden_[value_].name; }

  std::optional<Suspicion> clipping() const {
    const CodingError error = coding_error(*real_, held_);
    if (error.clipped == 0 || error.clipped_noise < kMostlyClipped * error.noise) return std::nullopt;
    const double scale = scale_of(held_);
    const double zero_point = held_.quant->zero_point[0];
    const double codes = std::exp2(bit_width(held_.dtype));
    const double low = (-codes / 2 - zero_point) * scale, high = (codes / 2 - 1 - zero_point) * scale;
    Suspicion found{Reason::Clipping,
                    fmt::format("'{}' runs from {:.4g} to {:.4g} and its codes from {:.4g} to {:.4g}: {} of {} numbers "
                                "are clipped, which is {:.0f} % of what coding it loses",
                                name(), error.lowest, error.highest, low, high, error.clipped, error.elements,
                                100 * error.clipped_noise / error.noise),
                    {}};
    const RangeAlgorithm used = subject_.recipe.options.activations.algorithm;
    const auto seen = subject_.recipe.calibration.find(name());
    const bool was_seen = seen != subject_.recipe.calibration.end() &&
                          static_cast<double>(seen->second.highest) >= error.highest - scale &&
                          static_cast<double>(seen->second.lowest) <= error.lowest + scale;
    if (used != RangeAlgorithm::Normal) {
      found.remedies.push_back(
          {.fix = "choose ranges by quantized_algorithm=normal", .algorithm = RangeAlgorithm::Normal});
      if (used != RangeAlgorithm::Auto) {
        found.remedies.push_back(
            {.fix = "choose ranges by quantized_algorithm=auto", .algorithm = RangeAlgorithm::Auto});
      }
    }
    if (!was_seen) {
      found.evidence += "; the calibration set shows no such numbers";
      found.remedies.push_back({.fix = "calibrate with samples like those analyzed", .recalibrates = true});
    }
    found.remedies.push_back(lifting(subject_, value_, reader_));
    return found;
  }

  std::optional<Suspicion> mixed_concat() const {
    const std::vector<NodeId> chain = chain_to(golden_, value_, "Concat");
    if (chain.empty()) return std::nullopt;
    const Node& concat = golden_[chain.back()];
    ValueId loudest = ValueId::None, quietest = ValueId::None;
    double most = 0, least = std::numeric_limits<double>::infinity();
    for (const ValueId input : concat.inputs) {
      const auto known = numbers_->find(input);
      if (known == numbers_->end()) continue;
      double largest = 0;
      for (const double v : to_doubles(known->second)) largest = std::max(largest, std::abs(v));
      if (largest > most || loudest == ValueId::None) {
        most = largest;
        loudest = input;
      }
      if (largest > 0 && largest < least) {
        least = largest;
        quietest = input;
      }
    }
    if (quietest == ValueId::None || most < kStandsOut * least) return std::nullopt;
    const double scale = scale_of(held_);
    Suspicion found{
        Reason::MixedRangeConcat,
        fmt::format("Concat '{}' puts '{}' (up to {:.4g}) and '{}' (up to {:.4g}) on one scale, {:.4g} a code: {} left "
                    "for '{}'",
                    golden_[concat.outputs[0]].name, golden_[loudest].name, most, golden_[quietest].name, least, scale,
                    codes_text(least, scale), golden_[quietest].name),
        {}};
    Remedy apart = lifting(subject_, value_, reader_);
    apart.fix = fmt::format("keep the inputs apart: precision rules {}", rules_text(golden_, apart.precision));
    found.remedies.push_back(std::move(apart));
    return found;
  }

  std::optional<Suspicion> outlier_channel() const {
    const ChannelSpread spread = channel_spread(*real_);
    if (spread.channels < 4 || spread.ratio() < kStandsOut) return std::nullopt;
    const double scale = scale_of(held_);
    Suspicion found{
        Reason::OutlierChannel,
        fmt::format("channel {} of '{}' reaches {:.4g} where the median channel reaches {:.4g}, {:.0f}x: at "
                    "{:.4g} a code half of the {} channels have {} or fewer",
                    spread.loudest, name(), spread.largest, spread.median, spread.ratio(), scale, spread.channels,
                    codes_text(spread.median, scale)),
        {}};
    found.remedies.push_back(lifting(subject_, value_, reader_));
    return found;
  }

  const Subject& subject_;
  const Graph& golden_;
  ValueId value_;
  const Value& held_;
  NodeId reader_;
  const Tensor* real_ = nullptr;
  const Numbers* numbers_ = nullptr;
};

/// The input's codes are spread over all the flat part of a curve.
std::optional<Suspicion> saturated(const Subject& subject, NodeId id, const PartError& part, const Numbers& numbers) {
  const Node& node = subject.golden[id];
  const Curve* curve = curve_of(node);
  const Value& held = subject.built[part.form];
  const auto known = numbers.find(part.value);
  if (curve == nullptr || !held.quant || known == numbers.end()) return std::nullopt;
  const double scale = scale_of(held), codes = 2 * curve->half_width / scale;
  const std::vector<double> values = to_doubles(known->second);
  const double largest = std::transform_reduce(
      values.begin(), values.end(), 0.0, [](double a, double b) { return std::max(a, b); },
      [](double v) { return std::abs(v); });
  if (codes >= kFewCodes || largest < 2 * curve->half_width) return std::nullopt;
  const int64_t flat =
      std::count_if(values.begin(), values.end(), [&](double v) { return std::abs(v) > curve->half_width; });
  Suspicion found{
      Reason::SaturatedActivation,
      fmt::format(
          "{} is flat beyond ±{:g}, and its input '{}' reaches {:.4g}: {:.0f} % of the numbers saturate, and at "
          "{:.4g} a code {} left for the rest",
          node.op, curve->half_width, subject.golden[part.value].name, largest,
          100.0 * static_cast<double>(flat) / static_cast<double>(std::max<size_t>(1, values.size())), scale,
          codes_text(curve->half_width, scale)),
      {}};
  found.remedies.push_back(lifting(subject, part.value, id));
  return found;
}

/// Weights of one scale, for the layer or for each output channel, among which a few are large.
std::optional<Suspicion> uneven_weights(const Subject& subject, NodeId id, const PartError& part) {
  const Value& weights = subject.golden[part.value];
  const int64_t outputs = weight_axis(subject.golden, id), inputs = outputs == 0 ? 1 : outputs - 1;
  const bool by_layer = subject.recipe.options.method == QuantizedMethod::Layer;
  const auto stands_out = [](const ChannelSpread& s) { return s.channels >= 4 && s.ratio() >= kStandsOut; };
  if (weights.shape.size() < 2) return std::nullopt;
  Suspicion found{.reason = Reason::OutlierChannel};
  const auto tell = [&](const ChannelSpread& spread, std::string_view which, std::string_view serves) {
    found.evidence = fmt::format(
        "{} channel {} of the weights '{}' reaches {:.4g}, the median channel {:.4g}, {:.0f}x, "
        "and one scale serves {}",
        which, spread.loudest, weights.name, spread.largest, spread.median, spread.ratio(), serves);
  };
  if (const ChannelSpread spread = channel_spread(*weights.constant, outputs); by_layer && stands_out(spread)) {
    tell(spread, "output", "the layer");
    found.remedies.push_back(
        {.fix = "one scale a channel: quantized_method=channel", .method = QuantizedMethod::Channel});
  } else if (const ChannelSpread across = channel_spread(*weights.constant, inputs); stands_out(across)) {
    tell(across, "input", by_layer ? "the layer" : "them all");
  } else {
    return std::nullopt;
  }
  found.remedies.push_back(lifting(subject, subject.golden[id].inputs[0], id));
  return found;
}

}  // namespace

std::string rules_text(const Graph& golden, const std::map<NodeId, DType>& precision) {
  constexpr size_t kShown = 6;
  std::string text;
  size_t count = 0;
  for (const auto& [node, dtype] : precision) {
    if (count++ == kShown) return text + fmt::format(" and {} more", precision.size() - kShown);
    text += fmt::format("{}{}={}", count == 1 ? "" : ", ", golden[golden[node].outputs[0]].name, numpy_name(dtype));
  }
  return text;
}

SuspectLayer suspect_layer(const Subject& subject, const Analysis& analysis, size_t row) {
  const LayerRow& layer = analysis.layers[row].row;
  SuspectLayer suspect{.row = row};
  suspect.value = subject.golden.find(layer.reference);
  suspect.form = subject.built.find(layer.layer);
  const bool is_conversion = suspect.form != suspect.value;
  suspect.node = is_conversion ? NodeId::None : subject.golden[suspect.value].producer;
  return suspect;
}

std::set<ValueId> values_to_explain(const Subject& subject, const SuspectLayer& suspect) {
  const Graph& golden = subject.golden;
  std::set<ValueId> values = {suspect.value};
  if (suspect.node != NodeId::None)
    values.merge(std::set<ValueId>(golden[suspect.node].inputs.begin(), golden[suspect.node].inputs.end()));
  for (const ValueId value : std::vector<ValueId>(values.begin(), values.end())) {
    if (value == ValueId::None) continue;
    const std::vector<NodeId> chain = chain_to(golden, value, "Concat");
    if (!chain.empty()) values.insert(golden[chain.back()].inputs.begin(), golden[chain.back()].inputs.end());
  }
  std::erase_if(values, [&](ValueId value) { return value == ValueId::None || golden[value].constant.has_value(); });
  return values;
}

std::optional<Suspicion> explain(const Subject& subject, const SuspectLayer& suspect, const Numbers& numbers) {
  if (suspect.node == NodeId::None) {
    return CodedValue(subject, suspect.value, suspect.form, numbers, NodeId::None).explain();
  }
  // The part that costs most first; one that costs a tenth of it is not why the layer is bad.
  const std::vector<PartError> parts = part_errors(subject, suspect.node, numbers);
  for (const PartError& part : parts) {
    if (part.noise <= 0.1 * parts.front().noise) break;
    std::optional<Suspicion> found;
    if (part.part == Part::Weights) {
      found = uneven_weights(subject, suspect.node, part);
    } else {
      const bool is_input = part.part == Part::Input;
      if (is_input) found = saturated(subject, suspect.node, part, numbers);
      if (!found) {
        const NodeId reader = is_input ? suspect.node : NodeId::None;
        found = CodedValue(subject, part.value, part.form, numbers, reader).explain();
      }
    }
    if (found) return found;
  }
  return std::nullopt;
}

Suspicion half_overflow(const Subject& subject, const SuspectLayer& suspect, double largest,
                        const std::set<NodeId>& overflowing) {
  const Graph& golden = subject.golden;
  Suspicion found{Reason::HalfOverflow,
                  fmt::format("'{}' reaches {:.4g}, float16 ends at 65504", golden[suspect.value].name, largest),
                  {}};
  Remedy codes;
  for (const NodeId node : overflowing) {
    codes.precision[node] = DType::Int8;
    for (const ValueId output : golden[node].outputs) {
      for (const NodeId user : golden.users(output)) codes.precision[user] = DType::Int8;
    }
  }
  codes.fix = fmt::format(
      "codes have a scale: precision rules {}; or divide the layer's weights by a power of two and "
      "multiply by it later",
      rules_text(golden, codes.precision));
  found.remedies.push_back(std::move(codes));
  return found;
}

}  // namespace openrknn
