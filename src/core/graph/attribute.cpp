#include "core/graph/attribute.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr std::string_view kTypeNames[] = {"an int",           "a float",           "a string", "a list of ints",
                                           "a list of floats", "a list of strings", "a tensor", "a graph"};

/// The attribute as T; null when absent.
template <class T>
const T* get(const Attributes& attributes, std::string_view name, std::string_view expected) {
  const auto found = attributes.find(name);
  if (found == attributes.end()) return nullptr;
  if (const T* value = std::get_if<T>(&found->second)) return value;
  fail(Code::GraphBadAttribute, fmt::format("attribute '{}' has the wrong type, got {}, expected {}", name,
                                            kTypeNames[found->second.index()], expected));
}

}  // namespace

int64_t int_attribute(const Attributes& attributes, std::string_view name, int64_t fallback) {
  const int64_t* value = get<int64_t>(attributes, name, "an int");
  return value ? *value : fallback;
}

double float_attribute(const Attributes& attributes, std::string_view name, double fallback) {
  const double* value = get<double>(attributes, name, "a float");
  return value ? *value : fallback;
}

std::string string_attribute(const Attributes& attributes, std::string_view name, std::string_view fallback) {
  const std::string* value = get<std::string>(attributes, name, "a string");
  return value ? *value : std::string(fallback);
}

std::vector<int64_t> ints_attribute(const Attributes& attributes, std::string_view name,
                                    const std::vector<int64_t>& fallback) {
  const auto* value = get<std::vector<int64_t>>(attributes, name, "a list of ints");
  return value ? *value : fallback;
}

std::vector<double> floats_attribute(const Attributes& attributes, std::string_view name,
                                     const std::vector<double>& fallback) {
  const auto* value = get<std::vector<double>>(attributes, name, "a list of floats");
  return value ? *value : fallback;
}

bool has_attribute(const Attributes& attributes, std::string_view name) {
  return attributes.find(name) != attributes.end();
}

}  // namespace openrknn
