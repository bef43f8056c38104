// Reading and writing runs of elements whatever their type is. For core/model's own files.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "core/base/tensor.h"

namespace openrknn {

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
  // Blocks of fixed size, one operation after another, are what compilers turn into vectors; with codes that saturate
  // often, branches would cost more than all else.
  constexpr size_t kBlock = 64;
  std::array<double, kBlock> x{};
  std::array<Whole, kBlock> whole;
  std::array<Code, kBlock> block;
  for (int64_t first = 0; first < count; first += kBlock) {
    const auto length = static_cast<size_t>(std::min<int64_t>(kBlock, count - first));
    for (size_t i = 0; i < length; ++i) x[i] = static_cast<double>(real[static_cast<size_t>(first) + i]);
    for (double& v : x) v = (v == v ? v : 0.0) / scale + zero_point;
    for (double& v : x) v = v > kLow ? v : kLow;
    for (double& v : x) v = v < kHigh ? v : kHigh;
    for (size_t i = 0; i < kBlock; ++i) whole[i] = static_cast<Whole>((x[i] + kRound) - kRound);
    for (size_t i = 0; i < kBlock; ++i) block[i] = static_cast<Code>(whole[i]);
    std::copy_n(block.begin(), length, codes + first);
  }
}

}  // namespace openrknn
