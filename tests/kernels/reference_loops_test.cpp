// Loops of reference kernels that copy or compare several elements at a time, against one element after the other.
#include <cmath>
#include <cstring>

#include "core/kernels/math.h"
#include "kernels/fast_cases.h"

namespace openrknn {
namespace {

using fast_cases::Case;
using fast_cases::Random;

Case case_of(const std::string& op, std::vector<Tensor> inputs, const Shape& y, Attributes attributes) {
  Case c;
  c.text = op;
  c.node.name = c.node.op = op;
  c.node.attributes = std::move(attributes);
  c.output = inputs[0].dtype();
  c.inputs = std::move(inputs);
  c.constant.assign(c.inputs.size(), false);
  c.output_shape = y;
  return c;
}
Tensor result_of(const Case& c) {
  const fast_cases::Bound bound(c);
  Weights weights;
  return run_kernel(*choose_kernel(reference_kernels(), bound.call, 0), bound.call, c.inputs, weights)[0];
}
Tensor numbered(DType dtype, const Shape& shape) {
  Tensor x(DType::Int32, shape);
  int32_t next = 1;
  for (int32_t& v : x.mutable_values<int32_t>()) v = next++;
  return cast(x, dtype);
}
std::vector<double> numbers(const Tensor& x) { return to_doubles(x); }

TEST(ReferenceConcat, ShortRunsLieSideBySide) {
  for (const DType dtype : {DType::UInt8, DType::Float16, DType::Float32, DType::Int64}) {
    for (const std::vector<int64_t>& widths : {std::vector<int64_t>{2, 2}, {1, 1, 1, 1}, {3, 1, 5}, {8, 0, 7}}) {
      const int64_t rows = 30000;  // several tiles
      std::vector<Tensor> parts;
      int64_t width = 0;
      for (const int64_t w : widths) {
        parts.push_back(numbered(dtype, {rows, w}));
        width += w;
      }
      const Tensor y = result_of(case_of("Concat", parts, {rows, width}, {{"axis", int64_t{1}}}));
      const std::vector<double> got = numbers(y);
      size_t at = 0;
      std::vector<std::vector<double>> from;
      for (const Tensor& part : parts) from.push_back(numbers(part));
      for (int64_t row = 0; row < rows; ++row) {
        for (size_t p = 0; p < parts.size(); ++p) {
          for (int64_t i = 0; i < widths[p]; ++i, ++at) {
            ASSERT_EQ(got[at], from[p][static_cast<size_t>(row * widths[p] + i)]) << name(dtype) << ' ' << at;
          }
        }
      }
    }
  }
}

TEST(ReferenceSlice, ShortRowsAndStepsOfTwo) {
  for (const DType dtype : {DType::UInt8, DType::Float16, DType::Float32, DType::Int64}) {
    for (const int64_t step : {1, 2, 3}) {
      for (int64_t width = 1; width < 70; ++width) {
        const int64_t planes = 3, rows = 11, extent = (width - 1) * step + 4;
        const Tensor x = numbered(dtype, {planes, rows, extent});
        const Tensor y = result_of(case_of("Slice", {x}, {planes, 5, width},
                                           {{"starts", std::vector<int64_t>{0, 1, 2}},
                                            {"ends", std::vector<int64_t>{planes, 11, 2 + (width - 1) * step + 1}},
                                            {"steps", std::vector<int64_t>{1, 2, step}}}));
        const std::vector<double> from = numbers(x), got = numbers(y);
        size_t at = 0;
        for (int64_t plane = 0; plane < planes; ++plane) {
          for (int64_t row = 0; row < 5; ++row) {
            for (int64_t i = 0; i < width; ++i, ++at) {
              const int64_t source = (plane * rows + 1 + 2 * row) * extent + 2 + i * step;
              ASSERT_EQ(got[at], from[static_cast<size_t>(source)]) << name(dtype) << ' ' << width << ' ' << step;
            }
          }
        }
      }
    }
  }
}

TEST(ReferenceTrilu, EveryDiagonal) {
  const int64_t rows = 150, columns = 130;  // several tiles, which begin within a row
  const Tensor x = numbered(DType::Float32, {2, rows, columns});
  const std::vector<double> from = numbers(x);
  for (const int64_t k : {-200, -7, 0, 1, 129, 500}) {
    for (const int64_t upper : {0, 1}) {
      const Tensor y = result_of(case_of("Trilu", {x}, x.shape(), {{"k", k}, {"upper", upper}}));
      const std::vector<double> got = numbers(y);
      for (int64_t i = 0; i < x.size(); ++i) {
        const int64_t row = i / columns % rows, column = i % columns;
        const bool stays = upper ? column - row >= k : column - row <= k;
        ASSERT_EQ(got[static_cast<size_t>(i)], stays ? from[static_cast<size_t>(i)] : 0.0) << k << ' ' << upper;
      }
    }
  }
}

/// The first of equal extremes, zeros of both signs among them, and the last NaN.
TEST(ReferenceReduce, ExtremesAreThoseOfOneAfterTheOther) {
  Random random(1);
  for (int round = 0; round < 400; ++round) {
    const int64_t count = random.integer(1, 70);
    Tensor x(DType::Float32, {count});
    const bool nans = random.integer(0, 3) == 0;
    for (float& v : x.mutable_values<float>()) {
      const int64_t kind = random.integer(0, nans ? 23 : 19);  // few zeros: they are the extreme of one round in two
      uint32_t nan = 0x7fc00000u | static_cast<uint32_t>(random.integer(0, 1000));
      const float size = std::fabs(random.real()) + 0.1f;
      v = kind == 0 ? -0.0f : kind == 1 ? 0.0f : round % 2 == 0 ? -size : size;
      if (kind > 19) std::memcpy(&v, &nan, sizeof(v));
    }
    for (const char* op : {"ReduceMax", "ReduceMin"}) {
      const bool max = std::string(op) == "ReduceMax";
      float expected = max ? -INFINITY : INFINITY;
      for (const float v : x.values<float>()) {
        if ((max ? v > expected : v < expected) || v != v) expected = v;
      }
      const Tensor y = result_of(case_of(op, {x}, {1}, {{"axes", std::vector<int64_t>{0}}, {"keepdims", int64_t{1}}}));
      const float got = y.values<float>()[0];
      EXPECT_EQ(std::memcmp(&got, &expected, sizeof(got)), 0) << op << ' ' << got << " for " << expected;
    }
  }
}

TEST(ReferenceSoftmax, CodesAreThoseOfOneAfterTheOther) {
  Random random(3);
  const double x_scale = 0.04;
  const QuantParams y_quant{{1.0 / 256}, {-128}};
  for (const int64_t count : {1, 5, 31, 32, 33, 197, 500}) {
    for (const int64_t inner : {1, 3}) {
      for (const int spread : {0, 10, 127}) {
        Tensor x(DType::Int8, {count, inner});
        for (int8_t& v : x.mutable_values<int8_t>()) v = static_cast<int8_t>(random.integer(-1 - spread, spread));
        Case c = case_of("Softmax", {x}, x.shape(), {{"axis", int64_t{0}}});
        c.quants = {{{x_scale}, {7}}, y_quant};
        c.law = &all_laws()[0];
        const Tensor y = result_of(c);
        for (int64_t column = 0; column < inner; ++column) {
          const auto code = [&](int64_t i) { return x.values<int8_t>()[static_cast<size_t>(i * inner + column)]; };
          int32_t most = -128;
          for (int64_t i = 0; i < count; ++i) most = std::max<int32_t>(most, code(i));
          const auto term = [&](int64_t i) {
            const float exponential = math::exp(static_cast<float>(-(most - code(i)) * x_scale));
            return std::nearbyint(static_cast<double>(exponential) * (1 << 30));
          };
          double sum = 0;
          for (int64_t i = 0; i < count; ++i) sum += term(i);
          for (int64_t i = 0; i < count; ++i) {
            const double real = std::nearbyint(term(i) / sum / y_quant.scale[0] - 128);
            EXPECT_EQ(y.values<int8_t>()[static_cast<size_t>(i * inner + column)], std::min(real, 127.0)) << count;
          }
        }
      }
    }
  }
}

TEST(ReferenceUnary, RoundingKeepsSignsAndLargeNumbers) {
  Tensor x(DType::Float32, {4000});
  Random random(2);
  const float special[] = {0.0f,      -0.0f,      0.5f,        -0.5f,        1.5f,       2.5f,     -2.5f,
                           0x1p23f,   -0x1p23f,   8388607.5f,  -8388607.5f,  3e38f,      INFINITY, -INFINITY,
                           0x1p-149f, -0x1p-149f, 0.99999994f, -0.99999994f, 4194304.5f, NAN};
  size_t i = 0;
  for (float& v : x.mutable_values<float>()) {
    v = i < std::size(special) ? special[i] : std::ldexp(random.real(), static_cast<int>(random.integer(-4, 30)));
    ++i;
  }
  const auto expect = [&](const char* op, float (*function)(float)) {
    const Tensor y = result_of(case_of(op, {x}, x.shape(), {}));
    for (size_t at = 0; at < 4000; ++at) {
      const float in = x.values<float>()[at], expected = function(in), got = y.values<float>()[at];
      EXPECT_EQ(std::memcmp(&got, &expected, sizeof(got)), 0) << op << ' ' << in << ": " << got;
    }
  };
  expect("Round", [](float v) { return std::nearbyint(v); });
  expect("Floor", [](float v) { return std::floor(v); });
  expect("Ceil", [](float v) { return std::ceil(v); });
}

TEST(ReferenceCast, FloatsSaturateAndTruncate) {
  const float values[] = {0.9f,   -0.9f,  127.9f,   128.0f,        -128.9f,       -129.0f,
                          255.5f, 256.0f, 65536.0f, 2147483520.0f, 2147483648.0f, -2147483648.0f,
                          -3e9f,  1e20f,  -1e20f,   INFINITY,      -INFINITY,     NAN};
  Tensor x(DType::Float32, {std::ssize(values)});
  std::memcpy(x.mutable_bytes().data(), values, sizeof(values));
  for (const DType to : {DType::Int8, DType::UInt8, DType::Int16, DType::UInt16, DType::Int32, DType::UInt32}) {
    Case c = case_of("Cast", {x}, x.shape(), {{"to", static_cast<int64_t>(to)}});
    c.output = to;
    const std::vector<double> got = numbers(result_of(c));
    for (size_t i = 0; i < std::size(values); ++i) {
      const double low = static_cast<double>(lowest_code(to)), high = static_cast<double>(highest_code(to));
      const double wanted = std::isnan(values[i]) ? 0.0 : std::trunc(std::clamp<double>(values[i], low, high));
      EXPECT_EQ(got[i], wanted) << name(to) << ' ' << values[i];
    }
  }
}

}  // namespace
}  // namespace openrknn
