#include "core/base/byte_tables.h"

#include <algorithm>
#include <cstring>

#include "core/base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace openrknn {
namespace {

/// Some pixels at a time into a buffer of their own: compilers must otherwise think that a result may change a table.
void look_up_plainly(const uint8_t* in, int64_t count, const uint8_t* tables, int64_t channels, uint8_t* out) {
  constexpr int64_t kMost = 96;
  const int64_t step = channels > kMost ? 0 : kMost / channels * channels;
  int64_t i = 0;
  for (; step > 0 && i + step <= count; i += step) {
    uint8_t some[kMost];
    for (int64_t c = 0; c < channels; ++c) {
      const uint8_t* table = tables + c * 256;
      for (int64_t j = c; j < step; j += channels) some[j] = table[in[i + j]];
    }
    std::memcpy(out + i, some, static_cast<size_t>(step));
  }
  for (int64_t c = 0; i < count; ++i, c = c + 1 < channels ? c + 1 : 0) out[i] = tables[c * 256 + in[i]];
}

#if defined(__x86_64__)
#define OPENRKNN_VBMI [[gnu::target("avx512f,avx512bw,avx512vbmi")]]

/// A table in registers: 128 bytes a permutation, the high bit of a byte says which half is meant.
struct Table {
  __m512i parts[4];
};
OPENRKNN_VBMI inline Table load_table(const uint8_t* table) {
  Table loaded;
  for (int i = 0; i < 4; ++i) loaded.parts[i] = _mm512_loadu_si512(table + 64 * i);
  return loaded;
}
OPENRKNN_VBMI inline __m512i look_up(const Table& table, __m512i bytes) {
  const __m512i low = _mm512_permutex2var_epi8(table.parts[0], bytes, table.parts[1]);
  const __m512i high = _mm512_permutex2var_epi8(table.parts[2], bytes, table.parts[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high);
}

/// Whole vectors of `kChannels` tables; returns how many bytes that were, a multiple of kChannels.
template <int kChannels>
OPENRKNN_VBMI int64_t look_up_vectors(const uint8_t* in, int64_t count, const uint8_t* tables, uint8_t* out) {
  constexpr int64_t kBytes = 64, kStep = kBytes * kChannels;
  Table loaded[kChannels];
  uint64_t channel[kChannels][kChannels] = {};  // bytes of vector v that belong to channel c
  for (int c = 0; c < kChannels; ++c) loaded[c] = load_table(tables + 256 * c);
  for (int64_t i = 0; i < kStep; ++i) channel[i / kBytes][i % kChannels] |= uint64_t{1} << (i % kBytes);
  int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    for (int v = 0; v < kChannels; ++v) {
      const __m512i bytes = _mm512_loadu_si512(in + i + v * kBytes);
      __m512i found = look_up(loaded[0], bytes);
      for (int c = 1; c < kChannels; ++c) {
        found = _mm512_mask_blend_epi8(channel[v][c], found, look_up(loaded[c], bytes));
      }
      _mm512_storeu_si512(out + i + v * kBytes, found);
    }
  }
  return i;
}
#endif

}  // namespace

void look_up_bytes(std::span<const uint8_t> in, std::span<const uint8_t> tables, uint8_t* out) {
  const int64_t count = static_cast<int64_t>(in.size()), channels = static_cast<int64_t>(tables.size() / 256);
  int64_t done = 0;
#if defined(__x86_64__)
  static const bool has_permutations = (detect_cpu() & kCpuAvx512Vbmi) != 0;
  if (has_permutations && channels == 1) done = look_up_vectors<1>(in.data(), count, tables.data(), out);
  if (has_permutations && channels == 3) done = look_up_vectors<3>(in.data(), count, tables.data(), out);
#endif
  look_up_plainly(in.data() + done, count - done, tables.data(), channels, out + done);
}

}  // namespace openrknn
