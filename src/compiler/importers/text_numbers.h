// Numbers in text files of frameworks.
#pragma once

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include "core/base/error.h"

namespace openrknn {

/// All of `text` is one number of this type, finite; a plus in front is let pass, so is the f of C behind a fraction.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if constexpr (std::is_floating_point_v<T>) {
    if (text.ends_with('f')) text.remove_suffix(1);
  }
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return value;
}

/// The number, which has to lie in [low, high]. Throws Error (ImportBadFile) that names what it is of.
inline int64_t require_range(int64_t value, int64_t low, int64_t high, std::string_view name, const Location& where) {
  if (value >= low && value <= high) return value;
  fail(Code::ImportBadFile, where, fmt::format("{}: got {}, expected {} to {}", name, value, low, high));
}

}  // namespace openrknn
