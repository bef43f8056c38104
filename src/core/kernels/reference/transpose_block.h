// A square of elements transposed in registers of 16 bytes, which every CPU has.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

namespace openrknn::reference {

/// T is unsigned, of 1, 2, 4 or 8 bytes.
template <class T>
struct TransposeBlock {
  static constexpr int kLanes = 16 / static_cast<int>(sizeof(T));
  typedef T Vector __attribute__((vector_size(16)));

  /// to[i][j] = from[j][i] for i, j < kLanes; strides in elements.
  static void run(const T* from, int64_t from_stride, T* to, int64_t to_stride) {
    Vector v[kLanes], w[kLanes];
    for (int i = 0; i < kLanes; ++i) std::memcpy(&v[i], from + i * from_stride, sizeof(Vector));
    // Each step interleaves line i with line i + half; after log2(kLanes) steps every line holds one column.
    for (int step = 1; step < kLanes; step *= 2) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes / 2; ++i) {
        w[2 * i] = low(v[i], v[i + kLanes / 2], kIndices);
        w[2 * i + 1] = high(v[i], v[i + kLanes / 2], kIndices);
      }
      std::memcpy(v, w, sizeof(v));
    }
    for (int i = 0; i < kLanes; ++i) std::memcpy(to + i * to_stride, &v[i], sizeof(Vector));
  }

  /// to = a[0], b[0], a[1], b[1], …, kLanes of each.
  static void pairs(const T* a, const T* b, T* to) {
    Vector x, y;
    std::memcpy(&x, a, sizeof(x));
    std::memcpy(&y, b, sizeof(y));
    const Vector first = low(x, y, kIndices), second = high(x, y, kIndices);
    std::memcpy(to, &first, sizeof(first));
    std::memcpy(to + kLanes, &second, sizeof(second));
  }

  /// to = from[0], from[2], …, kLanes of them. Reads 2 kLanes.
  static void every_other(const T* from, T* to) {
    Vector x, y;
    std::memcpy(&x, from, sizeof(x));
    std::memcpy(&y, from + kLanes, sizeof(y));
    const Vector even = evens(x, y, kIndices);
    std::memcpy(to, &even, sizeof(even));
  }

 private:
  static constexpr std::make_integer_sequence<int, kLanes> kIndices{};

  /// a and b in turns: their first halves, their second halves.
  template <int... i>
  static Vector low(Vector a, Vector b, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(a, b, (i % 2 * kLanes + i / 2)...);
  }
  template <int... i>
  static Vector evens(Vector a, Vector b, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(a, b, (2 * i)...);
  }
  template <int... i>
  static Vector high(Vector a, Vector b, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(a, b, (i % 2 * kLanes + i / 2 + kLanes / 2)...);
  }
};

}  // namespace openrknn::reference
