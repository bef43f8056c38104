// Numbers beyond ±65504 are infinite in float16. Where a tensor or a weight exceeds that, a power of two moves between
// layers until everything fits: values of a region are divided by 2^k, the constants around it make up for it. Powers
// of two are exact, so the function stays to the bit wherever float16 holds it.
//
// With k of each region unknown, every tensor asks for a least k and every constant between two regions for a least
// difference: a system of difference constraints, solved by relaxation. What cannot be solved is refused by name.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "compiler/corrections/float_corrections.h"
#include "compiler/corrections/scale_regions.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::corrections {
namespace {

using passes::float_content;

constexpr double kLargest = 65504;
/// Where a tensor is scaled at all: two bits are left for inputs the samples do not show.
constexpr double kWanted = kLargest / 4;
/// Values may be multiplied by this power of two at most, to make room for a constant before an output.
constexpr int kMostGrowth = 24;
constexpr int kUnbounded = 1 << 20;

constexpr std::string_view kFix =
    "quantize the model (do_quantization=True computes such layers in int8 or int16), or rescale it before export";

/// The least e with value / 2^e <= largest.
int exponent_for(double value, double largest) { return static_cast<int>(std::ceil(std::log2(value / largest))); }

double magnitude(const Statistics& seen) {
  if (!seen.has_range()) return 0;
  return std::max(std::abs(static_cast<double>(seen.lowest)), std::abs(static_cast<double>(seen.highest)));
}

double magnitude(const Tensor& constant) {
  double largest = 0;
  for (const double v : to_doubles(constant)) largest = std::max(largest, std::abs(v));
  return largest;
}

/// Values that stand for "infinitely far" where they are too large: masked scores, up to the Softmax that reads them.
/// Quantize saturates the constants that make them.
std::vector<bool> masked_values(const Graph& graph) {
  static constexpr std::string_view kMasks[] = {"Add", "Sub", "Max", "Min", "Where", "Concat", "Pad"};
  static constexpr std::string_view kEnds[] = {"Softmax", "LogSoftmax", "Conv", "ConvTranspose", "MatMul"};
  std::vector<bool> masked(static_cast<size_t>(graph.value_count()));
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    if (std::find(std::begin(kEnds), std::end(kEnds), node.op) != std::end(kEnds)) continue;
    const bool makes = std::find(std::begin(kMasks), std::end(kMasks), node.op) != std::end(kMasks);
    bool any = makes && std::abs(float_attribute(node.attributes, "value", 0)) > kLargest;
    for (const ValueId input : node.inputs) {
      if (input == ValueId::None) continue;
      any = any || masked[static_cast<size_t>(input)];
      const Tensor* constant = makes ? float_content(graph, input) : nullptr;
      any = any || (constant != nullptr && magnitude(*constant) > kLargest);
    }
    for (const ValueId output : node.outputs) {
      if (output != ValueId::None) masked[static_cast<size_t>(output)] = any;
    }
  }
  return masked;
}

/// What asks for a factor, for reports.
struct Overflow {
  ValueId value = ValueId::None;
  double largest = 0;
};

class Rescue {
 public:
  Rescue(Graph& graph, const CorrectionContext& context) : graph_(graph), context_(context), regions_(graph) {}

  bool run() {
    ask_of_tensors();
    ask_of_constants();
    if (overflows_.empty()) return false;
    solve();
    regions_.apply(graph_, exponent_);
    report();
    return true;
  }

 private:
  void ask_of_tensors();
  void ask_of_constants();
  void solve();
  bool raise(std::vector<int>& exponent, const std::vector<int>& most) const;
  [[noreturn]] void refuse(const std::vector<int>& most) const;
  void report() const;

  Graph& graph_;
  const CorrectionContext& context_;
  ScaleRegions regions_;
  std::vector<int> least_;       // by region
  std::vector<int> difference_;  // by factor: exponent[out] - exponent[in] must be at least this
  std::vector<int> exponent_;    // by region
  std::vector<Overflow> overflows_;
};

