#include "core/base/dtype.h"

#include <array>

namespace openrknn {
namespace {

struct Row {
  std::string_view name, numpy_name;
  int bits;
  bool floating, integer, is_signed;
};
// In the order of DType.
constexpr std::array<Row, kDTypeCount> kRows = {{
    {"f32", "float32", 32, true, false, true},
    {"f16", "float16", 16, true, false, true},
    {"bf16", "bfloat16", 16, true, false, true},
    {"f64", "float64", 64, true, false, true},
    {"i4", "int4", 4, false, true, true},
    {"u4", "uint4", 4, false, true, false},
    {"i8", "int8", 8, false, true, true},
    {"u8", "uint8", 8, false, true, false},
    {"i16", "int16", 16, false, true, true},
    {"u16", "uint16", 16, false, true, false},
    {"i32", "int32", 32, false, true, true},
    {"u32", "uint32", 32, false, true, false},
    {"i64", "int64", 64, false, true, true},
    {"u64", "uint64", 64, false, true, false},
    {"bool", "bool", 8, false, false, false},
}};
const Row& row(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

int bit_width(DType dtype) { return row(dtype).bits; }
int64_t byte_size(DType dtype, int64_t count) {
  const int bits = row(dtype).bits;
  return bits == 4 ? (count + 1) / 2 : count * (bits / 8);
}
std::string_view name(DType dtype) { return row(dtype).name; }
std::string_view numpy_name(DType dtype) { return row(dtype).numpy_name; }
std::optional<DType> dtype_from_name(std::string_view wanted) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kRows[static_cast<size_t>(i)].name == wanted) return static_cast<DType>(i);
  }
  return std::nullopt;
}
bool is_floating(DType dtype) { return row(dtype).floating; }
bool is_integer(DType dtype) { return row(dtype).integer; }
bool is_signed(DType dtype) { return row(dtype).is_signed; }
int64_t lowest_code(DType dtype) { return row(dtype).is_signed ? -(int64_t{1} << (row(dtype).bits - 1)) : 0; }
int64_t highest_code(DType dtype) {
  const int value_bits = row(dtype).is_signed ? row(dtype).bits - 1 : row(dtype).bits;
  return (int64_t{1} << value_bits) - 1;
}

uint16_t float_to_half_bits(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);   // NaN, quiet
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to 65536 or beyond
  if (magnitude < 0x38800000u) {
    // Below the smallest normal half: adding 0.5 puts the subnormal's bits at the bottom of the mantissa, and the
    // addition itself rounds half to even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  const uint32_t rounded = magnitude + 0xfffu + odd;
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

float half_bits_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
  if (magnitude >= 0x400u) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
  const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(subnormal));
}

uint16_t float_to_bfloat16_bits(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace openrknn
