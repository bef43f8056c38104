// Random calls of kernels, and the judgement of every fast row this CPU can run: the reference's bytes.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/kernels/kernel.h"

namespace openrknn::fast_cases {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  float real() { return static_cast<float>(integer(-1000000, 1000000)) * 2e-6f; }
  Tensor reals(DType dtype, const Shape& shape, float scale = 1.0f) {
    Tensor tensor(DType::Float32, shape);
    for (float& v : tensor.mutable_values<float>()) v = real() * scale;
    return cast(tensor, dtype);
  }
  Tensor codes(const Shape& shape) {
    Tensor tensor(DType::Int8, shape);
    for (int8_t& v : tensor.mutable_values<int8_t>()) v = static_cast<int8_t>(integer(-128, 127));
    return tensor;
  }

 private:
  std::mt19937 engine_;
};

/// A call with everything it refers to. Inputs with `constant[i]` are known at plan time.
struct Case {
  std::string text;
  Node node;
  std::vector<Tensor> inputs;
  std::vector<bool> constant;
  std::vector<QuantParams> quants;  // per input, then output; empty scale: none
  Layout layout = Layout::Logical;
  DType output = DType::Float32;
  Shape output_shape;
  const Law* law = nullptr;
};

struct Bound {
  std::vector<Operand> inputs, outputs;
  Call call;
  explicit Bound(const Case& c) : inputs(), outputs(), call{c.node, {}, {}, c.law, false} {
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      Operand operand;
      operand.dtype = c.inputs[i].dtype();
      operand.shape = c.inputs[i].shape();
      operand.layout = i == 0 ? c.layout : Layout::Logical;
      operand.present = c.inputs[i].size() > 0;
      if (i < c.quants.size() && !c.quants[i].scale.empty()) operand.quant = &c.quants[i];
      if (c.constant[i] && operand.present) operand.constant = &c.inputs[i];
      inputs.push_back(operand);
    }
    Operand y;
    y.dtype = c.output;
    y.shape = c.output_shape;
    y.layout = c.layout;
    if (c.quants.size() > c.inputs.size()) y.quant = &c.quants.back();
    outputs.push_back(y);
    call.inputs = inputs;
    call.outputs = outputs;
  }
};

inline bool is_reference(const Kernel& kernel) { return kernel.name.find("reference") != std::string_view::npos; }

/// Runs every fast row that takes the case; returns how many did.
inline int judge(const Case& c) {
  const Bound bound(c);
  Weights weights;
  const Kernel* reference = choose_kernel(reference_kernels(), bound.call, 0);
  if (reference == nullptr) {
    ADD_FAILURE() << c.text << ": no reference";
    return 0;
  }
  const std::vector<Tensor> expected = run_kernel(*reference, bound.call, c.inputs, weights);
  int judged = 0;
  for (const Kernel& row : builtin_kernels()) {
    if (row.op != c.node.op || is_reference(row) || (row.needs & ~detect_cpu()) != 0 || !row.accepts(bound.call))
      continue;
    ++judged;
    Weights own;
    const std::vector<Tensor> got = run_kernel(row, bound.call, c.inputs, own);
    EXPECT_TRUE(identical(got[0], expected[0])) << row.name << ": " << c.text;
    if (!identical(got[0], expected[0])) {
      const std::span<const std::byte> a = got[0].bytes(), b = expected[0].bytes();
      size_t first = 0, wrong = 0;
      const size_t width = static_cast<size_t>(bit_width(c.output) / 8);
      for (size_t i = 0; i < a.size(); i += width) {
        if (std::memcmp(&a[i], &b[i], width) != 0 && wrong++ == 0) first = i / width;
      }
      ADD_FAILURE() << wrong << " of " << got[0].size() << " elements differ, the first is " << first << " of "
                    << to_string(c.output_shape);
    }
  }
  return judged;
}

/// True on CPUs that have any fast rows: elsewhere only references exist and there is nothing to judge.
inline bool has_fast_rows() {
#if defined(__aarch64__)
  return true;
#else
  return (detect_cpu() & kCpuAvx2) != 0;
#endif
}

}  // namespace openrknn::fast_cases
