#include "compiler/analysis/layer_stream.h"

#include <algorithm>

#include "core/model/ports.h"

namespace openrknn {

Tensor logical_tensor(const LayerValues& values) {
  const Form logical{Layout::Logical, static_cast<int64_t>(values.shape.size())};
  Tensor tensor(values.dtype, values.shape);
  const std::span<std::byte> target = tensor.mutable_bytes();
  if (target.empty()) return tensor;
  const FormCopy copy = form_copy(values.shape, values.form, logical, bit_width(values.dtype) / 8);
  for (int64_t tile = 0; tile < tile_count(copy); ++tile) {
    copy_tile(copy, values.bytes.data(), target.data(), tile);
  }
  return tensor;
}

Tensor real_tensor(const LayerValues& values) {
  const Tensor tensor = logical_tensor(values);
  return values.quant == nullptr ? tensor : dequantize_tensor(tensor, *values.quant);
}

std::vector<double> real_numbers(const LayerValues& values, int64_t first, int64_t count) {
  const int64_t element = bit_width(values.dtype) / 8;
  const std::span<const std::byte> bytes =
      values.bytes.subspan(static_cast<size_t>(first * element), static_cast<size_t>(count * element));
  std::vector<double> numbers = to_doubles(Tensor::view(values.dtype, {count}, bytes, nullptr));
  if (values.quant == nullptr) return numbers;
  const double scale = values.quant->scale.at(0), zero_point = values.quant->zero_point.at(0);
  for (double& number : numbers) number = (number - zero_point) * scale;
  return numbers;
}

bool same_order(const LayerValues& a, const LayerValues& b) {
  return a.shape == b.shape && memory_order(a.shape, a.form) == memory_order(b.shape, b.form);
}

}  // namespace openrknn
