/* Whole files, as small programs read and write them. Failures end the program: what calls it sees the exit code. */
#ifndef PROGRAMS_FILES_H
#define PROGRAMS_FILES_H

#include <stdio.h>
#include <stdlib.h>

#include "rknn_api.h"

#define REQUIRE(condition)                                                          \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

static void* read_whole(const char* path, uint32_t* size) {
  FILE* file = fopen(path, "rb");
  REQUIRE(file != NULL);
  fseek(file, 0, SEEK_END);
  *size = (uint32_t)ftell(file);
  rewind(file);
  void* bytes = malloc(*size);
  REQUIRE(bytes != NULL && fread(bytes, 1, *size, file) == *size);
  fclose(file);
  return bytes;
}

/* PREFIX + index + suffix */
static void write_whole(const char* prefix, uint32_t index, const char* suffix, const void* bytes, uint32_t size) {
  char path[4096];
  snprintf(path, sizeof path, "%s%u%s", prefix, (unsigned)index, suffix);
  FILE* file = fopen(path, "wb");
  REQUIRE(file != NULL && fwrite(bytes, 1, size, file) == size);
  fclose(file);
}

static void print_attr(const char* side, const rknn_tensor_attr* attr) {
  uint32_t i;
  printf("%s index=%u name=%s dims=", side, (unsigned)attr->index, attr->name);
  for (i = 0; i < attr->n_dims; ++i) printf("%s%u", i == 0 ? "" : ",", (unsigned)attr->dims[i]);
  printf(" n_elems=%u size=%u w_stride=%u size_with_stride=%u fmt=%s type=%s qnt_type=%s zp=%d scale=%a\n",
         (unsigned)attr->n_elems, (unsigned)attr->size, (unsigned)attr->w_stride, (unsigned)attr->size_with_stride,
         get_format_string(attr->fmt), get_type_string(attr->type), get_qnt_type_string(attr->qnt_type), attr->zp,
         (double)attr->scale);
}

#endif
