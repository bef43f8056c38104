// Attributes of nodes: a small ordered map from name to one of a few plain types.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/tensor.h"

namespace openrknn {

class Graph;

using Attribute = std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                               std::vector<std::string>, Tensor, std::shared_ptr<const Graph>>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

/// The attribute, or `fallback` when absent. Throws Error (GraphBadAttribute) if it has another type.
int64_t int_attribute(const Attributes&, std::string_view name, int64_t fallback);
double float_attribute(const Attributes&, std::string_view name, double fallback);
std::string string_attribute(const Attributes&, std::string_view name, std::string_view fallback);
std::vector<int64_t> ints_attribute(const Attributes&, std::string_view name,
                                    const std::vector<int64_t>& fallback = {});
std::vector<double> floats_attribute(const Attributes&, std::string_view name,
                                     const std::vector<double>& fallback = {});
bool has_attribute(const Attributes&, std::string_view name);

}  // namespace openrknn
