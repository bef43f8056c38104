#include "compiler/quantize/sample_record.h"

#include <algorithm>

#include "core/base/hash.h"

namespace openrknn {
namespace {

/// Fewer elements than this are switches and sizes, not data.
constexpr int64_t kLeastElements = 16;

bool is_constant(const Tensor& tensor) {
  const Tensor floats = tensor.dtype() == DType::Float32 ? tensor : cast(tensor, DType::Float32);
  const std::span<const float> values = floats.values<float>();
  const Shape& shape = tensor.shape();
  // An image is of one colour if each of its channels is of one.
  const size_t planes = shape.size() == 4 ? static_cast<size_t>(shape[0] * shape[1]) : 1;
  const size_t plane = values.size() / planes;
  for (size_t p = 0; p < planes; ++p) {
    const std::span<const float> part = values.subspan(p * plane, plane);
    if (!std::all_of(part.begin(), part.end(), [&](float v) { return v == part.front(); })) return false;
  }
  return true;
}

}  // namespace

SampleRecord::Facts facts_of(const std::vector<Tensor>& inputs) {
  SampleRecord::Facts facts;
  bool any_data = false, all_constant = true;
  std::vector<uint64_t> hashes;
  for (const Tensor& input : inputs) {
    hashes.push_back(hash64(input.bytes()));
    if (input.size() < kLeastElements) continue;
    any_data = true;
    all_constant = all_constant && is_constant(input);
  }
  facts.hash = hash64(std::as_bytes(std::span(hashes)));
  facts.is_constant = any_data && all_constant;
  return facts;
}

}  // namespace openrknn
