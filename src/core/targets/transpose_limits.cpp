// Which permutations of four dimensions the NPU makes, and of which extents: the vendor's table for its compiler 2.3.2.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <span>

#include "core/targets/operator_limits.h"

namespace openrknn {
namespace {

using Four = std::array<int64_t, 4>;
using Order = std::array<int, 4>;

// Bits of dimensions: a condition speaks of the product of some of them.
constexpr unsigned N = 1, C = 2, H = 4, W = 8;

enum class Bound : uint8_t { P, AP, Line, TwoQ, HalfQ, MultipleOfA, MultipleOf4, MultipleOf8 };
struct Condition {
  unsigned dimensions;
  Bound bound;
};
struct Row {
  std::string_view order;
  std::array<Condition, 5> conditions;
};

// a: elements of 16 bytes. p and q differ by SoC, below.
constexpr Condition kNone = {0, Bound::Line};
constexpr Row kRows[] = {
    {"0123", {kNone, kNone, kNone, kNone, kNone}},
    {"0132", {{{H, Bound::MultipleOfA}, {H | W, Bound::AP}, {H | W, Bound::TwoQ}, kNone, kNone}}},
    {"0231", {{{C, Bound::Line}, {H | W, Bound::MultipleOf8}, {W | C, Bound::AP}, kNone, kNone}}},
    {"0213", {{{H, Bound::MultipleOfA}, {H | W, Bound::AP}, {H | W, Bound::TwoQ}, {C | W, Bound::P}, kNone}}},
    {"0312", {{{H | W, Bound::P}, {W, Bound::Line}, {H | C, Bound::P}, kNone, kNone}}},
    {"0321", {{{H, Bound::MultipleOfA}, {H | W, Bound::AP}, {H | W, Bound::TwoQ}, {C, Bound::AP}, kNone}}},
    {"1023", {{{H | W, Bound::AP}, {N, Bound::Line}, {H | W, Bound::P}, kNone, kNone}}},
    {"1032", {{{H, Bound::MultipleOfA}, {C | H | W, Bound::AP}, {H | W, Bound::TwoQ}, kNone, kNone}}},
    {"1203", {{{N | W, Bound::AP}, {C | H | W, Bound::P}, {W, Bound::MultipleOfA}, kNone, kNone}}},
    {"1230", {{{H | W, Bound::P}, {N, Bound::AP}, {C | H | W, Bound::AP}, {N | W, Bound::AP}, kNone}}},
    {"1302", {{{C | W, Bound::Line}, {N | H, Bound::P}, {W, Bound::MultipleOfA}, kNone, kNone}}},
    {"1320", {{{C | H | W, Bound::P}, {N | H, Bound::P}, {W, Bound::Line}, {W, Bound::MultipleOfA}, kNone}}},
    {"2130", {{{C | H | W, Bound::P}, {N | W, Bound::AP}, {C, Bound::Line}, {N | W, Bound::MultipleOf4}, kNone}}},
    {"2031", {{{C, Bound::Line}, {C | H | W, Bound::P}, kNone, kNone, kNone}}},
    {"2013", {{{N | C | H | W, Bound::P}, {H | W, Bound::MultipleOfA}, kNone, kNone, kNone}}},
    {"2310", {{{C | H | W, Bound::P}, {N | C, Bound::P}, {H | W, Bound::Line}, {H | W, Bound::MultipleOfA}, kNone}}},
    {"2301", {{{H | W, Bound::Line}, {N | C, Bound::P}, kNone, kNone, kNone}}},
    {"3021",
     {{{H | W, Bound::P}, {N | C, Bound::Line}, {C | H, Bound::P}, {N | W, Bound::Line}, {N | W, Bound::MultipleOfA}}}},
    {"3012",
     {{{H | W, Bound::P},
       {N | C, Bound::Line},
       {C | H, Bound::P},
       {N | W, Bound::Line},
       {N | H | W, Bound::MultipleOfA}}}},
    {"3201", {{{H | W, Bound::P}, {N | C, Bound::Line}, {N | C | W, Bound::P}, kNone, kNone}}},
    {"3210",
     {{{C | H | W, Bound::P},
       {H | W, Bound::Line},
       {H | W, Bound::HalfQ},
       {N | C, Bound::AP},
       {H, Bound::MultipleOfA}}}},
    {"3102", {{{H | W, Bound::P}, {C | W, Bound::Line}, {N | H, Bound::P}, kNone, kNone}}},
    {"3120", {{{H | W, Bound::P}, {N | C, Bound::Line}, {N | H, Bound::P}, {N | C | W, Bound::P}, kNone}}},
    {"2103", {{{C, Bound::Line}, {C | H | W, Bound::P}, {N | W, Bound::P}, kNone, kNone}}},
};

struct Sizes {
  int64_t p, q, a;
};

Sizes sizes_of(const LimitQuery& query) {
  const bool is_narrow = query.family == Family::Rk3588 || query.family == Family::Rv1106;
  return {.p = is_narrow ? 8192 : 268435456,
          .q = is_narrow ? 2048 : 65536,
          .a = query.dtype == DType::Float16 || query.dtype == DType::Int16 ? 8 : 16};
}

/// The condition in words, if the extents do not keep it.
std::optional<ExceededLimit> broken(const Condition& condition, const Four& extents, const Sizes& sizes) {
  if (condition.dimensions == 0) return std::nullopt;
  constexpr std::array<std::string_view, 4> kNames = {"n", "c", "h", "w"};
  int64_t product = 1;
  std::string name;
  for (unsigned i = 0; i < 4; ++i) {
    if ((condition.dimensions >> i & 1) == 0) continue;
    product *= extents[i];
    name += fmt::format("{}{}", name.empty() ? "" : "*", kNames[i]);
  }
  const auto fault = [&](std::string expected) {
    return ExceededLimit{name, fmt::format("{}", product), std::move(expected), ""};
  };
  const auto below = [&](int64_t limit) -> std::optional<ExceededLimit> {
    if (product < limit) return std::nullopt;
    return fault(fmt::format("less than {}", limit));
  };
  const auto multiple = [&](int64_t of) -> std::optional<ExceededLimit> {
    if (product % of == 0) return std::nullopt;
    return fault(fmt::format("a multiple of {}", of));
  };
  switch (condition.bound) {
    case Bound::P:
      return below(sizes.p);
    case Bound::AP:
      return below(sizes.a * sizes.p);
    case Bound::Line:
      return below(8192);
    case Bound::TwoQ:
      return below(2 * sizes.q);
    case Bound::HalfQ:
      return below(sizes.q / 2);
    case Bound::MultipleOfA:
      return multiple(sizes.a);
    case Bound::MultipleOf4:
      return multiple(4);
    case Bound::MultipleOf8:
      return multiple(8);
  }
  return std::nullopt;
}

/// RK3566 and RK3568 turn vectors alone.
bool fits_rk356x(std::string_view order, const Four& e) {
  if (order == "0123") return true;
  const bool is_2 = order == "2103" || order == "2130", is_3 = order == "3102" || order == "3120";
  if (!is_2 && !is_3) return false;
  if (e[0] >= 8192 || e[1] >= 8192 || e[2] * e[3] >= 8192) return false;
  if (e[2] == 1 && e[3] == 1) return e[0] % 4 == 0;
  return e[0] == 1 && e[2] == 1 && (is_2 ? e[2] : e[3]) % 4 == 0;
}

/// What keeps the SoC from this permutation of these extents; empty: nothing.
std::vector<ExceededLimit> faults(const LimitQuery& query, const Order& order, const Four& extents) {
  const std::string text = fmt::format("{}", fmt::join(order, ""));
  if (query.family == Family::Rk356x) {
    if (fits_rk356x(text, extents)) return {};
    return {{"movement", "of matrices", "of vectors (two extents of 1)", ""}};
  }
  const auto row = std::ranges::find(kRows, text, &Row::order);
  std::vector<ExceededLimit> found;
  for (const Condition& condition : row->conditions) {
    if (std::optional<ExceededLimit> fault = broken(condition, extents, sizes_of(query))) found.push_back(*fault);
  }
  return found;
}

/// Extents of 1 go, dimensions that stay neighbours become one: the fewest dimensions that say the same.
struct Movement {
  std::vector<int64_t> extents;
  std::vector<int> order;
};
Movement merged(const Shape& shape, const std::vector<int64_t>& perm) {
  std::vector<int> kept;
  for (const int64_t axis : perm) {
    if (shape[static_cast<size_t>(axis)] != 1) kept.push_back(static_cast<int>(axis));
  }
  // Runs of consecutive axes (extents of 1 between them do not part them).
  std::vector<int> sorted = kept;
  std::ranges::sort(sorted);
  const auto rank_of = [&](int axis) { return std::ranges::lower_bound(sorted, axis) - sorted.begin(); };
  std::vector<std::pair<int64_t, int64_t>> runs;  // first rank, extent, in the order of the result
  for (size_t i = 0; i < kept.size(); ++i) {
    const int64_t rank = rank_of(kept[i]), extent = shape[static_cast<size_t>(kept[i])];
    if (i > 0 && rank == rank_of(kept[i - 1]) + 1) {
      runs.back().second *= extent;
    } else {
      runs.emplace_back(rank, extent);
    }
  }
  std::vector<std::pair<int64_t, int64_t>> by_rank = runs;
  std::ranges::sort(by_rank);
  Movement result;
  for (const auto& [rank, extent] : by_rank) result.extents.push_back(extent);
  for (const auto& run : runs) {
    result.order.push_back(static_cast<int>(std::ranges::lower_bound(by_rank, run) - by_rank.begin()));
  }
  return result;
}

/// Some way for fewer than four dimensions to stand among four is within the limits: where the extents of 1 go is the
/// compiler's choice.
bool fits_somewhere(const LimitQuery& query, const Movement& movement) {
  const size_t count = movement.extents.size();
  for (unsigned places = 0; places < 16; ++places) {
    if (static_cast<size_t>(std::popcount(places)) != count) continue;
    Four extents = {1, 1, 1, 1};
    std::array<int, 4> which = {-1, -1, -1, -1};  // dimension of the movement at this place
    for (int place = 0, next = 0; place < 4; ++place) {
      if ((places >> place & 1) == 0) continue;
      which[static_cast<size_t>(place)] = next;
      extents[static_cast<size_t>(place)] = movement.extents[static_cast<size_t>(next++)];
    }
    Order order = {0, 1, 2, 3};
    do {
      std::vector<int> moved;
      for (const int axis : order) {
        if (which[static_cast<size_t>(axis)] >= 0) moved.push_back(which[static_cast<size_t>(axis)]);
      }
      if (moved == movement.order && faults(query, order, extents).empty()) return true;
    } while (std::ranges::next_permutation(order).found);
  }
  return false;
}

/// Swaps the last two dimensions for products of matrices alone: these take their operands either way. The published
/// rates of networks with attention say so: with such layers on the CPU they would be a third slower than they are.
bool is_operand_order(const LimitQuery& query, const std::vector<int64_t>& perm) {
  const size_t rank = perm.size();
  if (rank < 2) return false;
  for (size_t i = 0; i + 2 < rank; ++i) {
    if (perm[i] != static_cast<int64_t>(i)) return false;
  }
  const ValueId result = query.node.outputs[0];
  const std::span<const NodeId> users = query.graph.users(result);
  return perm[rank - 2] == static_cast<int64_t>(rank) - 1 && !users.empty() && !query.graph.is_output(result) &&
         std::ranges::all_of(users, [&](NodeId user) { return query.graph[user].op == "MatMul"; });
}

}  // namespace

void check_transpose(LimitQuery& query) {
  const Shape& shape = query.input(0).shape;
  const std::vector<int64_t> perm = ints_attribute(query.node.attributes, "perm");
  if (is_operand_order(query, perm)) {
    query.form = "inside the MatMul behind it";
    return;
  }
  const Movement fewest = merged(shape, perm);
  if (fewest.extents.size() <= 1) return;  // a Reshape
  if (shape.size() > 4 && fewest.extents.size() > 4) {
    query.exceed("dimensions that move apart", fmt::format("{}", fewest.extents.size()), "up to 4",
                 "move them by two Transposes with a Reshape between");
    return;
  }
  const Movement movement = shape.size() > 4 ? fewest : Movement{shape, std::vector<int>(perm.begin(), perm.end())};
  if (fits_somewhere(query, movement)) return;
  // Told as it stands with extents of 1 in front.
  Four extents = {1, 1, 1, 1};
  Order order = {0, 1, 2, 3};
  const size_t count = movement.extents.size(), first = 4 - count;
  for (size_t i = 0; i < count; ++i) {
    extents[first + i] = movement.extents[i];
    order[first + i] = movement.order[i] + static_cast<int>(first);
  }
  for (ExceededLimit fault : faults(query, order, extents)) {
    fault.limit = fmt::format("{} of {} by perm [{}]", fault.limit, to_string(Shape(extents.begin(), extents.end())),
                              fmt::join(order, ", "));
    fault.cure = "keep the layout the network computes in, or transpose after the NPU";
    query.exceeded.push_back(std::move(fault));
  }
}

}  // namespace openrknn
