/*
 * Custom operators of the RKNN C API (revision 2.3.2): 2 functions of librknnrt.so.
 * Written for OpenRKNN from the documented names, values and layouts. Plain C99. Licensed under Apache-2.0.
 */
#ifndef _RKNN_CUSTOM_OP_H
#define _RKNN_CUSTOM_OP_H

#ifdef __cplusplus
extern "C" {
#endif

#include <stdint.h>

#include "rknn_api.h"

#define RKNN_CUSTOM_OP_MAX_STR_LEN 64
#define RKNN_CUSTOM_OP_MAX_VALUE_LEN 32
#define RKNN_CUSTOM_OP_EXPORT __attribute__((visibility("default")))

/* Return value of an `init` callback: do not use this operator's compute, the built-in one will do. */
#define RKNN_WARNING_SKIP_CUSTOM_OP_COMPUTE -14

#ifdef __arm__
typedef uint32_t rknn_custom_op_interal_context; /* spelled so: part of the interface */
#else
typedef uint64_t rknn_custom_op_interal_context;
#endif

typedef enum _rknn_target_type {
  RKNN_TARGET_TYPE_CPU = 1,
  RKNN_TARGET_TYPE_GPU = 2,
  RKNN_TARGET_TYPE_MAX = 3
} rknn_target_type;

/* OpenCL objects of a GPU operator. */
typedef struct _rknn_gpu_op_context {
  void* cl_context;
  void* cl_command_queue;
  void* cl_kernel;
} rknn_gpu_op_context;

typedef struct _rknn_custom_op_context {
  rknn_target_type target;
  rknn_custom_op_interal_context internal_ctx;
  rknn_gpu_op_context gpu_ctx;
  void* priv_data; /* the operator's own */
} rknn_custom_op_context;

typedef struct _rknn_custom_op_tensor {
  rknn_tensor_attr attr;
  rknn_tensor_mem mem;
} rknn_custom_op_tensor;

typedef struct _rknn_custom_op_attr {
  char name[RKNN_MAX_NAME_LEN];
  rknn_tensor_type dtype;
  uint32_t n_elems; /* 0: there is no such attribute */
  void* data;       /* the runtime's, as long as the operator lives */
} rknn_custom_op_attr;

typedef struct _rknn_custom_op {
  uint32_t version; /* 1 */
  rknn_target_type target;
  char op_type[RKNN_MAX_NAME_LEN];
  char cl_kernel_name[RKNN_MAX_NAME_LEN];
  char* cl_kernel_source; /* source text if cl_source_size > 0, else a path */
  uint64_t cl_source_size;
  char cl_build_options[RKNN_MAX_NAME_LEN];
  /* once a node, when the operator is registered; may be NULL */
  int (*init)(rknn_custom_op_context* op_ctx, rknn_custom_op_tensor* inputs, uint32_t n_inputs,
              rknn_custom_op_tensor* outputs, uint32_t n_outputs);
  /* before each compute; may be NULL */
  int (*prepare)(rknn_custom_op_context* op_ctx, rknn_custom_op_tensor* inputs, uint32_t n_inputs,
                 rknn_custom_op_tensor* outputs, uint32_t n_outputs);
  int (*compute)(rknn_custom_op_context* op_ctx, rknn_custom_op_tensor* inputs, uint32_t n_inputs,
                 rknn_custom_op_tensor* outputs, uint32_t n_outputs);
  /* reserved, NULL */
  int (*compute_native)(rknn_custom_op_context* op_ctx, rknn_custom_op_tensor* inputs, uint32_t n_inputs,
                        rknn_custom_op_tensor* outputs, uint32_t n_outputs);
  /* once a node, when the context is destroyed; may be NULL */
  int (*destroy)(rknn_custom_op_context* op_ctx);
} rknn_custom_op;

/* The one symbol of a plug-in library: rknn_custom_op* get_rknn_custom_op(). */
typedef rknn_custom_op* (*get_custom_op_func)();

int rknn_register_custom_ops(rknn_context ctx, rknn_custom_op* op, uint32_t custom_op_num);

void rknn_custom_op_get_op_attr(rknn_custom_op_context* op_ctx, const char* attr_name, rknn_custom_op_attr* op_attr);

#ifdef __cplusplus
}
#endif

#endif
