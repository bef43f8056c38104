// Element types and the two 16-bit float formats.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace openrknn {

/// Type of one tensor element. Values are stored in .rknn files: never renumber.
enum class DType : uint8_t {
  Float32 = 0,
  Float16 = 1,
  BFloat16 = 2,
  Float64 = 3,
  Int4 = 4,   ///< two codes a byte, low nibble first
  UInt4 = 5,  ///< two codes a byte, low nibble first
  Int8 = 6,
  UInt8 = 7,
  Int16 = 8,
  UInt16 = 9,
  Int32 = 10,
  UInt32 = 11,
  Int64 = 12,
  UInt64 = 13,
  Bool = 14,  ///< one byte, 0 or 1
};
inline constexpr int kDTypeCount = 15;

/// Bits of one element: 4 for the packed types, else 8, 16, 32 or 64.
int bit_width(DType);
/// Bytes that `count` elements occupy when stored densely (4-bit types round up to a whole byte).
int64_t byte_size(DType, int64_t count);
/// Short name of the text form: f32 f16 bf16 f64 i4 u4 i8 u8 i16 u16 i32 u32 i64 u64 bool.
std::string_view name(DType);
std::optional<DType> dtype_from_name(std::string_view);
/// numpy's name ("float32"); bfloat16 and the 4-bit types, which numpy lacks, keep ML names ("bfloat16", "int4").
std::string_view numpy_name(DType);

bool is_floating(DType);
bool is_integer(DType);  ///< signed or unsigned, Bool excluded
bool is_signed(DType);
/// Smallest and largest code of an integer type of at most 32 bits.
int64_t lowest_code(DType);
int64_t highest_code(DType);

/// IEEE binary16, round to nearest even, subnormals kept, overflow to infinity, NaN stays NaN (quiet).
uint16_t float_to_half_bits(float);
float half_bits_to_float(uint16_t);
/// bfloat16, round to nearest even.
uint16_t float_to_bfloat16_bits(float);
inline float bfloat16_bits_to_float(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

struct Float16 {
  uint16_t bits = 0;
  Float16() = default;
  explicit Float16(float value) : bits(float_to_half_bits(value)) {}
  operator float() const { return half_bits_to_float(bits); }
};
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value) : bits(float_to_bfloat16_bits(value)) {}
  operator float() const { return bfloat16_bits_to_float(bits); }
};
static_assert(sizeof(Float16) == 2 && sizeof(BFloat16) == 2);

/// The DType that stores C++ type T.
template <class T>
constexpr DType dtype_of();
#define OPENRKNN_DTYPE_OF(T, D)   \
  template <>                     \
  constexpr DType dtype_of<T>() { \
    return DType::D;              \
  }
OPENRKNN_DTYPE_OF(float, Float32)
OPENRKNN_DTYPE_OF(Float16, Float16)
OPENRKNN_DTYPE_OF(BFloat16, BFloat16)
OPENRKNN_DTYPE_OF(double, Float64)
OPENRKNN_DTYPE_OF(int8_t, Int8)
OPENRKNN_DTYPE_OF(uint8_t, UInt8)
OPENRKNN_DTYPE_OF(int16_t, Int16)
OPENRKNN_DTYPE_OF(uint16_t, UInt16)
OPENRKNN_DTYPE_OF(int32_t, Int32)
OPENRKNN_DTYPE_OF(uint32_t, UInt32)
OPENRKNN_DTYPE_OF(int64_t, Int64)
OPENRKNN_DTYPE_OF(uint64_t, UInt64)
OPENRKNN_DTYPE_OF(bool, Bool)
#undef OPENRKNN_DTYPE_OF

}  // namespace openrknn
