#include "core/kernels/weights.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/graph/quant_runs.h"

namespace openrknn {

Tensor decode_weights(const Tensor& codes, const QuantParams& quant, DType dtype) {
  const int64_t expected = expected_scales(codes.shape(), quant);
  if (static_cast<int64_t>(quant.scale.size()) != expected || quant.zero_point.size() != quant.scale.size()) {
    fail(Code::GraphInvalid,
         fmt::format("weights {} have {} scales and {} zero points, expected {}", to_string(codes.shape()),
                     quant.scale.size(), quant.zero_point.size(), expected));
  }
  const Tensor whole = codes.dtype() == DType::Int8 ? codes : cast(codes, DType::Int8);  // unpacks Int4
  const std::span<const int8_t> in = whole.values<int8_t>();
  Tensor real(DType::Float32, codes.shape());
  const std::span<float> out = real.mutable_values<float>();
  for_quant_runs(codes.shape(), quant, [&](int64_t begin, int64_t count, size_t index) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(begin + count); ++i) {
      out[i] = static_cast<float>((in[i] - quant.zero_point[index]) * quant.scale[index]);
    }
  });
  return dtype == DType::Float32 ? real : cast(real, dtype);
}

}  // namespace openrknn
