#include "core/graph/text/content.h"

namespace openrknn {
namespace {

/// splitmix64 (Steele, Lea, Flood 2014).
uint64_t mix(uint64_t state) {
  uint64_t z = state + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::pair<int64_t, int64_t> code_range(DType dtype) {
  if (dtype == DType::Bool) return {0, 1};
  if (bit_width(dtype) <= 16) return {lowest_code(dtype), highest_code(dtype)};
  return {is_signed(dtype) ? -100 : 0, 100};
}

}  // namespace

Tensor iota_tensor(DType dtype, const Shape& shape) {
  std::vector<int64_t> values(static_cast<size_t>(element_count(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i);
  return cast(Tensor::from<int64_t>(shape, values), dtype);
}

Tensor filled_tensor(DType dtype, const Shape& shape, double value) {
  return cast(Tensor::from<double>(shape, std::vector<double>(static_cast<size_t>(element_count(shape)), value)),
              dtype);
}

Tensor random_tensor(DType dtype, const Shape& shape, uint64_t seed) {
  const size_t count = static_cast<size_t>(element_count(shape));
  const uint64_t stream = mix(seed);
  if (is_floating(dtype)) {
    std::vector<double> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<double>(mix(stream + i) >> 40) / (1 << 23) - 1;
    return cast(Tensor::from<double>(shape, values), dtype);
  }
  const auto [low, high] = code_range(dtype);
  const uint64_t codes = static_cast<uint64_t>(high - low + 1);
  std::vector<int64_t> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = low + static_cast<int64_t>((mix(stream + i) >> 32) % codes);
  return cast(Tensor::from<int64_t>(shape, values), dtype);
}

}  // namespace openrknn
