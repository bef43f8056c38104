/* cstSigmoid: y = 1 / (1 + exp(-x)). The smallest plug-in: one callback, nothing kept. */
#include <math.h>

#include "rknn_custom_op.h"

static int compute(rknn_custom_op_context* context, rknn_custom_op_tensor* inputs, uint32_t n_inputs,
                   rknn_custom_op_tensor* outputs, uint32_t n_outputs) {
  (void)context;
  if (n_inputs != 1 || n_outputs != 1 || inputs[0].attr.n_elems != outputs[0].attr.n_elems) return -1;
  /* Real numbers arrive as float32, also in int8 and fp16 models. */
  const float* x = (const float*)((const char*)inputs[0].mem.virt_addr + inputs[0].mem.offset);
  float* y = (float*)((char*)outputs[0].mem.virt_addr + outputs[0].mem.offset);
  for (uint32_t i = 0; i < inputs[0].attr.n_elems; ++i) y[i] = 1.0f / (1.0f + expf(-x[i]));
  return 0;
}

RKNN_CUSTOM_OP_EXPORT rknn_custom_op* get_rknn_custom_op(void) {
  static rknn_custom_op operation = {
      .version = 1, .target = RKNN_TARGET_TYPE_CPU, .op_type = "cstSigmoid", .compute = compute};
  return &operation;
}
