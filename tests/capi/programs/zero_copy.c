/*
 * zero_copy MODEL OUT INPUT...: memory that the NPU reads and writes in place, in the layout it likes best.
 * INPUT i: the bytes of input i, NHWC: uint8 if the native layout is NHWC, else the model's own codes (int8), which go
 * in as they are. Output i, int8, goes to OUT<i>.codes in the model's order: the program converts NC1HWC2 itself. C99.
 */
#include <string.h>

#include "files.h"

#define MOST 16

/* Rows of the image to rows of `stride` pixels. */
static void fill_nhwc(const rknn_tensor_attr* attr, const uint8_t* image, uint8_t* to) {
  const size_t row = (size_t)attr->dims[2] * attr->dims[3], stride = (size_t)attr->w_stride * attr->dims[3];
  size_t y;
  for (y = 0; y < (size_t)attr->dims[0] * attr->dims[1]; ++y) memcpy(to + y * stride, image + y * row, row);
}

/* Channel c is lane c % C2 of block c / C2. */
static size_t nc1hwc2(const rknn_tensor_attr* attr, size_t c, size_t pixel) {
  const size_t plane = (size_t)attr->dims[2] * attr->dims[3], c2 = attr->dims[4];
  return (c / c2 * plane + pixel) * c2 + c % c2;
}

static void fill_nc1hwc2(const rknn_tensor_attr* attr, size_t channels, const int8_t* codes, int8_t* to) {
  const size_t plane = (size_t)attr->dims[2] * attr->dims[3];
  size_t c, pixel;
  for (pixel = 0; pixel < plane; ++pixel)
    for (c = 0; c < channels; ++c) to[nc1hwc2(attr, c, pixel)] = codes[pixel * channels + c];
}

static void to_nchw(const rknn_tensor_attr* attr, size_t channels, const int8_t* from, int8_t* nchw) {
  const size_t plane = (size_t)attr->dims[2] * attr->dims[3];
  size_t c, pixel;
  for (c = 0; c < channels; ++c)
    for (pixel = 0; pixel < plane; ++pixel) nchw[c * plane + pixel] = from[nc1hwc2(attr, c, pixel)];
}

static rknn_tensor_attr ask(rknn_context context, rknn_query_cmd command, uint32_t index) {
  rknn_tensor_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.index = index;
  REQUIRE(rknn_query(context, command, &attr, sizeof(attr)) == RKNN_SUCC);
  return attr;
}

int main(int argc, char** argv) {
  rknn_context context = 0;
  rknn_input_output_num count;
  rknn_tensor_mem *in[MOST], *out[MOST];
  rknn_tensor_attr native[MOST];
  uint32_t i;
  REQUIRE(argc >= 4);
  REQUIRE(rknn_init(&context, argv[1], 0, 0, NULL) == RKNN_SUCC); /* size 0: a path */
  REQUIRE(rknn_query(context, RKNN_QUERY_IN_OUT_NUM, &count, sizeof(count)) == RKNN_SUCC);
  REQUIRE(count.n_input == (uint32_t)(argc - 3) && count.n_input <= MOST && count.n_output <= MOST);

  for (i = 0; i < count.n_input; ++i) {
    rknn_tensor_attr attr = ask(context, RKNN_QUERY_NATIVE_INPUT_ATTR, i);
    uint32_t size = 0;
    void* given = read_whole(argv[3 + i], &size);
    print_attr("input", &attr);
    in[i] = rknn_create_mem(context, attr.size_with_stride);
    REQUIRE(in[i] != NULL && in[i]->virt_addr != NULL && in[i]->size >= attr.size_with_stride);
    memset(in[i]->virt_addr, 0, attr.size_with_stride);
    if (attr.fmt == RKNN_TENSOR_NHWC) {
      attr.type = RKNN_TENSOR_UINT8; /* mean, std and quantization are the runtime's */
      REQUIRE(size == attr.n_elems);
      fill_nhwc(&attr, (const uint8_t*)given, (uint8_t*)in[i]->virt_addr);
    } else {
      const rknn_tensor_attr logical = ask(context, RKNN_QUERY_INPUT_ATTR, i); /* NHWC: channels last */
      REQUIRE(attr.fmt == RKNN_TENSOR_NC1HWC2 && attr.type == RKNN_TENSOR_INT8 && size == logical.n_elems);
      attr.pass_through = 1;
      fill_nc1hwc2(&attr, logical.dims[3], (const int8_t*)given, (int8_t*)in[i]->virt_addr);
    }
    free(given);
    REQUIRE(rknn_mem_sync(context, in[i], RKNN_MEMORY_SYNC_TO_DEVICE) == RKNN_SUCC);
    REQUIRE(rknn_set_io_mem(context, in[i], &attr) == RKNN_SUCC);
  }
  for (i = 0; i < count.n_output; ++i) {
    native[i] = ask(context, RKNN_QUERY_NATIVE_OUTPUT_ATTR, i);
    print_attr("output", &native[i]);
    REQUIRE(native[i].type == RKNN_TENSOR_INT8);
    out[i] = rknn_create_mem(context, native[i].size_with_stride);
    REQUIRE(out[i] != NULL);
    REQUIRE(rknn_set_io_mem(context, out[i], &native[i]) == RKNN_SUCC);
  }

  REQUIRE(rknn_run(context, NULL) == RKNN_SUCC);

  for (i = 0; i < count.n_output; ++i) {
    const rknn_tensor_attr logical = ask(context, RKNN_QUERY_OUTPUT_ATTR, i);
    REQUIRE(rknn_mem_sync(context, out[i], RKNN_MEMORY_SYNC_FROM_DEVICE) == RKNN_SUCC);
    if (native[i].fmt == RKNN_TENSOR_NC1HWC2) {
      int8_t* nchw = (int8_t*)malloc(logical.n_elems);
      REQUIRE(nchw != NULL);
      to_nchw(&native[i], logical.dims[1], (const int8_t*)out[i]->virt_addr, nchw);
      write_whole(argv[2], i, ".codes", nchw, logical.n_elems);
      free(nchw);
    } else {
      write_whole(argv[2], i, ".codes", out[i]->virt_addr, logical.size);
    }
  }
  for (i = 0; i < count.n_input; ++i) REQUIRE(rknn_destroy_mem(context, in[i]) == RKNN_SUCC);
  for (i = 0; i < count.n_output; ++i) REQUIRE(rknn_destroy_mem(context, out[i]) == RKNN_SUCC);
  REQUIRE(rknn_destroy(context) == RKNN_SUCC);
  return 0;
}
