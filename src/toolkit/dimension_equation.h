// "a,b,c,d->1,ad,b,c": the dimensions of a tensor taken apart, reordered and joined, as rknn.utils.onnx_edit writes it.
//   One comma between dimensions; a letter is a part of a dimension, 1 an extent of 1; "ab" is a times b, a the slower.
//   Every letter of the left side is on the right side. What cannot be inferred is assigned: "ab,c[a=2]->a,cb".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/tensor.h"

namespace openrknn {

/// A dimension is the letters whose extents it is the product of; none: 1.
using DimensionGroups = std::vector<std::string>;

struct DimensionEquation {
  DimensionGroups from, to;
  std::map<char, int64_t> assigned;
};

/// nullopt after adding every problem of the text.
std::optional<DimensionEquation> parse_dimension_equation(std::string_view text, const Location&, Diagnostics&);

/// A dimension as a model declares it.
struct DeclaredExtent {
  int64_t extent = -1;  ///< -1: known when the model runs
  std::string symbol;   ///< may name one that is
  bool operator==(const DeclaredExtent&) const = default;
};
/// "[1, batch, ?]"
std::string to_string(const std::vector<DeclaredExtent>&);

/// Extents of letters that a run decides.
struct DynamicLetter {
  int64_t divisor = 1;  ///< of the dimension it is part of: the other letters there
  std::string symbol;
};

/// An equation and the tensor it is about.
struct BoundEquation {
  DimensionGroups from, to;
  std::map<char, int64_t> extents;
  std::map<char, DynamicLetter> dynamic;  ///< letters that have no extent yet

  DeclaredExtent extent_of(const std::string& group) const;
  std::vector<DeclaredExtent> shape_of(const DimensionGroups&) const;
};

/// `declared` nullopt: nothing is known of the tensor's shape. nullopt after adding every problem.
std::optional<BoundEquation> bind_equation(const DimensionEquation&,
                                           const std::optional<std::vector<DeclaredExtent>>& declared, const Location&,
                                           Diagnostics&);

/// One reshape or transposition on the way from one side to the other.
struct DimensionStep {
  DimensionGroups result;
  std::vector<int> order;  ///< of a transposition: result[i] = source[order[i]]; empty: a reshape
};
/// None: the sides are equal.
std::vector<DimensionStep> steps_between(const DimensionGroups& from, const DimensionGroups& to);

/// The array on the right side; its equation is bound to its shape.
Tensor transformed(const Tensor&, const BoundEquation&);

}  // namespace openrknn
