// Whole tensors between real numbers and codes: constants, and values that a report or a caller wants to see.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/graph/quant_runs.h"
#include "core/model/elements.h"
#include "core/model/ports.h"

namespace openrknn {
namespace {

void require_params(const Shape& shape, const QuantParams& quant) {
  if (quant.scale.empty() || quant.scale.size() != quant.zero_point.size()) {
    fail(Code::Internal, fmt::format("{} scales and {} zero points", quant.scale.size(), quant.zero_point.size()));
  }
  const auto rank = static_cast<int64_t>(shape.size());
  const bool one = quant.axis < 0 || (quant.scale.size() == 1 && quant.group == 0);
  if ((!one && quant.axis >= rank) ||
      static_cast<int64_t>(quant.scale.size()) != (one ? 1 : expected_scales(shape, quant))) {
    fail(Code::Internal,
         fmt::format("{} scales along axis {} of shape {}", quant.scale.size(), quant.axis, to_string(shape)));
  }
}

// Calls run(begin, count, index) over all runs with equal parameters, cut to at most kChunk elements.
template <class Run>
void for_each_run(const Shape& shape, const QuantParams& quant, const Run& run) {
  QuantParams params;
  params.axis = quant.scale.size() == 1 && quant.group == 0 ? -1 : quant.axis;  // one scale: one run
  params.group = quant.group;
  for_quant_runs(shape, params, [&](int64_t begin, int64_t count, size_t index) {
    for (const int64_t end = begin + count; begin < end; begin += std::min(kChunk, end - begin)) {
      run(begin, std::min(kChunk, end - begin), index);
    }
  });
}

}  // namespace

Tensor quantize_tensor(const Tensor& real, const QuantParams& quant, DType dtype) {
  if (!is_integer(dtype) || bit_width(dtype) > 32) {
    fail(Code::Internal, fmt::format("{} cannot hold codes", name(dtype)));
  }
  require_params(real.shape(), quant);
  const bool packed = bit_width(dtype) == 4;  // as bytes first: cast saturates them to 4 bits
  const Tensor in = bit_width(real.dtype()) == 4 ? cast(real, DType::Int8) : real;
  Tensor codes(packed ? DType::Int8 : dtype, real.shape());
  std::byte* const out = codes.mutable_bytes().data();
  double chunk[kChunk];
  with_element_type(codes.dtype(), [&]<class T>(T) {
    if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
      for_each_run(real.shape(), quant, [&](int64_t begin, int64_t count, size_t c) {
        load_elements(in, begin, count, chunk);
        encode_elements(chunk, count, quant.scale[c], quant.zero_point[c], reinterpret_cast<T*>(out) + begin);
      });
    }
  });
  return packed ? cast(codes, dtype) : codes;
}

Tensor dequantize_tensor(const Tensor& codes, const QuantParams& quant) {
  require_params(codes.shape(), quant);
  const Tensor in = bit_width(codes.dtype()) == 4 ? cast(codes, DType::Int8) : codes;
  Tensor real(DType::Float32, codes.shape());
  float* const out = real.mutable_values<float>().data();
  double chunk[kChunk];
  for_each_run(codes.shape(), quant, [&](int64_t begin, int64_t count, size_t c) {
    load_elements(in, begin, count, chunk);
    const double scale = quant.scale[c], zero_point = quant.zero_point[c];
    for (int64_t i = 0; i < count; ++i) out[begin + i] = static_cast<float>((chunk[i] - zero_point) * scale);
  });
  return real;
}

}  // namespace openrknn
