// Bytes looked up in tables of 256: what mean, std and quantization make of a pixel.
#pragma once

#include <cstdint>
#include <span>

namespace openrknn {

/// out[i] = tables[i % n * 256 + in[i]] for n = tables.size() / 256 tables: n channels, pixel after pixel. Neither may
/// overlap `out`.
void look_up_bytes(std::span<const uint8_t> in, std::span<const uint8_t> tables, uint8_t* out);

}  // namespace openrknn
