// Custom operators as programs use them (docs/c_api.md), over models written as text graphs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "openrknn/extension.h"
#include "rknn_custom_op.h"
#include "support/text_model.h"

extern "C" int register_plugin(rknn_context context, const char* path);  // plugin_host.c

namespace openrknn {
namespace {

/// What callbacks of this file saw and what they are told to do. One test at a time.
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
Script script;

int note(const char* what, rknn_custom_op_context* context) {
  script.calls.emplace_back(what);
  script.threads.push_back(std::this_thread::get_id());
  if (std::string_view(what) == "init") context->priv_data = &script;
  script.priv_data = context->priv_data;
  return 0;
}

float* floats(const rknn_custom_op_tensor& tensor) {
  return reinterpret_cast<float*>(static_cast<uint8_t*>(tensor.mem.virt_addr) + tensor.mem.offset);
}

int init(rknn_custom_op_context* context, rknn_custom_op_tensor* in, uint32_t n_in, rknn_custom_op_tensor* out,
         uint32_t n_out) {
  note("init", context);
  for (uint32_t i = 0; i < n_in; ++i) script.inputs.push_back(in[i].attr);
  for (uint32_t i = 0; i < n_out; ++i) script.outputs.push_back(out[i].attr);
  return script.init_code;
}
int prepare(rknn_custom_op_context* context, rknn_custom_op_tensor*, uint32_t, rknn_custom_op_tensor*, uint32_t) {
  note("prepare", context);
  return script.prepare_code;
}
/// Output 0 = sum of the inputs, whose bytes must fill their memory; attr and mem are ruined afterwards.
int sum(rknn_custom_op_context* context, rknn_custom_op_tensor* in, uint32_t n_in, rknn_custom_op_tensor* out,
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
int destroy(rknn_custom_op_context* context) { return note("destroy", context); }

rknn_custom_op operation(const char* type) {
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
constexpr const char* kFloatModel = R"(ir 1
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

// ---- registration

TEST_F(CustomOps, InitSucceedsAndRunNamesTheOperatorThatIsMissing) {
  const rknn_context context = open(kFloatModel);
  ASSERT_EQ(set(context, {1, 2}), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
  EXPECT_NE(diagnostic().find("Unsupport CPU op: cstSum in this librknnrt.so, please try to register custom op by "
                              "calling rknn_register_custom_ops ..."),
            std::string::npos)
      << diagnostic();
}

TEST_F(CustomOps, ComputesWithWhatTheGraphGivesIt) {
  const rknn_context context = open(kFloatModel);
  ASSERT_EQ(add(context, {operation("cstSum")}), RKNN_SUCC);
  ASSERT_EQ(set(context, {10, 20}), RKNN_SUCC);
  for (int run = 0; run < 2; ++run) {
    ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
    EXPECT_EQ(get(context), (std::vector<float>{-21, -42}));
  }
}

TEST_F(CustomOps, CallbacksComeInOrderOnTheCallersThreadWithTheirData) {
  const rknn_context context = open(kFloatModel);
  ASSERT_EQ(add(context, {operation("cstSum")}), RKNN_SUCC);
  EXPECT_EQ(script.calls, std::vector<std::string>{"init"});
  ASSERT_EQ(set(context, {1, 2}), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  script.priv_data = nullptr;
  EXPECT_EQ(rknn_destroy(context), RKNN_SUCC);
  forget(context);
  EXPECT_EQ(script.calls, (std::vector<std::string>{"init", "prepare", "compute", "prepare", "compute", "destroy"}));
  EXPECT_EQ(script.priv_data, &script);
  for (const std::thread::id thread : script.threads) EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST_F(CustomOps, TensorsAreLogicalFloatsBehindADescriptor) {
  const rknn_context context = open(R"(ir 1
input %x : f32[1,2,3,4]
%ids : i64[3] = {5, 6, 7}
%y : f32[1,2,3,4] = Custom(%x, %ids) {custom.type="cstShow", custom.outputs=["f32[1,2,3,4]"]}
output %y
)");
  rknn_custom_op op = operation("cstShow");
  op.compute = [](rknn_custom_op_context*, rknn_custom_op_tensor* in, uint32_t, rknn_custom_op_tensor* out, uint32_t) {
    // The descriptor is of the very memory.
    void* again = mmap(nullptr, in[0].mem.size, PROT_READ, MAP_SHARED, in[0].mem.fd, 0);
    if (again == MAP_FAILED) return -1;
    std::memcpy(floats(out[0]), again, out[0].mem.size);
    munmap(again, in[0].mem.size);
    return reinterpret_cast<int64_t*>(in[1].mem.virt_addr)[2] == 7 ? 0 : -2;
  };
  ASSERT_EQ(add(context, {op}), RKNN_SUCC);
  ASSERT_EQ(script.inputs.size(), 2u);
  const rknn_tensor_attr& x = script.inputs[0];
  EXPECT_EQ(std::vector<uint32_t>(x.dims, x.dims + x.n_dims), (std::vector<uint32_t>{1, 2, 3, 4}));
  EXPECT_EQ(x.fmt, RKNN_TENSOR_NCHW);
  EXPECT_EQ(x.type, RKNN_TENSOR_FLOAT32);
  EXPECT_EQ(x.n_elems, 24u);
  EXPECT_EQ(x.size, 96u);
  EXPECT_STREQ(x.name, "x");
  EXPECT_EQ(script.inputs[1].type, RKNN_TENSOR_INT64);
  EXPECT_EQ(script.inputs[1].index, 1u);
  EXPECT_EQ(script.outputs[0].n_dims, 4u);
  std::vector<float> nhwc(24), nchw(24);
  for (int c = 0; c < 2; ++c) {
    for (int p = 0; p < 12; ++p) nchw[c * 12 + p] = nhwc[p * 2 + c] = static_cast<float>(100 * c + p);
  }
  ASSERT_EQ(set(context, nhwc), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC) << diagnostic();
  EXPECT_EQ(get(context), nchw);
}

TEST_F(CustomOps, AttributesKeepTheirTypesAndMissingOnesAreEmpty) {
  const rknn_context context = open(kFloatModel);
  rknn_custom_op op = operation("cstSum");
  op.init = [](rknn_custom_op_context* node, rknn_custom_op_tensor*, uint32_t, rknn_custom_op_tensor*, uint32_t) {
    const auto read = [&](const char* name) {
      rknn_custom_op_attr attr;
      std::memset(&attr, 0xee, sizeof attr);  // programs do not initialise it
      rknn_custom_op_get_op_attr(node, name, &attr);
      EXPECT_STREQ(attr.name, name);
      return attr;
    };
    const rknn_custom_op_attr alpha = read("alpha"), count = read("count"), title = read("title"),
                              sizes = read("sizes"), shares = read("shares"), words = read("words"),
                              table = read("table"), name = read("name"), missing = read("beta"),
                              ours = read("custom.type");
    EXPECT_EQ(alpha.dtype, RKNN_TENSOR_FLOAT32);
    EXPECT_EQ(alpha.n_elems, 1u);
    EXPECT_EQ(*static_cast<float*>(alpha.data), 0.5f);
    EXPECT_EQ(count.dtype, RKNN_TENSOR_INT64);
    EXPECT_EQ(*static_cast<int64_t*>(count.data), 3);
    EXPECT_EQ(title.dtype, RKNN_TENSOR_UINT8);
    EXPECT_EQ(title.n_elems, 6u);
    EXPECT_STREQ(static_cast<char*>(title.data), "a text");
    EXPECT_EQ(sizes.n_elems, 2u);
    EXPECT_EQ(static_cast<int64_t*>(sizes.data)[1], 5);
    EXPECT_EQ(static_cast<float*>(shares.data)[1], 2.0f);
    EXPECT_EQ(words.n_elems, 4u);
    EXPECT_EQ(std::memcmp(words.data, "ab\0c", 5), 0);
    EXPECT_EQ(table.dtype, RKNN_TENSOR_INT32);
    EXPECT_EQ(static_cast<int32_t*>(table.data)[1], 8);
    EXPECT_STREQ(static_cast<char*>(name.data), "my node");
    for (const rknn_custom_op_attr& none : {missing, ours}) {
      EXPECT_EQ(none.n_elems, 0u);
      EXPECT_EQ(none.data, nullptr);
    }
    return 0;
  };
  ASSERT_EQ(add(context, {op}), RKNN_SUCC);
}

TEST_F(CustomOps, AttributesOfNoNodeAreEmpty) {
  rknn_custom_op_context stranger{};
  stranger.internal_ctx = 0x7fffffff;
  rknn_custom_op_attr attr;
  std::memset(&attr, 0xee, sizeof attr);
  rknn_custom_op_get_op_attr(&stranger, "alpha", &attr);
  EXPECT_EQ(attr.n_elems, 0u);
  EXPECT_EQ(attr.data, nullptr);
  rknn_custom_op_get_op_attr(nullptr, "alpha", &attr);
  rknn_custom_op_get_op_attr(&stranger, nullptr, &attr);
  rknn_custom_op_get_op_attr(&stranger, "alpha", nullptr);
}

TEST_F(CustomOps, CallsAccumulateAndOnlyARunNeedsThemAll) {
  const rknn_context context = open(R"(ir 1
input %x : f32[2]
%a : f32[2] = Custom(%x) {custom.type="cstA", custom.outputs=["f32[2]"]}
%b : f32[2] = Custom(%a, %x) {custom.type="cstB", custom.outputs=["f32[2]"]}
output %b
)");
  ASSERT_EQ(set(context, {1, 2}), RKNN_SUCC);
  ASSERT_EQ(add(context, {operation("cstB")}), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
  EXPECT_NE(diagnostic().find("Unsupport CPU op: cstA"), std::string::npos);
  EXPECT_EQ(diagnostic().find("cstB"), std::string::npos);
  ASSERT_EQ(add(context, {operation("cstA")}), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get(context), (std::vector<float>{2, 4}));
}

TEST_F(CustomOps, WrongRegistrationsAreRefusedAndChangeNothing) {
  const rknn_context context = open(kFloatModel);
  rknn_custom_op op = operation("cstSum");
  EXPECT_EQ(rknn_register_custom_ops(context, nullptr, 1), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_register_custom_ops(context, &op, 0), RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(rknn_register_custom_ops(0, &op, 1), RKNN_ERR_CTX_INVALID);
  rknn_custom_op bad = op;
  bad.compute = nullptr;
  EXPECT_EQ(add(context, {bad}), RKNN_ERR_PARAM_INVALID);
  bad = op;
  std::memset(bad.op_type, 'x', sizeof bad.op_type);
  EXPECT_EQ(add(context, {bad}), RKNN_ERR_PARAM_INVALID);
  bad = op;
  bad.op_type[0] = '\0';
  EXPECT_EQ(add(context, {bad}), RKNN_ERR_PARAM_INVALID);
  bad = op;
  const uint32_t nonsense = 77;
  std::memcpy(&bad.target, &nonsense, sizeof nonsense);
  EXPECT_EQ(add(context, {bad}), RKNN_ERR_PARAM_INVALID);
  bad = op;
  bad.target = RKNN_TARGET_TYPE_GPU;
  EXPECT_EQ(add(context, {op, bad}), RKNN_ERR_FAIL);
  EXPECT_NE(diagnostic().find("RKNN_TARGET_TYPE_GPU"), std::string::npos);
  EXPECT_EQ(add(context, {op, op}), RKNN_ERR_PARAM_INVALID);  // twice in one call: the first is destroyed again
  EXPECT_EQ(script.calls, (std::vector<std::string>{"init", "destroy"}));
  ASSERT_EQ(add(context, {op}), RKNN_SUCC);
  EXPECT_EQ(add(context, {op}), RKNN_ERR_PARAM_INVALID);  // and over calls
  ASSERT_EQ(set(context, {1, 2}), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
}

TEST_F(CustomOps, AFailedInitFailsTheRegistration) {
  const rknn_context context = open(kFloatModel);
  script.init_code = -3;
  EXPECT_EQ(add(context, {operation("cstSum")}), RKNN_ERR_FAIL);
  EXPECT_NE(diagnostic().find("init of the custom operator cstSum (node 'my node') returned -3"), std::string::npos);
  script.init_code = 0;
  EXPECT_EQ(add(context, {operation("cstSum")}), RKNN_SUCC);
  EXPECT_EQ(script.calls, (std::vector<std::string>{"init", "init"}));  // no destroy for what was never made
}

TEST_F(CustomOps, AFailingComputeFailsTheRunAndTheNextOneIsWhole) {
  const rknn_context context = open(kFloatModel);
  ASSERT_EQ(add(context, {operation("cstSum")}), RKNN_SUCC);
  ASSERT_EQ(set(context, {1, 2}), RKNN_SUCC);
  script.compute_code = 5;
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
  EXPECT_NE(diagnostic().find("compute of the custom operator cstSum (node 'my node') returned 5"), std::string::npos);
  script.compute_code = 0;
  script.prepare_code = -1;
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
  script.prepare_code = 0;
  script.throws = true;
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_ERR_FAIL);
#if defined(_LIBCPP_VERSION)
  // libc++ knows types by address, and the runtime has a copy of its own: it catches what it cannot name.
  EXPECT_NE(diagnostic().find("threw an exception"), std::string::npos);
#else
  EXPECT_NE(diagnostic().find("out of luck"), std::string::npos);
#endif
  script.throws = false;
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get(context), (std::vector<float>{-3, -6}));
}

TEST_F(CustomOps, CallsOnTheSameContextFromACallbackAreRefused) {
  const rknn_context context = open(kFloatModel);
  ASSERT_EQ(add(context, {operation("cstSum")}), RKNN_SUCC);
  ASSERT_EQ(set(context, {1, 2}), RKNN_SUCC);
  script.context = context;
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(script.reentrant_code, RKNN_ERR_PARAM_INVALID);
  script.context = open(kFloatModel);  // another context answers
}

TEST_F(CustomOps, ADuplicateRegistersItsOwn) {
  rknn_context context = open(kFloatModel), copy = 0;
  ASSERT_EQ(add(context, {operation("cstSum")}), RKNN_SUCC);
  ASSERT_EQ(rknn_dup_context(&context, &copy), RKNN_SUCC);
  ASSERT_EQ(set(copy, {1, 2}), RKNN_SUCC);
  EXPECT_EQ(rknn_run(copy, nullptr), RKNN_ERR_FAIL);
  ASSERT_EQ(add(copy, {operation("cstSum")}), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy(context), RKNN_SUCC);
  forget(context);
  EXPECT_EQ(rknn_run(copy, nullptr), RKNN_SUCC);
  EXPECT_EQ(get(copy), (std::vector<float>{-3, -6}));
  rknn_destroy(copy);
  EXPECT_EQ(std::count(script.calls.begin(), script.calls.end(), "destroy"), 2);
}

// ---- built-in operators of the same name

constexpr const char* kInt8Relu = R"(ir 1
input %x : i8[1,2,2,2] q(0.5, 3)
%y : i8[1,2,2,2] q(0.5, 3) = Relu(%x) fixed(low=3, high=127)
%z : i8[1,2,2,2] q(0.25, 0) = Convert(%y) fixed(scale=[[16384, 13]], low=-128, high=127)
output %z
)";

TEST_F(CustomOps, ReplacesABuiltInOperatorOfAQuantizedModelInFloat) {
  const rknn_context context = open(kInt8Relu);
  ASSERT_EQ(set(context, {-1, 2, -3, 4, 5, 6, 7, 8}), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get(context), (std::vector<float>{0, 0, 5, 7, 2, 4, 6, 8}));  // NHWC in, NCHW out
  rknn_custom_op op = operation("Relu");                                  // the sum of one input: no Relu any more
  ASSERT_EQ(add(context, {op}), RKNN_SUCC) << diagnostic();
  EXPECT_EQ(script.inputs[0].type, RKNN_TENSOR_FLOAT32);
  EXPECT_EQ(script.inputs[0].scale, 1.0f);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC) << diagnostic();
  EXPECT_EQ(get(context), (std::vector<float>{-1, -3, 5, 7, 2, 4, 6, 8}));
}

TEST_F(CustomOps, MinusFourteenLeavesTheNodeToTheBuiltInOperator) {
  const rknn_context context = open(kInt8Relu);
  script.init_code = RKNN_WARNING_SKIP_CUSTOM_OP_COMPUTE;
  ASSERT_EQ(add(context, {operation("Relu")}), RKNN_SUCC);
  ASSERT_EQ(set(context, {-1, 2, -3, 4, 5, 6, 7, 8}), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  EXPECT_EQ(get(context), (std::vector<float>{0, 0, 5, 7, 2, 4, 6, 8}));
  EXPECT_EQ(script.calls, std::vector<std::string>{"init"});
  const rknn_context unknown = open(kFloatModel);  // where there is no built-in one, nothing computes the node
  ASSERT_EQ(add(unknown, {operation("cstSum")}), RKNN_SUCC);
  ASSERT_EQ(set(unknown, {1, 2}), RKNN_SUCC);
  EXPECT_EQ(rknn_run(unknown, nullptr), RKNN_ERR_FAIL);
  EXPECT_NE(diagnostic().find("Unsupport CPU op: cstSum"), std::string::npos);
}

TEST_F(CustomOps, ReplacesALayerAndSeesItsWeightsAsRealNumbers) {
  const rknn_context context = open(R"(ir 1
input %x : f16[1,2]
%w : f16[2,2] = {1.0, 2.0, 3.0, 4.0}
%y : f16[1,2] = MatMul(%x, %w)
output %y
)");
  rknn_custom_op op = operation("MatMul");
  op.compute = [](rknn_custom_op_context*, rknn_custom_op_tensor* in, uint32_t, rknn_custom_op_tensor* out, uint32_t) {
    floats(out[0])[0] = floats(in[1])[1];
    floats(out[0])[1] = floats(in[1])[2] + floats(in[0])[0];
    return 0;
  };
  ASSERT_EQ(add(context, {op}), RKNN_SUCC);
  ASSERT_EQ(set(context, {10, 20}), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC) << diagnostic();
  EXPECT_EQ(get(context), (std::vector<float>{2, 13}));
}

// ---- more than one thread

TEST_F(CustomOps, ContextsRunTheirOwnCodeAtTheSameTime) {
  constexpr int kContexts = 4, kRuns = 50;
  rknn_custom_op op = operation("cstSum");
  op.init = nullptr;
  op.prepare = nullptr;
  op.destroy = nullptr;
  op.compute = [](rknn_custom_op_context*, rknn_custom_op_tensor* in, uint32_t, rknn_custom_op_tensor* out, uint32_t) {
    for (uint32_t i = 0; i < out[0].attr.n_elems; ++i) floats(out[0])[i] = 2 * floats(in[0])[i];
    return 0;
  };
  std::vector<rknn_context> contexts;
  for (int i = 0; i < kContexts; ++i) contexts.push_back(open(kFloatModel));
  std::vector<std::thread> threads;
  for (int i = 0; i < kContexts; ++i) {
    threads.emplace_back([&, i] {
      EXPECT_EQ(rknn_register_custom_ops(contexts[i], &op, 1), RKNN_SUCC);
      for (int run = 0; run < kRuns; ++run) {
        const float x = static_cast<float>(100 * i + run);
        EXPECT_EQ(set(contexts[i], {x, -x}), RKNN_SUCC);
        EXPECT_EQ(rknn_run(contexts[i], nullptr), RKNN_SUCC);
        EXPECT_EQ(get(contexts[i]), (std::vector<float>{-2 * x, 2 * x}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::atomic<int> active = 0, most_active = 0;

TEST_F(CustomOps, ItemsOfABatchCallANodesCodeOneAfterTheOther) {
  constexpr int kItems = 6;
  Model model = test::model_of(kFloatModel);
  model.batch = kItems;
  const rknn_context context = open(model);
  rknn_custom_op op = operation("cstSum");
  op.init = op.prepare = nullptr;
  op.destroy = nullptr;
  op.compute = [](rknn_custom_op_context*, rknn_custom_op_tensor* in, uint32_t, rknn_custom_op_tensor* out, uint32_t) {
    most_active = std::max<int>(most_active, ++active);
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    for (uint32_t i = 0; i < out[0].attr.n_elems; ++i) floats(out[0])[i] = 2 * floats(in[0])[i];
    --active;
    return 0;
  };
  ASSERT_EQ(add(context, {op}), RKNN_SUCC);
  std::vector<float> x, expected;
  for (int i = 0; i < 2 * kItems; ++i) {
    x.push_back(static_cast<float>(i));
    expected.push_back(static_cast<float>(-2 * i));
  }
  ASSERT_EQ(set(context, x), RKNN_SUCC) << diagnostic();
  for (int run = 0; run < 10; ++run) {
    ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC) << diagnostic();
    EXPECT_EQ(get(context), expected);
  }
  EXPECT_EQ(most_active, 1);
}

TEST_F(CustomOps, EveryShapeSetOfAModelHasItsOwnNodes) {
  const auto of_length = [](const char* length) {
    std::string text = R"(ir 1
input %x : f32[1,N]
%y : f32[1,N] = Custom(%x, %x) {custom.type="cstSum", custom.outputs=["f32[1,N]"]}
output %y
)";
    for (size_t at = text.find('N'); at != std::string::npos; at = text.find('N')) text.replace(at, 1, length);
    return test::model_of(text);
  };
  Model model = of_length("4");
  model.variants.push_back(of_length("2").variants[0]);
  const rknn_context context = open(model);
  ASSERT_EQ(add(context, {operation("cstSum")}), RKNN_SUCC);
  EXPECT_EQ(script.calls, (std::vector<std::string>{"init", "init"}));
  for (const uint32_t length : {2u, 4u, 2u}) {
    rknn_tensor_attr attr{};
    ASSERT_EQ(rknn_query(context, RKNN_QUERY_INPUT_ATTR, &attr, sizeof attr), RKNN_SUCC);
    attr.dims[1] = length;
    ASSERT_EQ(rknn_set_input_shapes(context, 1, &attr), RKNN_SUCC) << diagnostic();
    std::vector<float> x, expected;
    for (uint32_t i = 0; i < length; ++i) {
      x.push_back(static_cast<float>(i + length));
      expected.push_back(2 * x.back());
    }
    ASSERT_EQ(set(context, x), RKNN_SUCC) << diagnostic();
    ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC) << diagnostic();
    EXPECT_EQ(get(context), expected);
  }
}

TEST_F(CustomOps, BackgroundRunsCallItToo) {
  const rknn_context context = open(kFloatModel);
  rknn_run_extend extend{};
  extend.non_block = 1;
  ASSERT_EQ(set(context, {10, 20}), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, &extend), RKNN_ERR_FAIL);  // known before anything starts
  ASSERT_EQ(add(context, {operation("cstSum")}), RKNN_SUCC);
  script.context = context;  // a call on the same context from the callback is refused, not waited for
  ASSERT_EQ(rknn_run(context, &extend), RKNN_SUCC);
  ASSERT_EQ(rknn_wait(context, &extend), RKNN_SUCC);
  EXPECT_EQ(script.reentrant_code, RKNN_ERR_PARAM_INVALID);
  EXPECT_EQ(get(context), (std::vector<float>{-21, -42}));
}

TEST_F(CustomOps, DestroyWaitsForABackgroundRun) {
  const rknn_context context = open(kFloatModel);
  ASSERT_EQ(add(context, {operation("cstSum")}), RKNN_SUCC);
  ASSERT_EQ(set(context, {10, 20}), RKNN_SUCC);
  rknn_run_extend extend{};
  extend.non_block = 1;
  ASSERT_EQ(rknn_run(context, &extend), RKNN_SUCC);
  EXPECT_EQ(rknn_destroy(context), RKNN_SUCC);
  forget(context);
  EXPECT_EQ(script.calls, (std::vector<std::string>{"init", "prepare", "compute", "destroy"}));
}

// ---- plug-in libraries

TEST_F(CustomOps, PluginsComputeAFloatModel) {
  const rknn_context context = open(R"(ir 1
input %a : f32[1,4]
input %b : f32[1,4]
%r : f32[1,4] = Custom(%a, %b) {custom.type="cstDualResidual", custom.outputs=["f32[1,4]"], alpha=0.25}
%s : f32[1,4] = Custom(%r) {custom.type="cstSigmoid", custom.outputs=["f32[1,4]"]}
output %s
)");
  ASSERT_EQ(register_plugin(context, OPENRKNN_DUAL_RESIDUAL_PLUGIN), RKNN_SUCC);
  ASSERT_EQ(register_plugin(context, OPENRKNN_SIGMOID_PLUGIN), RKNN_SUCC);
  const std::vector<float> a = {0, 1, -2, 3}, b = {4, -4, 2, 0};
  ASSERT_EQ(set(context, a, 0), RKNN_SUCC);
  ASSERT_EQ(set(context, b, 1), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC) << diagnostic();
  const std::vector<float> y = get(context);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(y[i], 1 / (1 + std::exp(-(a[i] + 0.25f * b[i]))), 1e-6f) << i;
}

TEST_F(CustomOps, PluginsComputeAnInt8Model) {
  const rknn_context context = open(R"(ir 1
input %x : i8[1,4] q(0.5, 3)
%x32 : f32[1,4] = Convert(%x)
%s32 : f32[1,4] = Custom(%x32) {custom.type="cstSigmoid", custom.outputs=["f32[1,4]"]}
%s : i8[1,4] q(0.00390625, -128) = Convert(%s32)
output %s
)");
  ASSERT_EQ(register_plugin(context, OPENRKNN_SIGMOID_PLUGIN), RKNN_SUCC);
  ASSERT_EQ(set(context, {0, 1, -2, 3}), RKNN_SUCC);
  ASSERT_EQ(rknn_run(context, nullptr), RKNN_SUCC) << diagnostic();
  const std::vector<float> y = get(context), x = {0, 1, -2, 3};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(y[i], 1 / (1 + std::exp(-x[i])), 0.5f / 256 + 1e-6f) << i;
}

}  // namespace
}  // namespace openrknn
