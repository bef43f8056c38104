// Int4 and UInt4 elements: two to a byte, the low nibble first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/dtype.h"

namespace openrknn::reference {

/// Stands for both 4-bit types where an element type chooses code.
struct Packed4 {};

inline bool is_packed4(DType dtype) { return bit_width(dtype) == 4; }
inline int64_t load_packed4(const std::byte* codes, int64_t i, bool is_signed) {
  const int64_t nibble = std::to_integer<int64_t>(codes[i / 2] >> (i % 2 * 4)) & 15;
  return is_signed && nibble >= 8 ? nibble - 16 : nibble;
}
/// Keeps the low four bits. Elements must be written in ascending order from an even one on: that one clears the byte.
inline void store_packed4(std::byte* codes, int64_t i, int64_t code) {
  const auto nibble = static_cast<std::byte>(code & 15);
  codes[i / 2] = i % 2 == 0 ? nibble : codes[i / 2] | nibble << 4;
}

}  // namespace openrknn::reference
