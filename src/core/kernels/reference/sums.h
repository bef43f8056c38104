// The order in which floats are added (docs/arithmetic.md): it is part of the result, so it is written down once.
#pragma once

#include <cstdint>

namespace openrknn::reference {

/// A sum along contiguous elements: element i goes to accumulator i mod 16, plain additions; at the end the halves are
/// folded onto each other, 16 to 8 to 4 to 2 to 1. Any vector width up to 16 lanes gives the same bits.
class InterleavedSum {
 public:
  /// Appends map(x[0]), …, map(x[count-1]).
  template <class T, class Map>
  void add(const T* x, int64_t count, Map map) {
    int64_t i = 0;
    for (; i < count && (added_ + i) % kLanes != 0; ++i) lanes_[(added_ + i) % kLanes] += map(x[i]);
    for (; i + kLanes <= count; i += kLanes) {
#pragma GCC unroll 16
      for (int64_t lane = 0; lane < kLanes; ++lane) lanes_[lane] += map(x[i + lane]);
    }
    for (; i < count; ++i) lanes_[(added_ + i) % kLanes] += map(x[i]);
    added_ += count;
  }
  float total() const {
    float lanes[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] = lanes_[lane];
    for (int64_t half = kLanes / 2; half >= 1; half /= 2) {
      for (int64_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    }
    return lanes[0];
  }

 private:
  static constexpr int64_t kLanes = 16;
  float lanes_[kLanes] = {};
  int64_t added_ = 0;
};

inline float sum_contiguous(const float* x, int64_t count) {
  InterleavedSum sum;
  sum.add(x, count, [](float v) { return v; });
  return sum.total();
}

}  // namespace openrknn::reference