void Rescue::ask_of_tensors() {
  least_.assign(static_cast<size_t>(regions_.count()), context_.observations == nullptr ? 0 : -kMostGrowth);
  if (context_.observations == nullptr) return;
  const std::vector<bool> masked = masked_values(graph_);
  for (int64_t i = 0; i < graph_.value_count(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    const bool lives =
        graph_.is_input(id) || (graph_[id].producer != NodeId::None && graph_.alive(graph_[id].producer));
    if (regions_.of(id) < 0 || !lives || masked[static_cast<size_t>(i)]) continue;
    const double largest = magnitude(observe_extremes(graph_, id, *context_.observations));
    if (largest == 0) continue;
    if (largest > kLargest) overflows_.push_back({id, largest});
    int& least = least_[static_cast<size_t>(regions_.of(id))];
    // A tensor that fits may stay as it is, or grow as long as it fits well.
    least = std::max(least,
                     largest > kLargest ? exponent_for(largest, kWanted) : std::min(0, exponent_for(largest, kWanted)));
  }
}

void Rescue::ask_of_constants() {
  for (const ScaleRegions::Factor& factor : regions_.factors()) {
    const ValueId constant = graph_[factor.node].inputs[factor.input];
    const double largest = magnitude(*graph_[constant].constant);
    difference_.push_back(largest == 0 ? -kUnbounded : exponent_for(largest, kLargest));
    if (largest > kLargest) overflows_.push_back({constant, largest});
  }
}

/// Raises exponents until every constant fits; false if one would pass its bound, or without end around a loop.
bool Rescue::raise(std::vector<int>& exponent, const std::vector<int>& most) const {
  for (int round = 0; round <= regions_.count(); ++round) {
    bool changed = false;
    for (size_t i = 0; i < regions_.factors().size(); ++i) {
      const ScaleRegions::Factor& factor = regions_.factors()[i];
      const int wanted = exponent[static_cast<size_t>(factor.in)] + difference_[i];
      int& out = exponent[static_cast<size_t>(factor.out)];
      if (out >= wanted) continue;
      if (wanted > most[static_cast<size_t>(factor.out)]) return false;
      out = wanted;
      changed = true;
    }
    if (!changed) return true;
  }
  return false;
}

void Rescue::solve() {
  std::vector<int> most(least_.size(), kUnbounded);
  for (int r = 0; r < regions_.count(); ++r) {
    if (regions_.pinned(r).empty()) continue;
    most[static_cast<size_t>(r)] = 0;
    least_[static_cast<size_t>(r)] = std::max(least_[static_cast<size_t>(r)], 0);
  }
  // What a region may have at most, from what lies behind it.
  for (int round = 0; round <= regions_.count(); ++round) {
    for (size_t i = 0; i < regions_.factors().size(); ++i) {
      const ScaleRegions::Factor& factor = regions_.factors()[i];
      int& in = most[static_cast<size_t>(factor.in)];
      in = std::min(in, most[static_cast<size_t>(factor.out)] - difference_[i]);
    }
  }
  // As near to no change as the bounds allow; then what constants demand.
  for (size_t r = 0; r < least_.size(); ++r) exponent_.push_back(std::max(least_[r], std::min(most[r], 0)));
  for (size_t r = 0; r < least_.size(); ++r) {
    if (exponent_[r] > most[r]) refuse(most);
  }
  if (!raise(exponent_, most)) refuse(most);
}

void Rescue::refuse(const std::vector<int>& most) const {
  Diagnostics problems;
  for (const Overflow& overflow : overflows_) {
    const Value& value = graph_[overflow.value];
    Location where = value.producer == NodeId::None ? Location{} : graph_.where(value.producer);
    where.tensor = value.name;
    const int region = regions_.of(overflow.value);
    if (region >= 0 && least_[static_cast<size_t>(region)] <= most[static_cast<size_t>(region)]) continue;
    std::string reason = "the constants around it leave no room for a factor";
    if (region >= 0 && !regions_.pinned(region).empty()) reason = regions_.pinned(region);
    problems.add(Code::QuantizeHalfOverflow, where,
                 fmt::format("{} {:.6g}, float16 ends at 65504; {}",
                             region < 0 ? "the constant holds" : "the tensor reaches", overflow.largest, reason),
                 std::string(kFix));
  }
  if (problems.empty()) {
    problems.add(Code::QuantizeHalfOverflow, {},
                 "tensors and constants that exceed float16 demand factors that contradict each other",
                 std::string(kFix));
  }
  problems.throw_if_any();
  fail(Code::Internal, "rescue_float16 refused without a reason");
}

void Rescue::report() const {
  for (const Overflow& overflow : overflows_) {
    const int region = regions_.of(overflow.value);
    const std::string what = graph_[overflow.value].name;
    if (context_.note == nullptr) continue;
    if (region < 0) {
      context_.note(fmt::format("rescue_float16: constant {} held {:.6g}", what, overflow.largest));
    } else {
      context_.note(fmt::format("rescue_float16: {} reached {:.6g}, divided by 2^{}", what, overflow.largest,
                                exponent_[static_cast<size_t>(region)]));
    }
  }
}

}  // namespace

bool rescue_float16(Graph& graph, const CorrectionContext& context) {
  if (context.is_body) return false;
  if (context.observations == nullptr && context.warn) {
    context.warn("rescue_float16: without a dataset only constants are looked at, not what tensors hold");
  }
  return Rescue(graph, context).run();
}

}  // namespace openrknn::corrections
