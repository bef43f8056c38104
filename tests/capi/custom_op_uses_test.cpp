// Custom operators in place of built-in ones, with several threads, items and shape sets, and from plug-in libraries.
#include <atomic>
#include <cmath>

#include "capi/custom_op_fixture.h"

extern "C" int register_plugin(rknn_context context, const char* path);  // plugin_host.c

namespace openrknn {
namespace {

using namespace test::custom_op;

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
