#include "compiler/importers/finite.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace openrknn {
namespace {

/// Operators for which an infinite operand is ordinary: masks, bounds, comparisons.
constexpr std::string_view kTakesInfinity[] = {"Add",     "Sub",   "Where",          "Max",         "Min",    "Equal",
                                               "Greater", "Less",  "GreaterOrEqual", "LessOrEqual", "Expand", "Concat",
                                               "Reshape", "Trilu", "ScatterND",      "Slice",       "Gather", "Cast"};

}  // namespace

void require_finite(const Graph& graph, const std::string& file) {
  Diagnostics problems;
  constexpr uint32_t kExponent = 0x7f800000u;
  for (int64_t i = 0; i < graph.value_count(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    const Value& value = graph[id];
    if (!value.constant || value.producer != NodeId::None || value.constant->dtype() != DType::Float32) continue;
    const std::span<const float> numbers = value.constant->values<float>();
    const auto special = [](float v) { return (std::bit_cast<uint32_t>(v) & kExponent) == kExponent; };
    if (std::none_of(numbers.begin(), numbers.end(), special)) continue;
    const auto is_nan = [&](float v) { return special(v) && (std::bit_cast<uint32_t>(v) & 0x007fffffu) != 0; };
    const auto nans = std::count_if(numbers.begin(), numbers.end(), is_nan);
    const auto infinite = std::count_if(numbers.begin(), numbers.end(), special) - nans;
    const std::span<const NodeId> users = graph.users(id);
    const bool ordinary = std::all_of(users.begin(), users.end(), [&](NodeId user) {
      return std::find(std::begin(kTakesInfinity), std::end(kTakesInfinity), graph[user].op) !=
             std::end(kTakesInfinity);
    });
    if (nans == 0 && ordinary) continue;
    Location where{.file = file, .tensor = value.name};
    if (!users.empty()) where.node = graph[users.front()].name;
    problems.add(Code::ImportNotFinite, where,
                 fmt::format("tensor '{}' holds {} NaN and {} infinite values in {}", value.name, nans, infinite,
                             numbers.size()),
                 "the model was damaged in training or export; export it again");
  }
  problems.throw_if_any();
}

}  // namespace openrknn
