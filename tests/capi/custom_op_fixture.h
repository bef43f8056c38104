// Custom operators for tests: callbacks that remember what they saw, a model that needs them, calls in short.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "openrknn/extension.h"
#include "rknn_custom_op.h"
#include "support/text_model.h"

namespace openrknn::test::custom_op {

/// What callbacks of these tests saw and what they are told to do. One test at a time.
struct Script {
  int init_code = 0, prepare_code = 0, compute_code = 0;
  bool throws = false;
  std::vector<std::string> calls;  // "init cstSum", …
  std::vector<std::thread::id> threads;
  std::vector<rknn_tensor_attr> inputs, outputs;
  std::vector<int> fds;
  void* priv_data = nullptr;
  rknn_context context = 0;
  int reentrant_code = 0;
};
inline Script script;

inline int note(const char* what, rknn_custom_op_context* context) {
  script.calls.emplace_back(what);
  script.threads.push_back(std::this_thread::get_id());
  if (std::string_view(what) == "init") context->priv_data = &script;
  script.priv_data = context->priv_data;
  return 0;
}

inline float* floats(const rknn_custom_op_tensor& tensor) {
  return reinterpret_cast<float*>(static_cast<uint8_t*>(tensor.mem.virt_addr) + tensor.mem.offset);
}

inline int init(rknn_custom_op_context* context, rknn_custom_op_tensor* in, uint32_t n_in, rknn_custom_op_tensor* out,
                uint32_t n_out) {
  note("init", context);
  for (uint32_t i = 0; i < n_in; ++i) script.inputs.push_back(in[i].attr);
  for (uint32_t i = 0; i < n_out; ++i) script.outputs.push_back(out[i].attr);
  return script.init_code;
}
inline int prepare(rknn_custom_op_context* context, rknn_custom_op_tensor*, uint32_t, rknn_custom_op_tensor*,
                   uint32_t) {
  note("prepare", context);
  return script.prepare_code;
}
/// Output 0 = sum of the inputs, whose bytes must fill their memory; attr and mem are ruined afterwards.
inline int sum(rknn_custom_op_context* context, rknn_custom_op_tensor* in, uint32_t n_in, rknn_custom_op_tensor* out,
               uint32_t) {
  note("compute", context);
  if (script.throws) throw std::runtime_error("out of luck");
  if (script.context != 0) {
    rknn_input_output_num number{};
    script.reentrant_code = rknn_query(script.context, RKNN_QUERY_IN_OUT_NUM, &number, sizeof number);
    EXPECT_EQ(rknn_destroy(script.context), RKNN_ERR_PARAM_INVALID);
  }
  for (uint32_t i = 0; i < out[0].attr.n_elems; ++i) {
    float total = 0;
    for (uint32_t k = 0; k < n_in; ++k) total += floats(in[k])[i % in[k].attr.n_elems];
    floats(out[0])[i] = total;
  }
  for (uint32_t k = 0; k < n_in; ++k) script.fds.push_back(in[k].mem.fd);
  std::memset(in, 0xee, n_in * sizeof *in);
  std::memset(out, 0xee, sizeof *out);
  return script.compute_code;
}
inline int destroy(rknn_custom_op_context* context) { return note("destroy", context); }

inline rknn_custom_op operation(const char* type) {
  rknn_custom_op op{};
  op.version = 1;
  op.target = RKNN_TARGET_TYPE_CPU;
  std::strncpy(op.op_type, type, sizeof op.op_type - 1);
  op.init = init;
  op.prepare = prepare;
  op.compute = sum;
  op.destroy = destroy;
  return op;
}

/// x + x + [1, 2], by a custom operator, and its negative by a built-in one.
inline constexpr const char* kFloatModel = R"(ir 1
input %x : f32[1,2]
%c : f32[2] = {1.0, 2.0}
%y : f32[1,2] = Custom(%x, %x, %c) {custom.type="cstSum", custom.outputs=["f32[1,2]"], alpha=0.5, count=3,
  title="a text", sizes=[4,5], shares=[0.25,2.0], words=["ab","c"], table=tensor i32[2] {7, 8}} as "my node"
%z : f32[1,2] = Neg(%y)
output %z
)";

class CustomOps : public ::testing::Test {
 protected:
  void SetUp() override { script = {}; }
  void TearDown() override {
    for (const rknn_context context : opened_) rknn_destroy(context);
  }
  rknn_context open(const Model& model) {
    const std::string bytes = test::file_bytes(model);
    rknn_context context = 0;
    EXPECT_EQ(rknn_init(&context, const_cast<char*>(bytes.data()), static_cast<uint32_t>(bytes.size()), 0, nullptr),
              RKNN_SUCC);
    opened_.push_back(context);
    return context;
  }
  rknn_context open(const char* text) { return open(test::model_of(text)); }
  static int add(rknn_context context, std::vector<rknn_custom_op> operators) {
    const int code = rknn_register_custom_ops(context, operators.data(), static_cast<uint32_t>(operators.size()));
    std::memset(operators.data(), 0xee, operators.size() * sizeof operators[0]);  // the runtime has its own copy
    return code;
  }
  static int set(rknn_context context, const std::vector<float>& data, uint32_t index = 0) {
    rknn_input input{};
    input.index = index;
    input.buf = const_cast<float*>(data.data());
    input.size = static_cast<uint32_t>(data.size() * sizeof(float));
    input.type = RKNN_TENSOR_FLOAT32;
    input.fmt = RKNN_TENSOR_NHWC;
    return rknn_inputs_set(context, 1, &input);
  }
  static std::vector<float> get(rknn_context context) {
    rknn_output output{};
    output.want_float = 1;
    EXPECT_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);
    std::vector<float> result(output.size / sizeof(float));
    if (output.buf != nullptr) std::memcpy(result.data(), output.buf, output.size);
    rknn_outputs_release(context, 1, &output);
    return result;
  }
  static std::string diagnostic() {
    const openrknn_functions* door = nullptr;
    EXPECT_EQ(rknn_query(0, static_cast<rknn_query_cmd>(RKNN_QUERY_OPENRKNN), &door, sizeof door), RKNN_SUCC);
    return door->last_diagnostic();
  }
  void forget(rknn_context context) { std::erase(opened_, context); }

 private:
  std::vector<rknn_context> opened_;
};

}  // namespace openrknn::test::custom_op
