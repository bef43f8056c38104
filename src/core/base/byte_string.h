// Numbers in strings of bytes, the low byte first on every machine.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace openrknn {

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

/// T: an integer or floating type of 32 or 64 bits.
template <class T>
void append_number(std::string& out, T number) {
  const auto bits = std::bit_cast<BitsOf<T>>(number);
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(bits >> (8 * i)));
}

/// Takes it off the front; nullopt, and nothing taken, where too few bytes are left.
template <class T>
std::optional<T> take_number(std::string_view& in) {
  if (in.size() < sizeof(T)) return std::nullopt;
  BitsOf<T> bits = 0;
  for (size_t i = 0; i < sizeof(T); ++i) bits |= BitsOf<T>{static_cast<unsigned char>(in[i])} << (8 * i);
  in.remove_prefix(sizeof(T));
  return std::bit_cast<T>(bits);
}

}  // namespace openrknn
