/* cstDualResidual: y = a + alpha * b. Reads its attribute once a node and keeps it until the context is destroyed. */
#include <stdlib.h>

#include "rknn_custom_op.h"

static int init(rknn_custom_op_context* context, rknn_custom_op_tensor* inputs, uint32_t n_inputs,
                rknn_custom_op_tensor* outputs, uint32_t n_outputs) {
  (void)inputs, (void)outputs;
  if (n_inputs != 2 || n_outputs != 1) return -1;
  rknn_custom_op_attr attribute;
  rknn_custom_op_get_op_attr(context, "alpha", &attribute);
  float* alpha = malloc(sizeof *alpha);
  if (alpha == NULL) return -1;
  *alpha = attribute.n_elems == 1 && attribute.dtype == RKNN_TENSOR_FLOAT32 ? *(const float*)attribute.data : 1.0f;
  context->priv_data = alpha;
  return 0;
}

static int compute(rknn_custom_op_context* context, rknn_custom_op_tensor* inputs, uint32_t n_inputs,
                   rknn_custom_op_tensor* outputs, uint32_t n_outputs) {
  (void)n_inputs, (void)n_outputs;
  const float alpha = *(const float*)context->priv_data;
  const float* a = (const float*)((const char*)inputs[0].mem.virt_addr + inputs[0].mem.offset);
  const float* b = (const float*)((const char*)inputs[1].mem.virt_addr + inputs[1].mem.offset);
  float* y = (float*)((char*)outputs[0].mem.virt_addr + outputs[0].mem.offset);
  for (uint32_t i = 0; i < outputs[0].attr.n_elems; ++i) y[i] = a[i] + alpha * b[i];
  return 0;
}

static int destroy(rknn_custom_op_context* context) {
  free(context->priv_data);
  return 0;
}

RKNN_CUSTOM_OP_EXPORT rknn_custom_op* get_rknn_custom_op(void) {
  static rknn_custom_op operation = {.version = 1,
                                     .target = RKNN_TARGET_TYPE_CPU,
                                     .op_type = "cstDualResidual",
                                     .init = init,
                                     .compute = compute,
                                     .destroy = destroy};
  return &operation;
}
