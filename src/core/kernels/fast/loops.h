// The table of inner loops of one CPU kind, for fast/<cpu>/loops.cpp.
#pragma once

#include "core/kernels/fast/convert_loops.h"
#include "core/kernels/fast/depthwise_dot_loops.h"
#include "core/kernels/fast/depthwise_loops.h"
#include "core/kernels/fast/gemm_loops.h"
#include "core/kernels/fast/packing_loops.h"
#include "core/kernels/fast/pair_loops.h"
#include "core/kernels/fast/pool_loops.h"
#include "core/kernels/fast/quantize_loops.h"
#include "core/kernels/fast/recurrent_loops.h"
#include "core/kernels/fast/resize_loops.h"
#include "core/kernels/fast/row_loops.h"
#include "core/kernels/fast/table_loops.h"
#include "core/kernels/fast/wide_loops.h"

namespace openrknn::fast {

template <class Isa>
constexpr Gemm float_gemm() {
  using Product = FloatProduct<Isa>;
  return {.rows = Product::kRows, .lanes = Isa::kBytes / 4, .run = run_gemm<Product>};
}
template <class Isa>
constexpr Gemm code_gemm() {
  using Product = CodeProduct<Isa>;
  return {.rows = Product::kRows,
          .lanes = Isa::kBytes / 4,
          .group = Product::kGroup,
          .interleaved = Isa::kInterleaved,
          .activation_bytes = sizeof(typename Product::Input),
          .weight_bytes = sizeof(typename Product::Input),
          .code_offset = Isa::kCodeOffset,
          .run = run_gemm<Product>,
          .convert_codes = converts_codes<Isa> ? convert_codes<Isa> : nullptr,
          .pack_codes = pack_codes<Product>,
          .range_of = range_of<Isa>,
          .narrow_integers = narrow_integers<Isa>};
}
template <class Isa>
constexpr InnerLoops inner_loops() {
  return {.gemm_float = float_gemm<Isa>(),
          .gemm_codes = code_gemm<Isa>(),
          .gemm_wide = wide_gemm<Isa>(),
          .lanes = Isa::kBytes / 4,
          .depthwise_float = run_depthwise<FloatElement<Isa>>,
          .depthwise_half = run_depthwise<HalfElement<Isa>>,
          .depthwise_codes = run_depthwise_codes<Isa>,
          .apply = apply_activation<Isa>,
          .softmax = softmax<Isa>,
          .log_softmax = log_softmax<Isa>,
          .softmax_short = softmax_short<Isa>,
          .softmax_columns = softmax_columns<Isa>,
          .layer_norm = layer_norm<Isa>,
          .combine_codes = combine_codes<Isa>,
          .combine_floats = combine_floats<Isa>,
          .encode_codes = encode_codes<Isa>,
          .map_codes = map_codes<Isa>,
          .max_float = max_floats<Isa, float>,
          .max_half = max_floats<Isa, uint16_t>,
          .max_codes = max_codes<Isa>,
          .average_float = average_floats<Isa, float>,
          .average_half = average_floats<Isa, uint16_t>,
          .average_codes = average_codes<Isa>,
          .blend_float = blend_row<Isa, float>,
          .blend_half = blend_row<Isa, uint16_t>,
          .sum_codes = sum_codes<Isa>,
          .quantize = {quantize_codes<Isa, int8_t>, quantize_codes<Isa, uint8_t>, quantize_codes<Isa, int16_t>,
                       quantize_codes<Isa, uint16_t>},
          .dequantize = {dequantize_codes<Isa, int8_t>, dequantize_codes<Isa, uint8_t>, dequantize_codes<Isa, int16_t>,
                         dequantize_codes<Isa, uint16_t>, dequantize_codes<Isa, int32_t>},
          .recurrent_product = recurrent_product<Isa>,
          .lstm_step = lstm_step<Isa>,
          .gru_reset = gru_reset<Isa>,
          .gru_update = gru_update<Isa>,
          .bounded = bounded<Isa>,
          .half_to_float = half_to_float<Isa>,
          .float_to_half = float_to_half<Isa>};
}

}  // namespace openrknn::fast
