#include "compiler/quantize/range_classes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/quantize/precision_rules.h"
#include "core/graph/schema.h"

namespace openrknn {
namespace {

/// Sharing a scale with a neighbour may cost a tensor that others read this much of its resolution. Below it, one
/// rounding less is worth more than the third of a bit lost; above it, the edge is requantized.
constexpr double kToleratedWidening = 1.25;

/// A fill value beyond float16 stands for an infinity: it saturates and has no say in the range.
constexpr double kInfiniteFill = 65504;

bool is_plain_constant(const Graph& graph, ValueId id) {
  return graph[id].constant.has_value() && graph[id].producer == NodeId::None;
}

double width_of(const Statistics& s) {
  if (!s.has_range()) return 0;
  return std::max(static_cast<double>(s.highest), 0.0) - std::min(static_cast<double>(s.lowest), 0.0);
}

Statistics clamped(Statistics s, const std::optional<std::pair<double, double>>& natural) {
  if (!natural || !s.has_range()) return s;
  s.lowest = std::clamp(s.lowest, static_cast<float>(natural->first), static_cast<float>(natural->second));
  s.highest = std::clamp(s.highest, static_cast<float>(natural->first), static_cast<float>(natural->second));
  return s;
}

}  // namespace

DType storage_of(const Graph& golden, const PrecisionMap& precision, ValueId id) {
  if (!is_real(golden, id)) return golden[id].dtype;
  const NodeId producer = golden[id].producer;
  if (producer != NodeId::None) {
    const auto row = precision.find(producer);
    if (row != precision.end() && row->second.dtype == DType::Float32) return golden[id].dtype;
    return computes_codes(precision, producer) ? precision.at(producer).dtype : DType::Float16;
  }
  for (const NodeId user : golden.users(id)) {
    const std::vector<ValueId>& inputs = golden[user].inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const bool data = inputs[i] == id && role_of(golden, user, i) == InputRole::Data;
      if (data && computes_codes(precision, user)) return precision.at(user).dtype;
    }
  }
  return DType::Float16;
}

RangeClasses::RangeClasses(const Graph& golden, const PrecisionMap& precision, const Calibration& calibration,
                           const RangeSpec& spec, const GivenParameters& given)
    : golden_(golden), precision_(precision), spec_(spec) {
  const size_t count = static_cast<size_t>(golden.value_count());
  member_.assign(count, false);
  own_.resize(count);
  range_.resize(count);
  given_.resize(count);
  params_.resize(count);
  own_width_.resize(count);
  for (size_t i = 0; i < count; ++i) parent_.push_back(i);
  add_members();

  Diagnostics problems;
  list_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    if (!member_[i]) continue;
    const ValueId id{static_cast<int32_t>(i)};
    const Value& value = golden[id];
    list_[i] = {id};
    if (const auto own = given.find(id); own != given.end()) {
      given_[i] = &own->second.quant;
      continue;
    }
    const auto seen = calibration.find(value.name);
    if (seen == calibration.end()) {
      problems.add(Code::QuantizeNoStatistics, Location{.file = {}, .node = {}, .tensor = value.name},
                   "calibration has not seen this tensor", "calibrate the same graph that is quantized");
      continue;
    }
    const auto natural = value.producer == NodeId::None ? std::nullopt : natural_range(golden[value.producer]);
    own_[i] = clamped(seen->second, natural);
    if (adds_to_range(id)) range_[i] = own_[i];
  }
  problems.throw_if_any();

  join_moves();
  for (const NodeId id : golden.order()) {
    if (computes_codes(precision, id) && schema_of(golden[id]).quant == QuantRule::Unify) join_choices(id);
  }
}

void RangeClasses::add_members() {
  for (const NodeId id : golden_.order()) {
    if (!computes_codes(precision_, id)) continue;
    const Node& node = golden_[id];
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool data = role_of(golden_, id, i) == InputRole::Data;
      if (data && !is_plain_constant(golden_, node.inputs[i])) member_[static_cast<size_t>(node.inputs[i])] = true;
    }
    for (const ValueId output : node.outputs) {
      if (is_real(golden_, output)) member_[static_cast<size_t>(output)] = true;
    }
  }
}

bool RangeClasses::keeps_params(NodeId id) const {
  return computes_codes(precision_, id) && schema_of(golden_[id]).quant == QuantRule::Same;
}

/// Most members of a class only repeat numbers of others, and one may hold numbers that are cut off anyway.
bool RangeClasses::adds_to_range(ValueId id) const {
  const auto clamps = [&](NodeId node) {
    return keeps_params(node) && (golden_[node].op == "Relu" || golden_[node].op == "Clip");
  };
  // What feeds nothing but a Relu or Clip saturates where the clamp would cut: the clamp's range is enough.
  const std::span<const NodeId> users = golden_.users(id);
  if (users.size() == 1 && !golden_.is_output(id) && clamps(users[0])) return false;
  const NodeId producer = golden_[id].producer;
  return producer == NodeId::None || !keeps_params(producer) || clamps(producer);
}

