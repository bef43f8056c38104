// Custom operators as programs use them (docs/c_api.md), over models written as text graphs.
#include <sys/mman.h>

#include "capi/custom_op_fixture.h"

namespace openrknn {
namespace {

using namespace test::custom_op;

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

}  // namespace
}  // namespace openrknn
