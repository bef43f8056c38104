// Tables of 256 bytes, held in registers: results of a function of one code.
#pragma once

#include <array>

#include "core/kernels/fast/vector.h"

namespace openrknn::fast {

template <class Isa>
void map_codes(const std::array<int8_t, 256>& table, const int8_t* in, int8_t* out, int64_t count) {
  const typename Isa::ByteTable lookup(table.data());
  int64_t i = 0;
  for (; i + Isa::kBytes <= count; i += Isa::kBytes) lookup.look_up(in + i, out + i);
  if (i == count) return;
  int8_t rest[Isa::kBytes] = {};
  __builtin_memcpy(rest, in + i, static_cast<size_t>(count - i));
  lookup.look_up(rest, rest);
  __builtin_memcpy(out + i, rest, static_cast<size_t>(count - i));
}

}  // namespace openrknn::fast
