/* clang-format off */
/*
 * Control of librknnrt_stub.so: a fake RKNN runtime for tests and benchmarks of whatever speaks the RKNN C API.
 * It computes nothing, but it behaves: virtual cores that take a stated time, faults on demand, and a record of what
 * was called. Plain C: C++ tests reach these functions with dlsym, Python with ctypes. All are thread-safe.
 *
 * The model is text, given to rknn_init as bytes or as a file, one item a line, `#` begins a comment:
 *
 *   input NAME TYPE [FORMAT] DIMS [scale=S] [zp=Z] [wstride=N]     f32 f16 i8 u8 i16 u16 i32 u32 i64 bool
 *   output NAME TYPE [FORMAT] DIMS [scale=S] [zp=Z]                nchw nhwc nc1hwc2 undefined; dims 1,224,224,3
 *   native_input INDEX TYPE [FORMAT] DIMS [...]                    answers of RKNN_QUERY_NATIVE_*; default: as logical
 *   native_output INDEX TYPE [FORMAT] DIMS [...]
 *   dynamic INDEX DIMS DIMS ...                                    shapes of input INDEX, one a group
 *   dynamic_output INDEX DIMS DIMS ...                             likewise of an output; default: the same in all groups
 *   custom_string TEXT
 *   version TEXT                                                   RKNN_QUERY_SDK_VERSION; default 2.3.2 (stub)
 *   driver TEXT                                                    default 0.9.8 (stub)
 *   cores N                                                        of this SoC (3); 1: every rknn_set_core_mask is -13
 *   memory WEIGHT INTERNAL                                         bytes, of RKNN_QUERY_MEM_SIZE
 *   no_dup                                                         rknn_dup_context fails (so it does with `dynamic`)
 *
 * A format left out is nhwc for 4-D inputs, nchw for 4-D outputs and undefined for all others.
 *
 * Element 0 of every output is element 0 of input 0 as a number, so a task can be followed to its results. What the
 * other elements are is the setting `fill`.
 */
/* clang-format on */
#ifndef OPENRKNN_TESTS_STUB_RUNTIME_H
#define OPENRKNN_TESTS_STUB_RUNTIME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Changes settings: `key=value` items separated by spaces. Returns 0, or -1 for an unknown key or value (nothing after
 * it is changed; stub_last_error says which). The variable OPENRKNN_STUB is read the same way when the library is
 * loaded and at every stub_reset.
 *
 *   latency_us=A[,B,C...]   how long a run holds core 0, 1, 2 ...; the last one counts for the rest. 0: no sleep at all
 *   jitter_us=N             adds 0..N to each run, drawn from `seed` and the number of the run
 *   seed=N
 *   copy=0|1                1 (default): rknn_inputs_set copies the bytes into the context; 0: it looks at the first
 *   input_ns_per_kib=N      rknn_inputs_set keeps the CPU busy for so long
 *   output_ns_per_kib=N     likewise rknn_outputs_get, of the bytes it hands out
 *   fill=none|zero|tag|echo the elements of outputs after the first: untouched, 0, all equal to the first, or
 *                           output i = input min(i, last), element for element in logical (NCHW) order
 *   missing_input=CODE      what rknn_run returns when inputs were never set (default 0: runs)
 */
int stub_configure(const char* settings);

/* Settings and faults as at load, blocked calls released, counters and records empty. Live contexts and memories stay.
 * Returns how many there are. */
int stub_reset(void);

/* ---- Faults. `api` is a function's name, "rknn_run". Unknown names: -1 ------------------------------------------- */

/* The nth call from now on (1: the next; 0: every one) returns `code`; functions that return memory give NULL. A
 * failing rknn_destroy, rknn_destroy_mem and rknn_outputs_release frees nevertheless: nobody could call it again. */
int stub_fail(const char* api, int64_t nth, int code);
/* The nth call from now on of any function returns `code`. */
int stub_fail_any(int64_t nth, int code);
/* The name of the function whose call was failed last, "" if none. */
const char* stub_failed_api(void);
/* The nth call from now on waits for stub_release. rknn_run waits on its core and keeps it. */
int stub_block(const char* api, int64_t nth);
/* Waits until `calls` calls are blocked: 0, or -1 after `timeout_ms`. */
int stub_wait_blocked(int calls, int timeout_ms);
/* Lets all blocked calls go on; they return `code` if it is not 0. */
void stub_release(int code);

/* ---- What was called --------------------------------------------------------------------------------------------- */

int64_t stub_calls(const char* api);       /* since load or reset; "" for all */
int64_t stub_nanoseconds(const char* api); /* spent in those calls, sleeping and waiting included */
int stub_live_contexts(void);
int stub_live_mems(void);
int stub_live_outputs(void);        /* buffers of rknn_outputs_get that wait for rknn_outputs_release */
int64_t stub_bytes_in(void);        /* handed to rknn_inputs_set */
int64_t stub_bytes_out(void);       /* handed out by rknn_outputs_get, whole tensors */
int stub_max_concurrent_jobs(void); /* runs that held a core at the same time, at most */
int64_t stub_core_jobs(int core);
int64_t stub_busy_microseconds(int core);
/* Calls that began on a context while another was in it: what the documentation forbids. */
int64_t stub_concurrent_uses(void);
/* Calls with a context or memory that is not alive. */
int64_t stub_bad_handles(void);
/* Contexts destroyed while a duplicate of them lived. */
int64_t stub_originals_destroyed_first(void);
int64_t stub_registered_custom_ops(void);
/* What was wrong last (a model line, a setting, a concurrent use), "" if nothing. Valid until this thread asks again.
 */
const char* stub_last_error(void);

/* ---- Records: room for so many entries is made here, later entries are dropped, so that recording never allocates --
 */

typedef struct stub_job {
  uint32_t tag; /* the first word of input 0 */
  int32_t core; /* the lowest, if there are several */
  uint64_t context;
  int64_t start_ns, end_ns; /* CLOCK_MONOTONIC; as the core sees them, not the sleeping thread */
} stub_job;
void stub_record_jobs(int64_t capacity);
/* Copies up to `capacity` finished jobs in the order they ended; returns how many are recorded. */
int64_t stub_jobs(stub_job* jobs, int64_t capacity);

typedef struct stub_call {
  const char* api;
  uint64_t context;  /* 0 if the function has none (rknn_init: the new one) */
  uint64_t argument; /* init: flags; dup_context: the new context; set_core_mask: mask; set_batch_core_num: cores;
                        query: command; register_custom_ops: how many; else 0 */
  int64_t start_ns;
  int32_t code;
} stub_call;
void stub_record_calls(int64_t capacity);
int64_t stub_recorded_calls(stub_call* calls, int64_t capacity);

#ifdef __cplusplus
}
#endif

#endif
