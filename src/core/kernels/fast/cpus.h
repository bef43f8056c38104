// The CPU kinds this build has inner loops for, and what their rows need.
#pragma once

#include "core/base/cpu.h"
#include "core/kernels/fast/inner_loops.h"

#define OPENRKNN_LOOPS(cpu)             \
  namespace openrknn::cpu {             \
  extern const fast::InnerLoops kLoops; \
  }
#if defined(__x86_64__)
OPENRKNN_LOOPS(avx2)
OPENRKNN_LOOPS(avx512)
OPENRKNN_LOOPS(avx512vnni)
OPENRKNN_LOOPS(avx512vbmi)
#elif defined(__aarch64__)
OPENRKNN_LOOPS(neon)
OPENRKNN_LOOPS(dotprod)
#endif
#undef OPENRKNN_LOOPS

// ROW(cpu, "suffix of the kernel's name", needs) for each, fastest first: every kind that has all inner loops, those
// that only have faster integer products, and those that only look bytes up faster.
#if defined(__x86_64__)
#define OPENRKNN_FAST_CPUS(ROW) ROW(avx512, "avx512", kCpuAvx2 | kCpuAvx512) ROW(avx2, "avx2", kCpuAvx2)
#define OPENRKNN_FAST_CODE_CPUS(ROW) ROW(avx512vnni, "avx512vnni", kCpuAvx2 | kCpuAvx512 | kCpuAvx512Vnni)
#define OPENRKNN_FAST_BYTE_CPUS(ROW) ROW(avx512vbmi, "avx512vbmi", kCpuAvx2 | kCpuAvx512 | kCpuAvx512Vbmi)
#elif defined(__aarch64__)
#define OPENRKNN_FAST_CPUS(ROW) ROW(neon, "neon", 0)
#define OPENRKNN_FAST_CODE_CPUS(ROW) ROW(dotprod, "dotprod", kCpuDotProduct)
#define OPENRKNN_FAST_BYTE_CPUS(ROW)
#else
#define OPENRKNN_FAST_CPUS(ROW)
#define OPENRKNN_FAST_CODE_CPUS(ROW)
#define OPENRKNN_FAST_BYTE_CPUS(ROW)
#endif
