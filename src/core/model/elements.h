// Reading and writing runs of elements whatever their type is. For core/model's own files.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "core/base/tensor.h"

namespace openrknn {

/// Elements that are read and written at once: long enough for vector loops, short enough to stay in the first cache
/// with their copy as real numbers.
inline constexpr int64_t kChunk = 1024;

/// Calls visit(T{}) with the C++ type that holds one element of `dtype`. Bool is its byte; not for 4-bit types.
template <class Visit>
void with_element_type(DType dtype, const Visit& visit) {
  switch (dtype) {
    case DType::Float32:
      return visit(float{});
    case DType::Float16:
      return visit(Float16{});
    case DType::BFloat16:
      return visit(BFloat16{});
    case DType::Float64:
      return visit(double{});
    case DType::Int8:
      return visit(int8_t{});
    case DType::UInt8:
    case DType::Bool:
      return visit(uint8_t{});
    case DType::Int16:
      return visit(int16_t{});
    case DType::UInt16:
      return visit(uint16_t{});
    case DType::Int32:
      return visit(int32_t{});
    case DType::UInt32:
      return visit(uint32_t{});
    case DType::Int64:
      return visit(int64_t{});
    case DType::UInt64:
      return visit(uint64_t{});
    case DType::Int4:
    case DType::UInt4:
      return;
  }
}

/// Elements begin … begin + count - 1 as float or double. The bytes need no alignment: they may be a caller's.
template <class Real>
void load_elements(const Tensor& tensor, int64_t begin, int64_t count, Real* out) {
  with_element_type(tensor.dtype(), [&]<class T>(T) {
    const std::byte* in = tensor.bytes().data() + begin * static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < count; ++i) {
      T element;
      std::memcpy(&element, in + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
      if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
        out[i] = static_cast<float>(element);
      } else {
        out[i] = static_cast<Real>(element);
      }
    }
  });
}

/// real -> code: round(x / scale + zero point), half to even, saturated to the type. NaN counts as 0.
template <class Real, class Code>
void encode_elements(const Real* real, int64_t count, double scale, double zero_point, Code* codes) {
  constexpr double kLow = std::numeric_limits<Code>::lowest(), kHigh = std::numeric_limits<Code>::max();
  // Above 2^52 a double has no fraction: the addition rounds half to even, in vector registers on every CPU.
  constexpr double kRound = 0x1.8p52;
  using Whole = std::conditional_t<(sizeof(Code) < 4), int32_t, int64_t>;
  const auto scaled = [&](double x) { return (x == x ? x : 0.0) / scale + zero_point; };
  const auto at_least = [](double x) { return x > kLow ? x : kLow; };
  const auto at_most = [](double x) { return x < kHigh ? x : kHigh; };
  const auto whole = [](double x) { return static_cast<Whole>((x + kRound) - kRound); };
  // Blocks of fixed size, one operation after another, are what compilers turn into vectors; with codes that saturate
  // often, branches would cost more than all else.
  constexpr int64_t kBlock = 64;
  std::array<double, kBlock> x;
  std::array<Whole, kBlock> codes_of_block;
  int64_t first = 0;
  for (; first + kBlock <= count; first += kBlock) {
    const Real* const in = real + first;
    for (size_t i = 0; i < kBlock; ++i) x[i] = static_cast<double>(in[i]);
    for (double& v : x) v = scaled(v);
    for (double& v : x) v = at_least(v);
    for (double& v : x) v = at_most(v);
    for (size_t i = 0; i < kBlock; ++i) codes_of_block[i] = whole(x[i]);
    for (size_t i = 0; i < kBlock; ++i) codes[static_cast<size_t>(first) + i] = static_cast<Code>(codes_of_block[i]);
  }
  for (; first < count; ++first) {
    codes[first] = static_cast<Code>(whole(at_most(at_least(scaled(static_cast<double>(real[first]))))));
  }
}

}  // namespace openrknn
