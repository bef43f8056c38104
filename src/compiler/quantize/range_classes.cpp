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

double width_of(const Statistics& s) {
  if (!s.has_range()) return 0;
  return std::max(static_cast<double>(s.highest), 0.0) - std::min(static_cast<double>(s.lowest), 0.0);
}

/// How wide a range these parameters span.
double width_of_codes(const QuantParams& params, DType codes) {
  return params.scale[0] * static_cast<double>(highest_code(codes) - lowest_code(codes));
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
  DType stored = DType::Float16;
  for (const NodeId user : golden.users(id)) {
    const std::vector<ValueId>& inputs = golden[user].inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const bool data = inputs[i] == id && role_of(golden, user, i) == InputRole::Data;
      if (data && computes_codes(precision, user) && stored != DType::Int16) stored = precision.at(user).dtype;
    }
  }
  return stored;
}

bool reads_as_stored(const Graph& golden, NodeId id) {
  // What an input is stored in is what its readers ask for.
  return golden[id].op == "Convert" && !golden.is_input(golden[id].inputs[0]);
}

RangeClasses::RangeClasses(const Graph& golden, const PrecisionMap& precision, const Calibration& calibration,
                           const RangeSpec& spec, const AskedRanges& asked, const GivenParameters& given,
                           ThreadPool* pool)
    : golden_(golden), precision_(precision), asked_(asked), narrow_spec_(spec), wide_spec_(spec) {
  narrow_spec_.dtype = DType::Int8;
  wide_spec_.dtype = DType::Int16;
  const size_t count = 2 * static_cast<size_t>(golden.value_count());
  member_.assign(count, false);
  own_.resize(count);
  range_.resize(count);
  given_.resize(count);
  params_.resize(count);
  own_params_.resize(count);
  for (size_t i = 0; i < count; ++i) parent_.push_back(i);
  add_members(given);

  Diagnostics problems;
  list_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    if (!member_[i]) continue;
    const Form form = form_of(i);
    const Value& value = golden[form.value];
    list_[i] = {form};
    if (const auto own = given.find(form.value); own != given.end() && own->second.dtype == form.codes) {
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
    if (adds_to_range(form)) range_[i] = own_[i];
  }
  problems.throw_if_any();

  join_moves();
  if (pool != nullptr) search_own_ranges(*pool);
  for (const NodeId id : golden.order()) {
    if (computes_codes(precision, id) && schema_of(golden[id]).quant == QuantRule::Unify) join_choices(id);
  }
  if (pool != nullptr) choose_all(*pool);
}

void RangeClasses::add_members(const GivenParameters& given) {
  for (const NodeId id : golden_.order()) {
    if (!computes_codes(precision_, id)) continue;
    const Node& node = golden_[id];
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool data = role_of(golden_, id, i) == InputRole::Data;
      if (data && !is_plain_constant(golden_, node.inputs[i])) {
        const auto own = given.find(node.inputs[i]);
        const bool other = own != given.end() && own->second.dtype != codes_of(id);
        if (other && reads_as_stored(golden_, id)) continue;
        member_[index_of({node.inputs[i], codes_of(id)})] = true;
      }
    }
    for (const ValueId output : node.outputs) {
      if (is_real(golden_, output)) member_[index_of({output, codes_of(id)})] = true;
    }
  }
}

bool RangeClasses::keeps_params(NodeId id, DType codes) const {
  return computes_codes(precision_, id) && codes_of(id) == codes && schema_of(golden_[id]).quant == QuantRule::Same;
}

/// Most members of a class only repeat numbers of others, and one may hold numbers that are cut off anyway.
bool RangeClasses::adds_to_range(Form form) const {
  const ValueId id = form.value;
  const auto clamps = [&](NodeId node) {
    return keeps_params(node, form.codes) && (golden_[node].op == "Relu" || golden_[node].op == "Clip");
  };
  // What feeds nothing but a Relu or Clip saturates where the clamp would cut: the clamp's range is enough.
  const std::span<const NodeId> users = golden_.users(id);
  if (users.size() == 1 && !golden_.is_output(id) && clamps(users[0])) return false;
  const NodeId producer = golden_[id].producer;
  return producer == NodeId::None || !keeps_params(producer, form.codes) || clamps(producer);
}

