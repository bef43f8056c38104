/*
 * The RKNN C API (revision 2.3.2): 23 functions of librknnrt.so.
 *
 * Written for OpenRKNN from the documented names, values and layouts. Programs compiled against it run unchanged
 * over any other librknnrt of that revision, and the other way round. Plain C99; sizes and offsets are pinned by
 * tests/capi/abi.inc. Licensed under Apache-2.0.
 */
#ifndef _RKNN_API_H
#define _RKNN_API_H

#ifdef __cplusplus
extern "C" {
#endif

#include <stdint.h>

/* ---- Flags of rknn_init ---------------------------------------------------------------------------------------- */

#define RKNN_FLAG_PRIOR_HIGH 0x00000000 /* context priority; the default */
#define RKNN_FLAG_PRIOR_MEDIUM 0x00000001
#define RKNN_FLAG_PRIOR_LOW 0x00000002
#define RKNN_FLAG_ASYNC_MASK 0x00000004                        /* results may lag one frame behind */
#define RKNN_FLAG_COLLECT_PERF_MASK 0x00000008                 /* time every layer, for RKNN_QUERY_PERF_DETAIL */
#define RKNN_FLAG_MEM_ALLOC_OUTSIDE 0x00000010                 /* the caller supplies all memory */
#define RKNN_FLAG_SHARE_WEIGHT_MEM 0x00000020                  /* take the weights of extend->ctx */
#define RKNN_FLAG_FENCE_IN_OUTSIDE 0x00000040                  /* the caller hands in a fence */
#define RKNN_FLAG_FENCE_OUT_OUTSIDE 0x00000080                 /* the caller takes a fence */
#define RKNN_FLAG_COLLECT_MODEL_INFO_ONLY 0x00000100           /* answer RKNN_QUERY_MEM_SIZE only */
#define RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE 0x00000200            /* the caller supplies scratch memory */
#define RKNN_FLAG_EXECUTE_FALLBACK_PRIOR_DEVICE_GPU 0x00000400 /* what the NPU cannot do goes to the GPU first */
#define RKNN_FLAG_ENABLE_SRAM 0x00000800
#define RKNN_FLAG_SHARE_SRAM 0x00001000
#define RKNN_FLAG_DISABLE_PROC_HIGH_PRIORITY 0x00002000
#define RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE 0x00004000
#define RKNN_FLAG_DISABLE_FLUSH_OUTPUT_MEM_CACHE 0x00008000
#define RKNN_FLAG_MODEL_BUFFER_ZERO_COPY 0x00010000 /* run from the caller's model buffer */
#define RKNN_MEM_FLAG_ALLOC_NO_CONTEXT 0x00020000   /* of rknn_create_mem2, with context 0 */

/* ---- Return codes ---------------------------------------------------------------------------------------------- */

#define RKNN_SUCC 0
#define RKNN_ERR_FAIL -1
#define RKNN_ERR_TIMEOUT -2
#define RKNN_ERR_DEVICE_UNAVAILABLE -3
#define RKNN_ERR_MALLOC_FAIL -4
#define RKNN_ERR_PARAM_INVALID -5
#define RKNN_ERR_MODEL_INVALID -6
#define RKNN_ERR_CTX_INVALID -7
#define RKNN_ERR_INPUT_INVALID -8
#define RKNN_ERR_OUTPUT_INVALID -9
#define RKNN_ERR_DEVICE_UNMATCH -10
#define RKNN_ERR_INCOMPATILE_PRE_COMPILE_MODEL -11 /* spelled so: part of the interface */
#define RKNN_ERR_INCOMPATILE_OPTIMIZATION_LEVEL_VERSION -12
#define RKNN_ERR_TARGET_PLATFORM_UNMATCH -13

/* ---- Limits ---------------------------------------------------------------------------------------------------- */

#define RKNN_MAX_DIMS 16
#define RKNN_MAX_NUM_CHANNEL 15
#define RKNN_MAX_NAME_LEN 256
#define RKNN_MAX_DYNAMIC_SHAPE_NUM 512

/* ---- Enumerations ---------------------------------------------------------------------------------------------- */

#ifdef __arm__
typedef uint32_t rknn_context;
#else
typedef uint64_t rknn_context; /* opaque; 0 is never a context */
#endif

typedef enum _rknn_query_cmd {
  RKNN_QUERY_IN_OUT_NUM = 0,        /* rknn_input_output_num */
  RKNN_QUERY_INPUT_ATTR = 1,        /* rknn_tensor_attr */
  RKNN_QUERY_OUTPUT_ATTR = 2,       /* rknn_tensor_attr */
  RKNN_QUERY_PERF_DETAIL = 3,       /* rknn_perf_detail */
  RKNN_QUERY_PERF_RUN = 4,          /* rknn_perf_run */
  RKNN_QUERY_SDK_VERSION = 5,       /* rknn_sdk_version */
  RKNN_QUERY_MEM_SIZE = 6,          /* rknn_mem_size */
  RKNN_QUERY_CUSTOM_STRING = 7,     /* rknn_custom_string */
  RKNN_QUERY_NATIVE_INPUT_ATTR = 8, /* rknn_tensor_attr: as the hardware likes it */
  RKNN_QUERY_NATIVE_OUTPUT_ATTR = 9,
  RKNN_QUERY_NATIVE_NC1HWC2_INPUT_ATTR = 8,
  RKNN_QUERY_NATIVE_NC1HWC2_OUTPUT_ATTR = 9,
  RKNN_QUERY_NATIVE_NHWC_INPUT_ATTR = 10,
  RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR = 11,
  RKNN_QUERY_DEVICE_MEM_INFO = 12,     /* rknn_tensor_mem */
  RKNN_QUERY_INPUT_DYNAMIC_RANGE = 13, /* rknn_input_range */
  RKNN_QUERY_CURRENT_INPUT_ATTR = 14,  /* rknn_tensor_attr of the shape that is set */
  RKNN_QUERY_CURRENT_OUTPUT_ATTR = 15,
  RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR = 16,
  RKNN_QUERY_CURRENT_NATIVE_OUTPUT_ATTR = 17,
  RKNN_QUERY_CMD_MAX = 18,
  RKNN_QUERY_CMD_WIDEST = 0x7fffffff /* no query: lets C++ pass any number, openrknn/extension.h's among them */
} rknn_query_cmd;

typedef enum _rknn_tensor_type {
  RKNN_TENSOR_FLOAT32 = 0,
  RKNN_TENSOR_FLOAT16 = 1,
  RKNN_TENSOR_INT8 = 2,
  RKNN_TENSOR_UINT8 = 3,
  RKNN_TENSOR_INT16 = 4,
  RKNN_TENSOR_UINT16 = 5,
  RKNN_TENSOR_INT32 = 6,
  RKNN_TENSOR_UINT32 = 7,
  RKNN_TENSOR_INT64 = 8,
  RKNN_TENSOR_BOOL = 9,
  RKNN_TENSOR_INT4 = 10,
  RKNN_TENSOR_BFLOAT16 = 11,
  RKNN_TENSOR_TYPE_MAX = 12
} rknn_tensor_type;

inline static const char* get_type_string(rknn_tensor_type type) {
  static const char* const names[RKNN_TENSOR_TYPE_MAX] = {"FP32",  "FP16",   "INT8",  "UINT8", "INT16", "UINT16",
                                                          "INT32", "UINT32", "INT64", "BOOL",  "INT4",  "BF16"};
  return (unsigned)type < (unsigned)RKNN_TENSOR_TYPE_MAX ? names[type] : "UNKNOW";
}

typedef enum _rknn_tensor_qnt_type {
  RKNN_TENSOR_QNT_NONE = 0,
  RKNN_TENSOR_QNT_DFP = 1,               /* fractional length `fl` */
  RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC = 2, /* `zp` and `scale` */
  RKNN_TENSOR_QNT_MAX = 3
} rknn_tensor_qnt_type;

inline static const char* get_qnt_type_string(rknn_tensor_qnt_type type) {
  static const char* const names[RKNN_TENSOR_QNT_MAX] = {"NONE", "DFP", "AFFINE"};
  return (unsigned)type < (unsigned)RKNN_TENSOR_QNT_MAX ? names[type] : "UNKNOW";
}

typedef enum _rknn_tensor_format {
  RKNN_TENSOR_NCHW = 0,
  RKNN_TENSOR_NHWC = 1,
  RKNN_TENSOR_NC1HWC2 = 2,
  RKNN_TENSOR_UNDEFINED = 3,
  RKNN_TENSOR_FORMAT_MAX = 4
} rknn_tensor_format;

inline static const char* get_format_string(rknn_tensor_format fmt) {
  static const char* const names[RKNN_TENSOR_FORMAT_MAX] = {"NCHW", "NHWC", "NC1HWC2", "UNDEFINED"};
  return (unsigned)fmt < (unsigned)RKNN_TENSOR_FORMAT_MAX ? names[fmt] : "UNKNOW";
}

typedef enum _rknn_core_mask {
  RKNN_NPU_CORE_AUTO = 0,
  RKNN_NPU_CORE_0 = 1,
  RKNN_NPU_CORE_1 = 2,
  RKNN_NPU_CORE_2 = 4,
  RKNN_NPU_CORE_0_1 = 3,
  RKNN_NPU_CORE_0_1_2 = 7,
  RKNN_NPU_CORE_ALL = 0xffff,
  RKNN_NPU_CORE_UNDEFINED = 0x10000
} rknn_core_mask;

typedef enum _rknn_tensor_mem_flags {
  RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE = 1,
  RKNN_TENSOR_MEMORY_FLAGS_FROM_FD = 2,
  RKNN_TENSOR_MEMORY_FLAGS_FROM_PHYS = 3,
  RKNN_TENSOR_MEMORY_FLAGS_UNKNOWN = 4
} rknn_tensor_mem_flags;

typedef enum _rknn_mem_alloc_flags {
  RKNN_FLAG_MEMORY_FLAGS_DEFAULT = 0,
  RKNN_FLAG_MEMORY_CACHEABLE = 1,
  RKNN_FLAG_MEMORY_NON_CACHEABLE = 2,
  RKNN_FLAG_MEMORY_TRY_ALLOC_SRAM = 4
} rknn_mem_alloc_flags;

typedef enum _rknn_mem_sync_mode {
  RKNN_MEMORY_SYNC_TO_DEVICE = 1,
  RKNN_MEMORY_SYNC_FROM_DEVICE = 2,
  RKNN_MEMORY_SYNC_BIDIRECTIONAL = 3
} rknn_mem_sync_mode;

/* ---- Structures ------------------------------------------------------------------------------------------------ */

typedef struct _rknn_input_output_num {
  uint32_t n_input;
  uint32_t n_output;
} rknn_input_output_num;

typedef struct _rknn_tensor_attr {
  uint32_t index; /* set by the caller of rknn_query */
  uint32_t n_dims;
  uint32_t dims[RKNN_MAX_DIMS];
  char name[RKNN_MAX_NAME_LEN];
  uint32_t n_elems;
  uint32_t size; /* bytes, dense */
  rknn_tensor_format fmt;
  rknn_tensor_type type;
  rknn_tensor_qnt_type qnt_type;
  int8_t fl;
  int32_t zp;
  float scale;
  uint32_t w_stride;         /* pixels a row; 0: as many as the width */
  uint32_t size_with_stride; /* bytes, rows padded to w_stride */
  uint8_t pass_through;      /* of rknn_set_io_mem: bytes go in as they are */
  uint32_t h_stride;         /* of rknn_set_io_mem: rows a batch item; 0: as many as the height */
} rknn_tensor_attr;

typedef struct _rknn_input_range {
  uint32_t index;        /* set by the caller of rknn_query */
  uint32_t shape_number; /* rows of dyn_range that are used */
  rknn_tensor_format fmt;
  char name[RKNN_MAX_NAME_LEN];
  uint32_t dyn_range[RKNN_MAX_DYNAMIC_SHAPE_NUM][RKNN_MAX_DIMS];
  uint32_t n_dims;
} rknn_input_range;

typedef struct _rknn_perf_detail {
  char* perf_data; /* the runtime's; valid until the context is queried, run or destroyed again */
  uint64_t data_len;
} rknn_perf_detail;

typedef struct _rknn_perf_run {
  int64_t run_duration; /* microseconds */
} rknn_perf_run;

typedef struct _rknn_sdk_version {
  char api_version[256];
  char drv_version[256];
} rknn_sdk_version;

typedef struct _rknn_mem_size {
  uint32_t total_weight_size;
  uint32_t total_internal_size;
  uint64_t total_dma_allocated_size;
  uint32_t total_sram_size;
  uint32_t free_sram_size;
  uint32_t reserved[10];
} rknn_mem_size;

typedef struct _rknn_custom_string {
  char string[1024];
} rknn_custom_string;

typedef struct _rknn_tensor_memory {
  void* virt_addr;
  uint64_t phys_addr;
  int32_t fd;
  int32_t offset; /* data begins at virt_addr + offset */
  uint32_t size;
  uint32_t flags; /* rknn_tensor_mem_flags */
  void* priv_data;
} rknn_tensor_mem;

typedef struct _rknn_input {
  uint32_t index;
  void* buf;
  uint32_t size;        /* bytes */
  uint8_t pass_through; /* 1: bytes go in as they are, type and fmt are not looked at */
  rknn_tensor_type type;
  rknn_tensor_format fmt;
} rknn_input;

typedef struct _rknn_output {
  uint8_t want_float;  /* 1: float32, dequantized; 0: the tensor's own type */
  uint8_t is_prealloc; /* 1: into the caller's buf of `size` bytes */
  uint32_t index;
  void* buf;
  uint32_t size; /* bytes */
} rknn_output;

typedef struct _rknn_init_extend {
  rknn_context ctx;          /* of RKNN_FLAG_SHARE_WEIGHT_MEM */
  int32_t real_model_offset; /* where the model begins in the file or buffer */
  uint32_t real_model_size;
  int32_t model_buffer_fd; /* of RKNN_FLAG_MODEL_BUFFER_ZERO_COPY */
  uint32_t model_buffer_flags;
  uint8_t reserved[112];
} rknn_init_extend;

typedef struct _rknn_run_extend {
  uint64_t frame_id; /* set by rknn_run */
  int32_t non_block; /* 1: return at once, rknn_wait waits */
  int32_t timeout_ms;
  int32_t fence_fd;
} rknn_run_extend;

typedef struct _rknn_output_extend {
  uint64_t frame_id;
} rknn_output_extend;

/* ---- Functions. All return RKNN_SUCC or a negative code unless they return memory (NULL on failure) ------------- */

/* size > 0: `model` is the model's bytes, which are copied. size == 0: `model` is a path. */
int rknn_init(rknn_context* context, void* model, uint32_t size, uint32_t flag, rknn_init_extend* extend);

/* Another context on the same model; weights are shared. */
int rknn_dup_context(rknn_context* context_in, rknn_context* context_out);

int rknn_destroy(rknn_context context);

/* size: of the structure behind `info`, at least. */
int rknn_query(rknn_context context, rknn_query_cmd cmd, void* info, uint32_t size);

/* Converts and copies at once; inputs stay set for any number of runs. */
int rknn_inputs_set(rknn_context context, uint32_t n_inputs, rknn_input inputs[]);

int rknn_set_batch_core_num(rknn_context context, int core_num);

int rknn_set_core_mask(rknn_context context, rknn_core_mask core_mask);

int rknn_run(rknn_context context, rknn_run_extend* extend);

int rknn_wait(rknn_context context, rknn_run_extend* extend);

int rknn_outputs_get(rknn_context context, uint32_t n_outputs, rknn_output outputs[], rknn_output_extend* extend);

int rknn_outputs_release(rknn_context context, uint32_t n_ouputs, rknn_output outputs[]);

rknn_tensor_mem* rknn_create_mem_from_phys(rknn_context ctx, uint64_t phys_addr, void* virt_addr, uint32_t size);

/* virt_addr: base of the mapping, without the offset. The fd stays the caller's. */
rknn_tensor_mem* rknn_create_mem_from_fd(rknn_context ctx, int32_t fd, void* virt_addr, uint32_t size, int32_t offset);

rknn_tensor_mem* rknn_create_mem_from_mb_blk(rknn_context ctx, void* mb_blk, int32_t offset);

rknn_tensor_mem* rknn_create_mem(rknn_context ctx, uint32_t size);

/* alloc_flags: rknn_mem_alloc_flags, with RKNN_MEM_FLAG_ALLOC_NO_CONTEXT ctx may be 0. */
rknn_tensor_mem* rknn_create_mem2(rknn_context ctx, uint64_t size, uint64_t alloc_flags);

int rknn_destroy_mem(rknn_context ctx, rknn_tensor_mem* mem);

int rknn_set_weight_mem(rknn_context ctx, rknn_tensor_mem* mem);

int rknn_set_internal_mem(rknn_context ctx, rknn_tensor_mem* mem);

/* Binds memory to the input or output that `attr` (from a query of this context) names. */
int rknn_set_io_mem(rknn_context ctx, rknn_tensor_mem* mem, rknn_tensor_attr* attr);

/* Deprecated: rknn_set_input_shapes. */
int rknn_set_input_shape(rknn_context ctx, rknn_tensor_attr* attr);

int rknn_set_input_shapes(rknn_context ctx, uint32_t n_inputs, rknn_tensor_attr attr[]);

int rknn_mem_sync(rknn_context context, rknn_tensor_mem* mem, rknn_mem_sync_mode mode);

#ifdef __cplusplus
}
#endif

#endif
