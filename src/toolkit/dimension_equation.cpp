#include "toolkit/dimension_equation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace openrknn {
namespace {

constexpr std::string_view kExample = "write one comma between dimensions, as in 'a,b,c,d->1,ad,b,c'";

bool is_letter(char symbol) { return symbol >= 'a' && symbol <= 'z'; }

/// Collects what is wrong with one equation.
class Complaints {
 public:
  Complaints(std::string_view equation, const Location& where, Diagnostics& problems)
      : equation_(equation), where_(where), problems_(problems) {}
  void add(const std::string& problem, std::string fix) {
    any_ = true;
    problems_.add(Code::ConfigBadValue, where_, fmt::format("equation '{}': {}", equation_, problem), std::move(fix));
  }
  bool any() const { return any_; }

 private:
  std::string_view equation_;
  const Location& where_;
  Diagnostics& problems_;
  bool any_ = false;
};

DimensionGroups parse_side(std::string_view side, std::string_view name, Complaints& complaints) {
  DimensionGroups groups;
  if (side.empty()) return groups;  // no dimensions: a scalar
  std::string seen;
  for (size_t begin = 0; begin <= side.size();) {
    const size_t end = std::min(side.find(',', begin), side.size());
    const std::string_view dimension = side.substr(begin, end - begin);
    begin = end + 1;
    if (dimension.empty())
      complaints.add(fmt::format("the {} side has a dimension without symbol", name), "write 1 for an extent of 1");
    std::string& group = groups.emplace_back();
    for (const char symbol : dimension) {
      if (symbol == '1') continue;
      if (!is_letter(symbol)) {
        complaints.add(fmt::format("'{}' is no symbol", symbol), "symbols are a to z and 1");
      } else if (seen.find(symbol) != std::string::npos) {
        complaints.add(fmt::format("'{}' is on the {} side twice", symbol, name), "use each letter once a side");
      } else {
        seen += symbol;
        group += symbol;
      }
    }
  }
  return groups;
}

void parse_assignments(std::string_view list, std::map<char, int64_t>& assigned, Complaints& complaints) {
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view item = list.substr(begin, end - begin);
    begin = end + 1;
    int64_t extent = 0;
    const bool named = item.size() > 2 && is_letter(item[0]) && item[1] == '=';
    const char* const last = item.data() + item.size();
    const auto [at, error] =
        named ? std::from_chars(item.data() + 2, last, extent) : std::from_chars_result{item.data(), {}};
    if (!named || error != std::errc() || at != last || extent < 1) {
      complaints.add(fmt::format("'{}' assigns nothing", item),
                     "write LETTER=NUMBER with a whole number above 0, as in [a=2,k=8]");
    } else if (!assigned.emplace(item[0], extent).second) {
      complaints.add(fmt::format("'{}' is assigned twice", item[0]), "assign it once");
    }
  }
}

bool contains(const DimensionGroups& groups, char letter) {
  return std::ranges::any_of(groups, [&](const std::string& group) { return group.find(letter) != std::string::npos; });
}

void check_sides(const DimensionEquation& equation, Complaints& complaints) {
  const auto require = [&](const DimensionGroups& these, const DimensionGroups& those, const char* problem,
                           const char* fix) {
    for (const std::string& group : these) {
      for (const char letter : group) {
        if (!contains(those, letter)) complaints.add(fmt::format(fmt::runtime(problem), letter), fix);
      }
    }
  };
  require(equation.from, equation.to, "'{}' is not on the right side",
          "every letter of the left side has to be there, no element may be lost");
  require(equation.to, equation.from, "'{}' is not on the left side", "a dimension that is added is written 1");
  for (const auto& [letter, extent] : equation.assigned) {
    if (!contains(equation.from, letter))
      complaints.add(fmt::format("'{}' is assigned {} and not on the left side", letter, extent),
                     "leave the assignment out");
  }
}

/// `text` without blanks.
std::string dense(std::string_view text) {
  std::string result(text);
  std::erase_if(result, [](char c) { return c == ' ' || c == '\t'; });
  return result;
}

/// The product, nullopt where it leaves int64.
std::optional<int64_t> times(std::optional<int64_t> a, int64_t b) {
  int64_t product = 0;
  if (!a || __builtin_mul_overflow(*a, b, &product)) return std::nullopt;
  return product;
}

/// Gives the letters of one dimension of the left side their extents.
void bind_dimension(const DimensionEquation& equation, size_t index, const DeclaredExtent& declared,
                    BoundEquation& bound, const Location& where, Diagnostics& problems) {
  const std::string& group = equation.from[index];
  const auto complain = [&](const std::string& problem, std::string fix) {
    problems.add(Code::ConfigBadValue, where,
                 fmt::format("dimension {} ('{}') {}", index, group.empty() ? "1" : group, problem), std::move(fix));
  };
  std::optional<int64_t> known = 1;
  std::string unknown;
  for (const char letter : group) {
    const auto at = equation.assigned.find(letter);
    if (at == equation.assigned.end()) {
      unknown += letter;
    } else {
      bound.extents[letter] = at->second;
      known = times(known, at->second);
    }
  }
  const std::string extent = to_string(std::vector{declared});
  if (unknown.size() > 1) {
    complain(
        fmt::format("has the extent {}, and {} letters have none", extent.substr(1, extent.size() - 2), unknown.size()),
        fmt::format("assign all but one of them, as in [{}=2]", unknown[0]));
  } else if (!known) {
    complain("is larger than 2^63", "assign smaller extents");
  } else if (declared.extent < 0) {
    if (!unknown.empty()) bound.dynamic[unknown[0]] = {*known, *known == 1 ? declared.symbol : std::string()};
  } else if (unknown.empty() && *known != declared.extent) {
    complain(fmt::format("is {}, the tensor has {} there", *known, declared.extent), "make the two agree");
  } else if (!unknown.empty()) {
    if (declared.extent % *known != 0) {
      complain(fmt::format("has the extent {}, which cannot be divided by {}", declared.extent, *known),
               "assign an extent that divides it");
    }
    bound.extents[unknown[0]] = declared.extent / *known;
  }
}

