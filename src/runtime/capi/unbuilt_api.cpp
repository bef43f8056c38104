// Functions whose rooms are not built yet. Each says so by name and returns what a failing call returns.
#include "runtime/capi/guard.h"

using namespace openrknn;
using namespace openrknn::capi;

namespace {

constexpr char kMatmul[] = "the matmul API";

int unbuilt(const char* function, const char* what) {
  return guard(function, [&] { refuse_unbuilt(what); });
}

}  // namespace

int rknn_matmul_create(rknn_matmul_ctx*, rknn_matmul_info*, rknn_matmul_io_attr*) {
  return unbuilt("rknn_matmul_create", kMatmul);
}
int rknn_matmul_create_dynamic_shape(rknn_matmul_ctx*, rknn_matmul_info*, int, rknn_matmul_shape[],
                                     rknn_matmul_io_attr[]) {
  return unbuilt("rknn_matmul_create_dynamic_shape", kMatmul);
}
int rknn_matmul_set_io_mem(rknn_matmul_ctx, rknn_tensor_mem*, rknn_matmul_tensor_attr*) {
  return unbuilt("rknn_matmul_set_io_mem", kMatmul);
}
int rknn_matmul_set_core_mask(rknn_matmul_ctx, rknn_core_mask) { return unbuilt("rknn_matmul_set_core_mask", kMatmul); }
int rknn_matmul_set_quant_params(rknn_matmul_ctx, rknn_quant_params*) {
  return unbuilt("rknn_matmul_set_quant_params", kMatmul);
}
int rknn_matmul_get_quant_params(rknn_matmul_ctx, rknn_quant_params*, float*) {
  return unbuilt("rknn_matmul_get_quant_params", kMatmul);
}
int rknn_matmul_set_dynamic_shape(rknn_matmul_ctx, rknn_matmul_shape*) {
  return unbuilt("rknn_matmul_set_dynamic_shape", kMatmul);
}
int rknn_matmul_run(rknn_matmul_ctx) { return unbuilt("rknn_matmul_run", kMatmul); }
int rknn_matmul_destroy(rknn_matmul_ctx) { return unbuilt("rknn_matmul_destroy", kMatmul); }
int rknn_B_normal_layout_to_native_layout(void*, void*, int, int, rknn_matmul_info*) {
  return unbuilt("rknn_B_normal_layout_to_native_layout", kMatmul);
}
