/*
 * general MODEL OUT INPUT...: the usual way through the RKNN C API, as a program of a board takes it.
 * INPUT i: the bytes of input i, uint8, NHWC. Output i goes to OUT<i>.float (float32) and OUT<i>.codes (the model's
 * own type). Plain C99; general_cxx.cpp compiles the same text as C++17.
 */
#include <string.h>

#include "files.h"

#define MOST 16

int main(int argc, char** argv) {
  rknn_context context = 0;
  rknn_input_output_num count;
  rknn_input inputs[MOST];
  rknn_output outputs[MOST];
  uint32_t size = 0, i;
  int round;
  REQUIRE(argc >= 4);

  /* The runtime copies the model: the buffer goes at once. */
  void* model = read_whole(argv[1], &size);
  REQUIRE(rknn_init(&context, model, size, 0, NULL) == RKNN_SUCC);
  memset(model, 0, size);
  free(model);

  REQUIRE(rknn_query(context, RKNN_QUERY_IN_OUT_NUM, &count, sizeof(count)) == RKNN_SUCC);
  REQUIRE(count.n_input == (uint32_t)(argc - 3) && count.n_input <= MOST && count.n_output <= MOST);
  for (i = 0; i < count.n_input; ++i) {
    rknn_tensor_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.index = i;
    REQUIRE(rknn_query(context, RKNN_QUERY_INPUT_ATTR, &attr, sizeof(attr)) == RKNN_SUCC);
    print_attr("input", &attr);
  }
  for (i = 0; i < count.n_output; ++i) {
    rknn_tensor_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.index = i;
    REQUIRE(rknn_query(context, RKNN_QUERY_OUTPUT_ATTR, &attr, sizeof(attr)) == RKNN_SUCC);
    print_attr("output", &attr);
  }

  memset(inputs, 0, sizeof(inputs));
  for (i = 0; i < count.n_input; ++i) {
    inputs[i].index = i;
    inputs[i].type = RKNN_TENSOR_UINT8;
    inputs[i].fmt = RKNN_TENSOR_NHWC;
    inputs[i].buf = read_whole(argv[3 + i], &inputs[i].size);
  }
  REQUIRE(rknn_inputs_set(context, count.n_input, inputs) == RKNN_SUCC);
  for (i = 0; i < count.n_input; ++i) free(inputs[i].buf);

  for (round = 0; round < 2; ++round) { /* inputs stay set: a second run gives the same */
    REQUIRE(rknn_run(context, NULL) == RKNN_SUCC);
    memset(outputs, 0, sizeof(outputs)); /* no indices: outputs come by position */
    for (i = 0; i < count.n_output; ++i) outputs[i].want_float = round == 0;
    REQUIRE(rknn_outputs_get(context, count.n_output, outputs, NULL) == RKNN_SUCC);
    for (i = 0; i < count.n_output; ++i)
      write_whole(argv[2], i, round == 0 ? ".float" : ".codes", outputs[i].buf, outputs[i].size);
    REQUIRE(rknn_outputs_release(context, count.n_output, outputs) == RKNN_SUCC);
  }
  REQUIRE(rknn_destroy(context) == RKNN_SUCC);
  return 0;
}