/// Every letter a dimension of its own, in order.
DimensionGroups apart(const DimensionGroups& groups) {
  DimensionGroups letters;
  for (const std::string& group : groups) {
    for (const char letter : group) letters.emplace_back(1, letter);
  }
  return letters;
}

}  // namespace

std::string to_string(const std::vector<DeclaredExtent>& shape) {
  std::string text = "[";
  for (const DeclaredExtent& each : shape) {
    text += text.size() > 1 ? ", " : "";
    text += each.extent >= 0 ? fmt::format("{}", each.extent) : each.symbol.empty() ? "?" : each.symbol;
  }
  return text + "]";
}

std::optional<DimensionEquation> parse_dimension_equation(std::string_view given, const Location& where,
                                                          Diagnostics& problems) {
  Complaints complaints(given, where, problems);
  const std::string text = dense(given);
  const size_t arrow = text.find("->");
  if (arrow == std::string::npos || text.find("->", arrow + 2) != std::string::npos) {
    complaints.add("it needs one '->' between its sides", std::string(kExample));
    return std::nullopt;
  }
  DimensionEquation equation;
  std::string_view left = std::string_view(text).substr(0, arrow);
  if (const size_t bracket = left.find('['); bracket != std::string_view::npos) {
    if (left.back() == ']') {
      parse_assignments(left.substr(bracket + 1, left.size() - bracket - 2), equation.assigned, complaints);
    } else {
      complaints.add("the assignments have no ']'", "write them behind the left side, as in 'ab,c[a=2]->a,cb'");
    }
    left = left.substr(0, bracket);
  }
  const std::string_view right = std::string_view(text).substr(arrow + 2);
  if (right.find('[') != std::string_view::npos) {
    complaints.add("assignments stand on the right side", "write them behind the left side, as in 'ab,c[a=2]->a,cb'");
    return std::nullopt;
  }
  equation.from = parse_side(left, "left", complaints);
  equation.to = parse_side(right, "right", complaints);
  if (!complaints.any()) check_sides(equation, complaints);
  return complaints.any() ? std::nullopt : std::optional(std::move(equation));
}

DeclaredExtent BoundEquation::extent_of(const std::string& group) const {
  int64_t product = 1;
  for (const char letter : group) {
    const auto known = extents.find(letter);
    if (known == extents.end()) return {-1, group.size() == 1 ? dynamic.at(letter).symbol : std::string()};
    product *= known->second;  // bind_equation() has seen that all of them together fit
  }
  return {product, {}};
}

std::vector<DeclaredExtent> BoundEquation::shape_of(const DimensionGroups& groups) const {
  std::vector<DeclaredExtent> shape;
  for (const std::string& group : groups) shape.push_back(extent_of(group));
  return shape;
}

std::optional<BoundEquation> bind_equation(const DimensionEquation& equation,
                                           const std::optional<std::vector<DeclaredExtent>>& declared,
                                           const Location& where, Diagnostics& problems) {
  if (declared && declared->size() != equation.from.size()) {
    problems.add(Code::ConfigBadValue, where,
                 fmt::format("the equation's left side has {} dimensions, the tensor has {}: {}", equation.from.size(),
                             declared->size(), to_string(*declared)),
                 "write a symbol for every dimension of the tensor");
    return std::nullopt;
  }
  BoundEquation bound{.from = equation.from, .to = equation.to, .extents = {}, .dynamic = {}};
  const size_t before = problems.list().size();
  std::optional<int64_t> elements = 1;
  for (size_t i = 0; i < equation.from.size(); ++i) {
    bind_dimension(equation, i, declared ? (*declared)[i] : DeclaredExtent{}, bound, where, problems);
  }
  for (const auto& [letter, extent] : bound.extents) {
    if (extent == 0) elements = std::nullopt;
    elements = times(elements, extent);
  }
  if (!elements && problems.list().size() == before) {
    problems.add(Code::ConfigBadValue, where,
                 fmt::format("a tensor of shape {} cannot be transformed", to_string(bound.shape_of(bound.from))),
                 "its extents have to be above 0, and their product below 2^63");
  }
  return problems.list().size() == before ? std::optional(std::move(bound)) : std::nullopt;
}

std::vector<DimensionStep> steps_between(const DimensionGroups& from, const DimensionGroups& to) {
  if (from == to) return {};
  const DimensionGroups letters = apart(from), wanted = apart(to);
  if (letters == wanted) return {{.result = to, .order = {}}};
  std::vector<DimensionStep> steps;
  if (letters != from) steps.push_back({.result = letters, .order = {}});
  DimensionStep& transposition = steps.emplace_back(DimensionStep{.result = wanted, .order = {}});
  for (const std::string& letter : wanted) {
    transposition.order.push_back(static_cast<int>(std::ranges::find(letters, letter) - letters.begin()));
  }
  if (wanted != to) steps.push_back({.result = to, .order = {}});
  return steps;
}

Tensor transformed(const Tensor& array, const BoundEquation& equation) {
  Tensor result = array;
  for (const DimensionStep& step : steps_between(equation.from, equation.to)) {
    if (!step.order.empty()) {
      result = transpose(result, step.order);
      continue;
    }
    Shape shape;
    for (const DeclaredExtent& each : equation.shape_of(step.result)) shape.push_back(each.extent);
    result = result.reshaped(shape);
  }
  return result;
}

}  // namespace openrknn