void RangeClasses::join_moves() {
  for (const NodeId id : golden_.order()) {
    if (!computes_codes(precision_, id) || !keeps_params(id, codes_of(id))) continue;
    const Node& node = golden_[id];
    const DType codes = codes_of(id);
    ValueId first = ValueId::None;
    for (const ValueId output : node.outputs) {
      if (!is_real(golden_, output)) continue;
      if (first != ValueId::None) join({first, codes}, {output, codes});
      first = output;
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool data = role_of(golden_, id, i) == InputRole::Data;
      const Form input{node.inputs[i], codes};
      if (!data || !is_member(input)) continue;
      if (joins_given({first, codes}, input)) {
        join({first, codes}, input);
      } else {
        requantized_.insert({id, i});
      }
    }
    contribute_constants(id);
  }
}

void RangeClasses::contribute_constants(NodeId id) {
  const Node& node = golden_[id];
  Statistics& range = range_[root({node.outputs[0], codes_of(id)})];
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
  const bool counts = detail_for(narrow_spec_.algorithm) == Detail::Histograms;
  if (counts && !counter_) counter_ = std::make_unique<BucketCounter>();
  seen.observe(-1, constant, counter_.get());
  return seen;
}

bool RangeClasses::is_searched(const Statistics& s) const {
  return narrow_spec_.algorithm != RangeAlgorithm::Normal && width_of(s) != 0;
}

/// How wide a range the codes would span.
double RangeClasses::chosen_width(const Statistics& s, DType codes) const {
  return is_searched(s) ? width_of_codes(choose(s, spec(codes)), codes) : width_of(s);
}

double RangeClasses::own_width(Form form) {
  const size_t at = index_of(form);
  if (!is_searched(own_[at])) return width_of(own_[at]);
  if (!own_params_[at]) own_params_[at] = choose(own_[at], spec(form.codes));
  return width_of_codes(*own_params_[at], form.codes);
}

/// What join_choices() is going to ask for.
void RangeClasses::search_own_ranges(ThreadPool& pool) {
  std::set<size_t> asked;
  for (const NodeId id : golden_.order()) {
    const Node& node = golden_[id];
    if (!computes_codes(precision_, id) || schema_of(node).quant != QuantRule::Unify) continue;
    const auto ask = [&](Form form) {
      for (const Form member : list_[root(form)]) {
        if (is_searched(own_[index_of(member)]) && is_read_besides(member, id)) asked.insert(index_of(member));
      }
    };
    ask({node.outputs[0], codes_of(id)});
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const Form input{node.inputs[i], codes_of(id)};
      if (role_of(golden_, id, i) == InputRole::Data && is_member(input)) ask(input);
    }
  }
  const std::vector<size_t> list(asked.begin(), asked.end());
  pool.parallel_for(static_cast<int64_t>(list.size()), [&](int64_t i, int) {
    const size_t at = list[static_cast<size_t>(i)];
    own_params_[at] = choose(own_[at], spec(form_of(at).codes));
  });
}

void RangeClasses::choose_all(ThreadPool& pool) {
  std::vector<size_t> open;
  for (size_t at = 0; at < list_.size(); ++at) {
    if (!list_[at].empty() && given_[at] == nullptr) open.push_back(at);
  }
  pool.parallel_for(static_cast<int64_t>(open.size()), [&](int64_t i, int) {
    const size_t at = open[static_cast<size_t>(i)];
    params_[at] = chosen(at);
  });
}

