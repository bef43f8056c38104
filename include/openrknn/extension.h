/*
 * What 35 functions cannot say: the private door of OpenRKNN's librknnrt.so. Plain C99. Licensed under Apache-2.0.
 *
 *   const openrknn_functions* door = NULL;
 *   rknn_query(0, (rknn_query_cmd)RKNN_QUERY_OPENRKNN, &door, sizeof door);
 *
 * Ask only a runtime that names "openrknn" in RKNN_QUERY_SDK_VERSION: another one would log an error for a query it
 * does not know. The table grows at its end; look at `size` before using a member that came after version 1.
 */
#ifndef OPENRKNN_EXTENSION_H
#define OPENRKNN_EXTENSION_H

#ifdef __cplusplus
extern "C" {
#endif

#include <stddef.h>
#include <stdint.h>

#include "rknn_api.h"

#define RKNN_QUERY_OPENRKNN 0x4f524b00
#define OPENRKNN_EXTENSION_VERSION 5

/* Called once an entry with borrowed text. */
typedef void (*openrknn_text_pair)(void* user, const char* key, size_t key_bytes, const char* value,
                                   size_t value_bytes);

/* One layer of the last profiled run, in the order of execution. Texts are borrowed for the call. */
typedef struct openrknn_profile_row {
  const char* name;
  const char* op;
  const char* dtype; /* of the first output, "i8" */
  double microseconds;
} openrknn_profile_row;
typedef void (*openrknn_profile_visitor)(void* user, const openrknn_profile_row* row);

/* A value of the graph, logical (NCHW) order, dense. Pointers are borrowed for the call. */
typedef struct openrknn_value {
  const char* dtype; /* "f32", "i8": docs/graph_text.md */
  uint32_t n_dims;
  const int64_t* dims;
  const void* data;
  uint64_t size; /* bytes */
} openrknn_value;
typedef void (*openrknn_value_visitor)(void* user, const openrknn_value* value);

/* Computes one node of a custom operator: `outputs[i].data` is to be written. Arrays are dense, in logical order, real
 * numbers as float32; an optional input that is left out has no data. Gives 0, or a negative code that ends the run.
 * Throws nothing. Called on the thread that runs, by one thread at a time a node. */
typedef int (*openrknn_compute)(void* user, const char* node, const openrknn_value* inputs, uint32_t n_inputs,
                                const openrknn_value* outputs, uint32_t n_outputs);

/* What the virtual cores did since the process began. */
typedef struct openrknn_core_counters {
  uint64_t jobs;
  uint64_t busy_microseconds;
} openrknn_core_counters;

/* All functions return RKNN_SUCC or a negative code, never throw, and may be called from any thread. */
typedef struct openrknn_functions {
  uint32_t size;    /* of this structure, bytes */
  uint32_t version; /* OPENRKNN_EXTENSION_VERSION */

  /* Text of this thread's last failed call, "" if none. Valid until the thread's next call. */
  const char* (*last_diagnostic)(void);

  /* The source file's own properties (ONNX metadata_props). */
  int (*metadata)(rknn_context context, openrknn_text_pair visit, void* user);

  /* "rk3588/1": the integer law and its version that give the results. Valid as long as the context. */
  int (*arithmetic)(rknn_context context, const char** text);

  /* "rk3588". Valid as long as the context. */
  int (*target)(rknn_context context, const char** text);

  /* Threads of the simulator, 0 on hardware. */
  int (*thread_count)(rknn_context context, int32_t* threads);

  /* 1: time every step of the following runs (as RKNN_FLAG_COLLECT_PERF_MASK does). */
  int (*set_profiling)(rknn_context context, int32_t on);
  int (*profile)(rknn_context context, openrknn_profile_visitor visit, void* user);

  /* 1: keep every value of the following runs readable. Costs memory; results stay the same. */
  int (*set_keep_values)(rknn_context context, int32_t on);
  /* `name`: of a value or alias of the graph. Outputs can be read after any run, others with set_keep_values. */
  int (*read_value)(rknn_context context, const char* name, openrknn_value_visitor visit, void* user);

  /* How this CPU computes the model: one line a step. */
  int (*plan_text)(rknn_context context, openrknn_text_pair visit, void* user);

  /* Fills up to `capacity` entries, sets *count to the number of cores. */
  int (*core_counters)(rknn_context context, openrknn_core_counters* counters, uint32_t capacity, uint32_t* count);

  /* Since version 2. Stops the run of the context that is under way, or its next one, before its next step. That run
   * gives RKNN_ERR_FAIL and the text "the run was cancelled"; bound outputs keep what they held. One call stops one
   * run. The only function that does not wait for a run that another thread waits for. */
  int (*cancel)(rknn_context context);

  /* Since version 3. What rknn_inputs_set subtracts from input `index` and divides the difference by, an entry a
   * channel: fills up to `capacity` entries of both, sets *count to the number of channels, 0 if nothing is done. */
  int (*normalization)(rknn_context context, uint32_t index, float* mean, float* std, uint32_t capacity,
                       uint32_t* count);

  /* Since version 3. The scale of a quantized input (`is_output` 0) or output, which rknn_tensor_attr rounds to
   * float32; 0 if the tensor has none. */
  int (*scale)(rknn_context context, int32_t is_output, uint32_t index, double* scale);

  /* Since version 4. Like rknn_register_custom_ops for one operator type, with data of the caller's own: `user` is
   * handed to `compute` as it is and has to outlive the context. */
  int (*register_compute)(rknn_context context, const char* op_type, openrknn_compute compute, void* user);

  /* Since version 5. Encrypted models that this thread opens from now on get their key from this file (32 bytes, or 64
   * hexadecimal digits) instead of the environment. NULL: from the environment again. */
  int (*set_model_key_file)(const char* path);
} openrknn_functions;

#ifdef __cplusplus
}
#endif

#endif
