// Typed access for the reference kernels: the C++ type is chosen by dtype once, outside the loops.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <type_traits>

#include "core/kernels/kernel.h"
#include "core/kernels/reference/half.h"

namespace openrknn::reference {

/// A compile-time list of element types, and one of them as a value to pass to generic lambdas.
template <class... Ts>
struct Types {};
template <class T>
struct Tag {
  using type = T;
};

using FloatTypes = Types<float, Float16>;
using IntegerTypes = Types<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>;
using NumberTypes = Types<float, Float16, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>;
using AllTypes = Types<float, Float16, BFloat16, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t,
                       uint64_t, bool>;

/// Calls f(Tag<T>) for the T that stores `dtype`; false if the list has none.
template <class... Ts, class F>
bool visit(Types<Ts...>, DType dtype, F&& f) {
  return ((dtype == dtype_of<Ts>() ? (f(Tag<Ts>{}), true) : false) || ...);
}
template <class... Ts>
bool one_of(Types<Ts...>, DType dtype) {
  return ((dtype == dtype_of<Ts>()) || ...);
}

/// Calls f(Tag<T>) with the unsigned type of 1, 2, 4 or 8 bytes: data movement knows elements by their size alone.
template <class F>
bool visit_size(int64_t bytes, F&& f) {
  const auto of_size = [&]<class T>(Tag<T> tag) { return bytes == sizeof(T) ? (f(tag), true) : false; };
  return of_size(Tag<uint8_t>{}) || of_size(Tag<uint16_t>{}) || of_size(Tag<uint32_t>{}) || of_size(Tag<uint64_t>{});
}
/// Bytes of one element, 0 for the packed 4-bit types: what data movement needs to know.
inline int64_t whole_bytes(DType dtype) { return bit_width(dtype) / 8; }

/// The type a T is computed in: 16-bit floats are loaded exactly to float32 and rounded once when stored.
template <class T>
struct WideType {
  using type = T;
};
template <>
struct WideType<Float16> {
  using type = float;
};
template <>
struct WideType<BFloat16> {
  using type = float;
};
template <class T>
using Wide = typename WideType<T>::type;

template <class T>
const T* input(std::span<const Buffer> buffers, size_t index) {
  return reinterpret_cast<const T*>(buffers[index].data);
}
/// The output of a kernel with a single one: buffers are inputs first, then outputs.
template <class T>
T* output(std::span<const Buffer> buffers) {
  return reinterpret_cast<T*>(buffers.back().data);
}

/// Whole runs of T as float32 and back; T is float, Float16.
template <class T>
void load_floats(const T* in, float* out, int64_t count) {
  if constexpr (std::is_same_v<T, Float16>)
    load_halves(in, out, count);
  else
    std::copy_n(in, count, out);
}
template <class T>
void store_floats(const float* in, T* out, int64_t count) {
  if constexpr (std::is_same_v<T, Float16>)
    store_halves(in, out, count);
  else
    std::copy_n(in, count, out);
}
inline void load_floats(DType dtype, const std::byte* in, float* out, int64_t count) {
  visit(FloatTypes{}, dtype, [&]<class T>(Tag<T>) { load_floats(reinterpret_cast<const T*>(in), out, count); });
}

/// Absent optional operands and those beyond the end of the list are the same thing.
inline bool present(std::span<const Operand> operands, size_t index) {
  return index < operands.size() && operands[index].present;
}
inline bool is_float(const Operand& operand) { return one_of(FloatTypes{}, operand.dtype); }
/// Plain numbers, or codes that stand for the same real numbers in both.
inline bool same_quant(const Operand& a, const Operand& b) {
  return a.quant == b.quant || (a.quant && b.quant && *a.quant == *b.quant);
}
/// Integers that stand for themselves.
inline bool is_plain_integer(const Operand& operand) {
  return one_of(IntegerTypes{}, operand.dtype) && operand.quant == nullptr;
}
inline bool same_dtype(const Operand& a, const Operand& b) { return a.dtype == b.dtype; }
/// [N, spatial…, C] in memory: channels-last, or a rank whose logical order already is that.
inline bool has_channels_last(const Operand& operand) {
  return operand.layout == Layout::ChannelsLast || operand.shape.size() <= 2;
}

}  // namespace openrknn::reference
