/* The matmul API as a program uses it: create, allocate, fill, set, run, compare, free. int8 x int8 -> int32 and
   int4 x int4 -> int16 in every layout of B, against sums computed here. Exit code 0: all are right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rknn_matmul_api.h"

#define REQUIRE(condition)                                                          \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

enum { M = 4, K = 64, N = 128 };

static int a[M][K], b[K][N];

/* `index`-th element of a matrix of int8, or of int4 with the first of two in the low nibble. */
static void put(void* data, int is_int4, int index, int value) {
  uint8_t* bytes = data;
  if (!is_int4) {
    bytes[index] = (uint8_t)value;
  } else if (index % 2 == 0) {
    bytes[index / 2] = (uint8_t)((bytes[index / 2] & 0xf0) | (value & 15));
  } else {
    bytes[index / 2] = (uint8_t)((bytes[index / 2] & 0x0f) | (value & 15) << 4);
  }
}

static void fill_b(void* data, int is_int4, rknn_matmul_info* info, uint32_t size) {
  int k, n;
  uint8_t* normal = malloc(size);
  REQUIRE(normal != NULL);
  for (k = 0; k < K; ++k) {
    for (n = 0; n < N; ++n)
      put(normal, is_int4, info->B_layout == RKNN_MM_LAYOUT_TP_NORM ? n * K + k : k * N + n, b[k][n]);
  }
  if (info->B_layout == RKNN_MM_LAYOUT_NATIVE) {
    REQUIRE(rknn_B_normal_layout_to_native_layout(normal, data, K, N, info) == RKNN_SUCC);
  } else {
    memcpy(data, normal, size);
  }
  free(normal);
}

static void check(rknn_matmul_type type, int layout) {
  const int is_int4 = type == RKNN_INT4_MM_INT4_TO_INT16;
  rknn_matmul_ctx context = 0;
  rknn_matmul_info info;
  rknn_matmul_io_attr io;
  rknn_tensor_mem *mem_a, *mem_b, *mem_c;
  int m, k, n;
  memset(&info, 0, sizeof info);
  info.M = M;
  info.K = K;
  info.N = N;
  info.type = type;
  info.B_layout = (int16_t)layout;
  REQUIRE(rknn_matmul_create(&context, &info, &io) == RKNN_SUCC);
  mem_a = rknn_create_mem(context, io.A.size);
  mem_b = rknn_create_mem(context, io.B.size);
  mem_c = rknn_create_mem(context, io.C.size);
  REQUIRE(mem_a != NULL && mem_b != NULL && mem_c != NULL);
  for (m = 0; m < M; ++m) {
    for (k = 0; k < K; ++k) put(mem_a->virt_addr, is_int4, m * K + k, a[m][k]);
  }
  fill_b(mem_b->virt_addr, is_int4, &info, io.B.size);
  REQUIRE(rknn_matmul_set_io_mem(context, mem_a, &io.A) == RKNN_SUCC);
  REQUIRE(rknn_matmul_set_io_mem(context, mem_b, &io.B) == RKNN_SUCC);
  REQUIRE(rknn_matmul_set_io_mem(context, mem_c, &io.C) == RKNN_SUCC);
  REQUIRE(rknn_matmul_run(context) == RKNN_SUCC);
  for (m = 0; m < M; ++m) {
    for (n = 0; n < N; ++n) {
      const int at = m * N + n;
      const int got = is_int4 ? ((const int16_t*)mem_c->virt_addr)[at] : ((const int32_t*)mem_c->virt_addr)[at];
      int sum = 0;
      for (k = 0; k < K; ++k) sum += a[m][k] * b[k][n];
      REQUIRE(got == sum);
    }
  }
  REQUIRE(rknn_destroy_mem(context, mem_a) == RKNN_SUCC);
  REQUIRE(rknn_destroy_mem(context, mem_b) == RKNN_SUCC);
  REQUIRE(rknn_destroy_mem(context, mem_c) == RKNN_SUCC);
  REQUIRE(rknn_matmul_destroy(context) == RKNN_SUCC);
  printf("%s, B layout %d: matmul result is correct\n", get_matmul_type_string(type), layout);
}

int main(void) {
  int i, layout;
  for (i = 0; i < M * K; ++i) a[i / K][i % K] = i * 7 % 16 - 8; /* codes of int4 */
  for (i = 0; i < K * N; ++i) b[i / N][i % N] = i * 5 % 16 - 8;
  for (layout = RKNN_MM_LAYOUT_NORM; layout <= RKNN_MM_LAYOUT_TP_NORM; ++layout) {
    check(RKNN_INT8_MM_INT8_TO_INT32, layout);
    check(RKNN_INT4_MM_INT4_TO_INT16, layout);
  }
  return 0;
}
