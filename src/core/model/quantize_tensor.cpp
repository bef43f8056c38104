// Whole tensors between real numbers and codes: constants, and values that a report or a caller wants to see.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/model/elements.h"
#include "core/model/ports.h"

namespace openrknn {
namespace {

constexpr int64_t kChunk = 1024;

// A tensor as runs of neighbouring elements that share one scale: [outer][channels][inner].
struct Runs {
  int64_t outer = 1, channels = 1, inner = 1;
};

Runs runs_of(const Shape& shape, const QuantParams& quant) {
  if (quant.group > 0) {
    fail(Code::NotBuilt, "quantization in groups along the input channels is not built yet",
         "use 'channel' or 'layer'");
  }
  if (quant.scale.empty() || quant.scale.size() != quant.zero_point.size()) {
    fail(Code::Internal, fmt::format("{} scales and {} zero points", quant.scale.size(), quant.zero_point.size()));
  }
  if (quant.scale.size() == 1) return {1, 1, element_count(shape)};
  const auto rank = static_cast<int64_t>(shape.size());
  if (quant.axis < 0 || quant.axis >= rank ||
      shape[static_cast<size_t>(quant.axis)] != static_cast<int64_t>(quant.scale.size())) {
    fail(Code::Internal,
         fmt::format("{} scales along axis {} of shape {}", quant.scale.size(), quant.axis, to_string(shape)));
  }
  const auto axis = shape.begin() + quant.axis;
  return {element_count({shape.begin(), axis}), *axis, element_count({axis + 1, shape.end()})};
}

// Calls run(begin, count, channel) over all runs, cut to at most kChunk elements.
template <class Run>
void for_each_run(const Runs& runs, const Run& run) {
  for (int64_t o = 0, begin = 0; o < runs.outer; ++o) {
    for (int64_t c = 0; c < runs.channels; ++c) {
      const int64_t end = begin + runs.inner;
      for (; begin < end; begin += std::min(kChunk, end - begin)) {
        run(begin, std::min(kChunk, end - begin), static_cast<size_t>(c));
      }
    }
  }
}

}  // namespace

Tensor quantize_tensor(const Tensor& real, const QuantParams& quant, DType dtype) {
  if (!is_integer(dtype) || bit_width(dtype) > 32) {
    fail(Code::Internal, fmt::format("{} cannot hold codes", name(dtype)));
  }
  const Runs runs = runs_of(real.shape(), quant);
  const bool packed = bit_width(dtype) == 4;  // as bytes first: cast saturates them to 4 bits
  const Tensor in = bit_width(real.dtype()) == 4 ? cast(real, DType::Int8) : real;
  Tensor codes(packed ? DType::Int8 : dtype, real.shape());
  std::byte* const out = codes.mutable_bytes().data();
  double chunk[kChunk];
  with_element_type(codes.dtype(), [&]<class T>(T) {
    if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
      for_each_run(runs, [&](int64_t begin, int64_t count, size_t c) {
        load_elements(in, begin, count, chunk);
        encode_elements(chunk, count, quant.scale[c], quant.zero_point[c], reinterpret_cast<T*>(out) + begin);
      });
    }
  });
  return packed ? cast(codes, dtype) : codes;
}

Tensor dequantize_tensor(const Tensor& codes, const QuantParams& quant) {
  const Runs runs = runs_of(codes.shape(), quant);
  const Tensor in = bit_width(codes.dtype()) == 4 ? cast(codes, DType::Int8) : codes;
  Tensor real(DType::Float32, codes.shape());
  float* const out = real.mutable_values<float>().data();
  double chunk[kChunk];
  for_each_run(runs, [&](int64_t begin, int64_t count, size_t c) {
    load_elements(in, begin, count, chunk);
    const double scale = quant.scale[c], zero_point = quant.zero_point[c];
    for (int64_t i = 0; i < count; ++i) out[begin + i] = static_cast<float>((chunk[i] - zero_point) * scale);
  });
  return real;
}

}  // namespace openrknn
