// XXH3 of bytes: section checksums, weight identity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace openrknn {

uint64_t hash64(std::span<const std::byte>);
/// Of the bytes one piece after the other, without gathering them.
uint64_t hash64_of_pieces(std::span<const std::span<const std::byte>>);
/// 16 hexadecimal digits.
std::string to_hex(uint64_t);

}  // namespace openrknn