void RangeClasses::join_moves() {
  for (const NodeId id : golden_.order()) {
    if (!keeps_params(id)) continue;
    const Node& node = golden_[id];
    ValueId first = ValueId::None;
    for (const ValueId output : node.outputs) {
      if (!is_real(golden_, output)) continue;
      if (first != ValueId::None) join(first, output);
      first = output;
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool data = role_of(golden_, id, i) == InputRole::Data;
      if (!data || !is_member(node.inputs[i])) continue;
      if (joins_given(first, node.inputs[i])) {
        join(first, node.inputs[i]);
      } else {
        requantized_.insert({id, i});
      }
    }
    contribute_constants(id);
  }
}

void RangeClasses::contribute_constants(NodeId id) {
  const Node& node = golden_[id];
  Statistics& range = range_[root(node.outputs[0])];
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (role_of(golden_, id, i) != InputRole::Data || !is_plain_constant(golden_, node.inputs[i])) continue;
    range.merge(seen_in(*golden_[node.inputs[i]].constant));
  }
  if (node.op == "Pad" && string_attribute(node.attributes, "mode", "constant") == "constant") {
    const double fill = float_attribute(node.attributes, "value", 0);
    if (std::abs(fill) < kInfiniteFill) range.merge(seen_in(Tensor::from<float>({1}, {static_cast<float>(fill)})));
  }
}

/// What a constant adds.
Statistics RangeClasses::seen_in(const Tensor& constant) {
  Statistics seen;
  const bool counts = detail_for(spec_.algorithm) == Detail::Histograms;
  if (counts && !counter_) counter_ = std::make_unique<BucketCounter>();
  seen.observe(-1, constant, counter_.get());
  return seen;
}

/// How wide a range the codes would span.
double RangeClasses::chosen_width(const Statistics& s) const {
  if (spec_.algorithm == RangeAlgorithm::Normal || !s.has_range()) return width_of(s);
  const auto codes = static_cast<double>(highest_code(spec_.dtype) - lowest_code(spec_.dtype));
  return width_of(s) == 0 ? 0 : choose(s, spec_).scale[0] * codes;
}

void RangeClasses::join_choices(NodeId id) {
  const Node& node = golden_[id];
  const ValueId output = node.outputs[0];
  contribute_constants(id);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId input = node.inputs[i];
    if (role_of(golden_, id, i) != InputRole::Data || !is_member(input) || root(input) == root(output)) continue;
    if (!joins_given(output, input)) {
      requantized_.insert({id, i});
      continue;
    }
    if (given_[root(output)] != nullptr) {
      join(output, input);
      continue;
    }
    Statistics merged = range_[root(output)];
    merged.merge(range_[root(input)]);
    const double most = std::min(tolerated_width(input, id), tolerated_width(output, id));
    // No algorithm widens a range: where all of it is tolerated, what it would choose need not be known.
    if (width_of(merged) <= most || chosen_width(merged) <= most) {
      join(output, input);
    } else {
      requantized_.insert({id, i});
    }
  }
}

/// Parameters that the model gives are kept on both sides: equal ones or none on either.
bool RangeClasses::joins_given(ValueId output, ValueId input) const {
  const QuantParams *a = given_[root(output)], *b = given_[root(input)];
  if (a == nullptr && b == nullptr) return true;
  if (a != nullptr && b != nullptr) return *a == *b;
  // One side is given: the other takes it, unless it has numbers of its own that something else reads.
  const ValueId open = a == nullptr ? output : input;
  return !range_[root(open)].has_range() || (golden_.users(open).size() <= 1 && !golden_.is_output(open));
}

/// How wide the value's class may become: bounded by each member that something besides `choice` and mere moves reads.
double RangeClasses::tolerated_width(ValueId id, NodeId choice) const {
  double most = std::numeric_limits<double>::infinity();
  for (const ValueId member : list_[root(id)]) {
    const std::span<const NodeId> users = golden_.users(member);
    const bool read_elsewhere = golden_.is_output(member) || std::any_of(users.begin(), users.end(), [&](NodeId user) {
                                  return user != choice && !keeps_params(user);
                                });
    if (!read_elsewhere) continue;
    std::optional<double>& width = own_width_[static_cast<size_t>(member)];
    if (!width) width = chosen_width(own_[static_cast<size_t>(member)]);
    if (*width > 0) most = std::min(most, kToleratedWidening * *width);
  }
  return most;
}

size_t RangeClasses::root(ValueId id) const {
  size_t at = static_cast<size_t>(id);
  while (parent_[at] != at) at = parent_[at] = parent_[parent_[at]];
  return at;
}

void RangeClasses::join(ValueId a, ValueId b) {
  const size_t keep = std::min(root(a), root(b)), gone = std::max(root(a), root(b));
  if (keep == gone) return;
  parent_[gone] = keep;
  if (given_[keep] == nullptr) given_[keep] = given_[gone];
  range_[keep].merge(range_[gone]);
  list_[keep].insert(list_[keep].end(), list_[gone].begin(), list_[gone].end());
  list_[gone].clear();
}

const QuantParams& RangeClasses::params(ValueId id) const {
  const size_t at = root(id);
  if (given_[at] != nullptr) return *given_[at];
  if (!params_[at]) {
    // What the caller feeds is often codes already, pixels above all: their whole range holds them exactly.
    const bool fed =
        std::any_of(list_[at].begin(), list_[at].end(), [&](ValueId member) { return golden_.is_input(member); });
    RangeSpec spec = spec_;
    if (fed) spec.algorithm = RangeAlgorithm::Normal;
    params_[at] = choose(range_[at], spec);
  }
  return *params_[at];
}

}  // namespace openrknn
