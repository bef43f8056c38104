// Conversion of one number between any two element types: what Cast means.
#pragma once

#include <limits>
#include <type_traits>

#include "core/base/dtype.h"

namespace openrknn::reference {

template <class T>
inline constexpr bool kIsFloating =
    std::is_floating_point_v<T> || std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

/// Float to integer truncates and saturates, NaN gives 0; integer to narrower integer keeps the low bits; to Bool is
/// != 0; to a float type rounds to nearest even (to the 16-bit ones by way of float32).
template <class To, class From>
To convert_number(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    if constexpr (kIsFloating<From>)
      return !(value == From(0));
    else
      return value != From(0);
  } else if constexpr (std::is_same_v<To, Float16> || std::is_same_v<To, BFloat16>) {
    return To(static_cast<float>(value));
  } else if constexpr (kIsFloating<From> && !kIsFloating<To>) {
    using Limits = std::numeric_limits<To>;
    if constexpr (!std::is_same_v<From, double> && sizeof(To) <= 4 && !std::is_same_v<To, uint32_t>) {
      // Selects between floats, which compilers vectorise.
      constexpr auto kLowest = static_cast<float>(Limits::lowest());
      constexpr float kMost = sizeof(To) < 4 ? static_cast<float>(Limits::max()) : 0x1.fffffep30f;  // below 2^31
      const float real = static_cast<float>(value), number = real == real ? real : 0.0f;
      const float raised = number > kLowest ? number : kLowest;
      const To whole = static_cast<To>(static_cast<int32_t>(raised < kMost ? raised : kMost));
      if constexpr (sizeof(To) == 4) return raised >= 0x1p31f ? Limits::max() : whole;
      return whole;
    }
    const double real = static_cast<double>(value);
    if (real != real) return To(0);
    // The limits of 64-bit types round up to a power of two as doubles, hence <= and >=.
    if (real <= static_cast<double>(Limits::lowest())) return Limits::lowest();
    if (real >= static_cast<double>(Limits::max())) return Limits::max();
    return static_cast<To>(real);
  } else if constexpr (kIsFloating<From>) {
    return static_cast<To>(static_cast<std::conditional_t<std::is_same_v<From, double>, double, float>>(value));
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace openrknn::reference
