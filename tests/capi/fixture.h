// The C API as programs call it, over models written as text graphs.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "openrknn/extension.h"
#include "rknn_api.h"
#include "rknn_custom_op.h"
#include "rknn_matmul_api.h"
#include "support/text_model.h"
#include "support/variable.h"

namespace openrknn::test {

inline constexpr float kScale = 0.5f;
inline constexpr int kZeroPoint = 3;

/// Int8, 2x3x4x5: the output is the input's negative part cut off.
inline Model int8_model() {
  Model model = test::model_of(R"(ir 1
metadata "author" = "nobody"
input %image : i8[2,3,4,5] q(0.5, 3)
%positive : i8[2,3,4,5] q(0.5, 3) = Relu(%image) fixed(low=3, high=127)
output %positive
)");
  model.custom_string = "hello";
  model.inputs[0].mean = {1, 2, 3};
  model.inputs[0].std = {2, 2, 2};
  return model;
}

/// Two float16 outputs of rank 2, and an int64 pass-through.
inline Model several_model() {
  return test::model_of(R"(ir 1
input %a : f16[2,3]
input %ids : i64[1,2,2,2]
%double : f16[2,3] = Add(%a, %a)
%square : f16[2,3] = Mul(%a, %a)
%same : i64[1,2,2,2] = Reshape(%ids) {shape=[1,2,2,2]}
output %double
output %square
output %same
)");
}

class Capi : public ::testing::Test {
 protected:
  rknn_context open(const Model& model, uint32_t flags = 0) {
    std::string bytes = test::file_bytes(model);
    rknn_context context = 0;
    EXPECT_EQ(rknn_init(&context, bytes.data(), static_cast<uint32_t>(bytes.size()), flags, nullptr), RKNN_SUCC);
    std::memset(bytes.data(), 0, bytes.size());  // the runtime has its own copy
    EXPECT_NE(context, 0u);
    opened_.push_back(context);
    return context;
  }
  void TearDown() override {
    for (const rknn_context context : opened_) rknn_destroy(context);
  }

  static rknn_tensor_attr attr(rknn_context context, rknn_query_cmd cmd, uint32_t index = 0) {
    rknn_tensor_attr attr;
    std::memset(&attr, 0xee, sizeof attr);  // only index is an input
    attr.index = index;
    EXPECT_EQ(rknn_query(context, cmd, &attr, sizeof attr), RKNN_SUCC);
    return attr;
  }
  static rknn_input input(const void* data, size_t bytes, rknn_tensor_type type, rknn_tensor_format fmt) {
    rknn_input input{};
    input.buf = const_cast<void*>(data);
    input.size = static_cast<uint32_t>(bytes);
    input.type = type;
    input.fmt = fmt;
    return input;
  }
  template <class T>
  static int set(rknn_context context, const std::vector<T>& data, rknn_tensor_type type, rknn_tensor_format fmt) {
    rknn_input one = input(data.data(), data.size() * sizeof(T), type, fmt);
    return rknn_inputs_set(context, 1, &one);
  }
  /// int8_model() over pixels().
  static std::vector<int8_t> run_pixels(rknn_context context);
  static const openrknn_functions& door() {
    const openrknn_functions* functions = nullptr;
    EXPECT_EQ(rknn_query(0, static_cast<rknn_query_cmd>(RKNN_QUERY_OPENRKNN), &functions, sizeof functions), RKNN_SUCC);
    return *functions;
  }
  template <class T>
  static std::vector<T> get(rknn_context context, bool want_float, uint32_t index = 0) {
    rknn_output output{};
    output.want_float = want_float;
    output.index = index;
    EXPECT_EQ(rknn_outputs_get(context, 1, &output, nullptr), RKNN_SUCC);
    std::vector<T> result(output.size / sizeof(T));
    if (output.buf != nullptr) std::memcpy(result.data(), output.buf, output.size);
    EXPECT_EQ(rknn_outputs_release(context, 1, &output), RKNN_SUCC);
    return result;
  }

 private:
  std::vector<rknn_context> opened_;
};

/// 2x4x5x3, NHWC.
inline std::vector<uint8_t> pixels() {
  std::vector<uint8_t> data(2 * 4 * 5 * 3);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 7 % 61);
  return data;
}

template <class T>
std::vector<T> to_nchw(const std::vector<T>& nhwc) {
  std::vector<T> nchw(nhwc.size());
  for (int n = 0; n < 2; ++n) {
    for (int c = 0; c < 3; ++c) {
      for (int p = 0; p < 20; ++p)
        nchw[static_cast<size_t>((n * 3 + c) * 20 + p)] = nhwc[static_cast<size_t>((n * 20 + p) * 3 + c)];
    }
  }
  return nchw;
}

/// What int8_model() makes of NHWC pixels, in NCHW codes.
inline std::vector<int8_t> expected_codes() {
  std::vector<int8_t> nhwc;
  const std::vector<uint8_t> data = pixels();
  for (size_t i = 0; i < data.size(); ++i) {
    const float real = (static_cast<float>(data[i]) - static_cast<float>(i % 3 + 1)) / 2.0f;
    const double code = std::nearbyint(static_cast<double>(real) / kScale) + kZeroPoint;
    nhwc.push_back(static_cast<int8_t>(std::max(code, static_cast<double>(kZeroPoint))));
  }
  return to_nchw(nhwc);
}

inline std::vector<int8_t> Capi::run_pixels(rknn_context context) {
  EXPECT_EQ(set(context, pixels(), RKNN_TENSOR_UINT8, RKNN_TENSOR_NHWC), RKNN_SUCC);
  EXPECT_EQ(rknn_run(context, nullptr), RKNN_SUCC);
  return get<int8_t>(context, false);
}

}  // namespace openrknn::test
