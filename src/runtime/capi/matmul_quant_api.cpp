// Scales and zero points of matrix products.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/capi/matmul_state.h"

namespace openrknn::capi {
namespace {

template <class T>
std::vector<T> copied(const T* values, int32_t count, const char* what) {
  if (count < 0) fail(Code::RuntimeBadArgument, fmt::format("{}_len is {}", what, count));
  if (count > 0) require_pointer(values, what);
  return std::vector<T>(values, values + count);
}

void set_params(MatmulState& state, const rknn_quant_params& params) {
  const MatmulSide side = matmul_side(params.name);
  MatmulScales scales{copied(params.scale, params.scale_len, "scale"), copied(params.zp, params.zp_len, "zp")};
  const auto count = static_cast<int64_t>(scales.scale.size());
  const auto fits = [&](const MatmulShape& shape) { return matmul_b_scales(state.matmul->spec(), shape) == count; };
  if (side == MatmulSide::B && count > 0 && std::none_of(state.shapes.begin(), state.shapes.end(), fits)) {
    fail(Code::RuntimeBadArgument,
         fmt::format("B has {} scales, expected {}", count, matmul_b_scales(state.matmul->spec(), state.shapes[0])));
  }
  state.matmul->set_scales(side, std::move(scales));
}

void get_params(MatmulState& state, rknn_quant_params& params, float& scale) {
  const MatmulSpec& spec = state.matmul->spec();
  if (spec.kind->number != RKNN_INT8_MM_INT8_TO_INT32 || !is_per_channel(spec.b_quant)) {
    fail(Code::RuntimeBadArgument,
         "only INT8_MM_INT8_TO_INT32 with B_quant_type per channel has normalised scales to give");
  }
  std::tie(state.shown_scales, scale) = state.matmul->normalised_scales();
  state.shown_zero_points = state.matmul->scales(MatmulSide::B).zero_point;
  // Arrays of the program are filled, missing ones are ours.
  const auto give = [](auto& values, auto*& to, int32_t& length, const char* what) {
    const auto count = static_cast<int32_t>(values.size());
    if (to == nullptr) {
      to = values.data();
    } else if (length < count) {
      fail(Code::RuntimeBadArgument, fmt::format("{}_len is {}, {} are needed", what, length, count));
    } else {
      std::copy(values.begin(), values.end(), to);
    }
    length = count;
  };
  give(state.shown_scales, params.scale, params.scale_len, "scale");
  give(state.shown_zero_points, params.zp, params.zp_len, "zp");
  std::memset(params.name, 0, sizeof params.name);
  params.name[0] = 'B';
}

}  // namespace
}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

int rknn_matmul_set_quant_params(rknn_matmul_ctx context, rknn_quant_params* params) {
  return with_matmul("rknn_matmul_set_quant_params", context, [&](MatmulState& state) {
    require_pointer(params, "params");
    set_params(state, *params);
  });
}

int rknn_matmul_get_quant_params(rknn_matmul_ctx ctx, rknn_quant_params* params, float* scale) {
  return with_matmul("rknn_matmul_get_quant_params", ctx, [&](MatmulState& state) {
    require_pointer(params, "params");
    require_pointer(scale, "scale");
    get_params(state, *params, *scale);
  });
}