void RangeClasses::join_choices(NodeId id) {
  const Node& node = golden_[id];
  const DType codes = codes_of(id);
  const Form output{node.outputs[0], codes};
  contribute_constants(id);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (role_of(golden_, id, i) != InputRole::Data) continue;
    const Form input{node.inputs[i], codes};
    if (!is_member(input) || root(input) == root(output)) continue;
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
    if (width_of(merged) <= most || chosen_width(merged, codes) <= most) {
      join(output, input);
    } else {
      requantized_.insert({id, i});
    }
  }
}

/// Parameters that the model gives are kept on both sides: equal ones or none on either.
bool RangeClasses::joins_given(Form output, Form input) const {
  const QuantParams *a = given_[root(output)], *b = given_[root(input)];
  if (a == nullptr && b == nullptr) return true;
  if (a != nullptr && b != nullptr) return *a == *b;
  // One side is given: the other takes it, unless it has numbers of its own that something else reads.
  const Form open = a == nullptr ? output : input;
  return !range_[root(open)].has_range() || (golden_.users(open.value).size() <= 1 && !golden_.is_output(open.value));
}

/// By something that is neither `choice` nor a mere move.
bool RangeClasses::is_read_besides(Form form, NodeId choice) const {
  const std::span<const NodeId> users = golden_.users(form.value);
  return golden_.is_output(form.value) || std::any_of(users.begin(), users.end(), [&](NodeId user) {
           return user != choice && !keeps_params(user, form.codes);
         });
}

/// How wide the value's class may become: bounded by each member that something besides `choice` and mere moves reads.
double RangeClasses::tolerated_width(Form form, NodeId choice) {
  double most = std::numeric_limits<double>::infinity();
  for (const Form member : list_[root(form)]) {
    if (!is_read_besides(member, choice)) continue;
    const double width = own_width(member);
    if (width > 0) most = std::min(most, kToleratedWidening * width);
  }
  return most;
}

size_t RangeClasses::root(Form form) const {
  size_t at = index_of(form);
  while (parent_[at] != at) at = parent_[at] = parent_[parent_[at]];
  return at;
}

void RangeClasses::join(Form a, Form b) {
  const size_t keep = std::min(root(a), root(b)), gone = std::max(root(a), root(b));
  if (keep == gone) return;
  parent_[gone] = keep;
  if (given_[keep] == nullptr) given_[keep] = given_[gone];
  range_[keep].merge(range_[gone]);
  list_[keep].insert(list_[keep].end(), list_[gone].begin(), list_[gone].end());
  list_[gone].clear();
}

/// What is asked for any member: all of it, if several are.
std::optional<std::pair<double, double>> RangeClasses::asked_range(size_t root) const {
  std::optional<std::pair<double, double>> range;
  for (const Form member : list_[root]) {
    const auto asked = asked_.find(golden_[member.value].name);
    if (asked == asked_.end()) continue;
    const auto [lowest, highest] = asked->second;
    range = range ? std::pair(std::min(range->first, lowest), std::max(range->second, highest)) : asked->second;
  }
  return range;
}

const QuantParams& RangeClasses::params(ValueId id, DType codes) const {
  const size_t at = root({id, codes});
  if (given_[at] != nullptr) return *given_[at];
  if (!params_[at]) params_[at] = chosen(at);
  return *params_[at];
}

QuantParams RangeClasses::chosen(size_t root) const {
  const DType codes = form_of(root).codes;
  RangeSpec wanted = spec(codes);
  if (const auto asked = asked_range(root)) {
    return wanted.power_of_two ? power_of_two_params(asked->first, asked->second, codes)
                               : params_of_range(asked->first, asked->second, codes, wanted.symmetric);
  }
  // What the caller feeds is often codes already, pixels above all: their whole range holds them exactly.
  const bool fed =
      std::any_of(list_[root].begin(), list_[root].end(), [&](Form member) { return golden_.is_input(member.value); });
  if (fed) wanted.algorithm = RangeAlgorithm::Normal;
  if (!fed && own_params_[root] && range_[root] == own_[root]) return *own_params_[root];
  return choose(range_[root], wanted);
}

}  // namespace openrknn
