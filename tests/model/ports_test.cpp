#include "core/model/ports.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace openrknn {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
const std::vector<int> kNhwcSource = {0, 2, 3, 1};

Value value(DType dtype, Shape shape) {
  Value result;
  result.name = std::string("x");  // gcc 12 warns of the literal
  result.dtype = dtype;
  result.shape = std::move(shape);
  return result;
}
Value quantized(DType dtype, Shape shape, double scale, int32_t zero_point) {
  Value result = value(dtype, std::move(shape));
  result.quant = QuantParams{{scale}, {zero_point}};
  return result;
}
Tensor floats(Shape shape, const std::vector<float>& values) { return Tensor::from<float>(std::move(shape), values); }
template <class T>
std::vector<T> listed(const Tensor& tensor) {
  return {tensor.values<T>().begin(), tensor.values<T>().end()};
}
Tensor to_graph(const Port& port, const Value& v, const Tensor& array, PortLayout given = PortLayout::Source) {
  return openrknn::to_graph(port, v, array, given, false, Layout::Logical);
}
Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  throw std::logic_error("no error was thrown");
}
std::vector<Diagnostic> problems_of(const std::function<void()>& call) { return error_of(call).diagnostics; }

TEST(Ports, ExpectedShapeFollowsTheLayoutOfFourDimensionsOnly) {
  const Port onnx{"x"}, tensorflow{"x", DType::Float32, kNhwcSource};
  const Shape logical = {1, 3, 4, 5};
  EXPECT_EQ(expected_shape(onnx, logical, PortLayout::Source), logical);
  EXPECT_EQ(expected_shape(onnx, logical, PortLayout::Nhwc), (Shape{1, 4, 5, 3}));
  EXPECT_EQ(expected_shape(tensorflow, logical, PortLayout::Source), (Shape{1, 4, 5, 3}));
  EXPECT_EQ(expected_shape(tensorflow, logical, PortLayout::Nchw), logical);
  EXPECT_EQ(expected_shape(onnx, {1, 7, 9}, PortLayout::Nhwc), (Shape{1, 7, 9}));
  EXPECT_EQ(expected_shape(Port{"x", DType::Float32, {0, 2, 1}}, {1, 7, 9}, PortLayout::Nchw), (Shape{1, 9, 7}));
  EXPECT_EQ(expected_shape(onnx, {}, PortLayout::Source), Shape{});
}

TEST(Ports, NormalizesWithOneSubtractionAndOneDivisionInFloat32) {
  const Port port{"x", DType::Float32, {}, {123.675f, 116.28f, 103.53f}, {58.395f, 57.12f, 57.375f}};
  const std::vector<float> pixels = {0, 1, 128, 255, 17, 33};
  const Tensor y = to_graph(port, value(DType::Float32, {1, 3, 1, 2}), floats({1, 3, 1, 2}, pixels));
  for (size_t i = 0; i < pixels.size(); ++i) {
    EXPECT_EQ(y.values<float>()[i], (pixels[i] - port.mean[i / 2]) / port.std[i / 2]) << i;
  }
}

TEST(Ports, EveryLayoutGivesTheSameLogicalTensor) {
  const Port port{"x", DType::Float32, kNhwcSource, {1, 2, 3}, {4, 5, 6}};
  const Value v = value(DType::Float32, {2, 3, 4, 5});
  Tensor nchw(DType::Float32, v.shape);
  for (int64_t i = 0; i < nchw.size(); ++i)
    nchw.mutable_values<float>()[static_cast<size_t>(i)] = static_cast<float>(i);
  const Tensor nhwc = transpose(nchw, kNhwcSource);
  const Tensor expected = to_graph(port, v, nchw, PortLayout::Nchw);
  EXPECT_EQ(expected.shape(), v.shape);
  EXPECT_TRUE(identical(to_graph(port, v, nhwc, PortLayout::Nhwc), expected));
  EXPECT_TRUE(identical(to_graph(port, v, nhwc, PortLayout::Source), expected));
  for (const auto& [array, layout] : {std::pair(nchw, PortLayout::Nchw), std::pair(nhwc, PortLayout::Nhwc)}) {
    const Tensor last = openrknn::to_graph(port, v, array, layout, false, Layout::ChannelsLast);
    EXPECT_EQ(last.shape(), (Shape{2, 4, 5, 3}));
    EXPECT_TRUE(identical(last, transpose(expected, {0, 2, 3, 1})));
  }
}

TEST(Ports, ChannelsAreTheSecondDimensionOfAnyRank) {
  const Port two{"x", DType::Float32, {}, {1, 2}, {}};
  EXPECT_EQ(listed<float>(to_graph(two, value(DType::Float32, {1, 2}), floats({1, 2}, {5, 5}))),
            (std::vector<float>{4, 3}));
  EXPECT_EQ(listed<float>(to_graph(two, value(DType::Float32, {1, 2, 2}), floats({1, 2, 2}, {5, 5, 5, 5}))),
            (std::vector<float>{4, 4, 3, 3}));
  EXPECT_EQ(listed<float>(to_graph(two, value(DType::Float32, {2}), floats({2}, {5, 5}))), (std::vector<float>{4, 3}));
  const Port last{"x", DType::Float32, {0, 2, 1}, {1, 2}, {}};
  EXPECT_EQ(listed<float>(to_graph(last, value(DType::Float32, {1, 2, 2}), floats({1, 2, 2}, {5, 5, 5, 5}))),
            (std::vector<float>{4, 4, 3, 3}));
  const Port one{"x", DType::Float32, {}, {}, {2}};
  EXPECT_EQ(listed<float>(to_graph(one, value(DType::Float32, {}), floats({}, {5}))), (std::vector<float>{2.5f}));
}

TEST(Ports, QuantizesHalfToEvenAndSaturates) {
  const Value v = quantized(DType::Int8, {8}, 0.5, 1);
  const Tensor y = to_graph(Port{"x"}, v, floats({8}, {0.25f, 0.75f, -0.25f, -0.75f, 63.0f, 64.0f, -1e30f, kInfinity}));
  // x / 0.5 + 1: 1.5, 2.5, 0.5, -0.5, 127, 129, …
  EXPECT_EQ(listed<int8_t>(y), (std::vector<int8_t>{2, 2, 0, 0, 127, 127, -128, 127}));
}

TEST(Ports, NanPassesIntoFloatsAndCountsAsZeroInCodes) {
  EXPECT_TRUE(std::isnan(listed<float>(to_graph(Port{"x"}, value(DType::Float32, {1}), floats({1}, {kNan})))[0]));
  EXPECT_EQ(listed<int8_t>(to_graph(Port{"x"}, quantized(DType::Int8, {1}, 0.5, -7), floats({1}, {kNan})))[0], -7);
}

TEST(Ports, Float16ValuesRoundToNearestEven) {
  const Tensor y = to_graph(Port{"x"}, value(DType::Float16, {4}), floats({4}, {1.0f, 2049.0f, 2051.0f, 1e6f}));
  std::vector<float> got;
  for (const Float16 half : y.values<Float16>()) got.push_back(half);
  EXPECT_EQ(got, (std::vector<float>{1.0f, 2048.0f, 2052.0f, kInfinity}));
}

// The table of a one-byte array and the vector loops of wider ones must be the same function.
TEST(Ports, EveryArrayTypeAndSizeGivesTheSameResult) {
  std::mt19937 random(7);
  for (const DType target : {DType::Int8, DType::UInt8, DType::Int16, DType::Float16, DType::Float32}) {
    for (const int64_t channels : {1, 3, 5, 1500}) {
      for (const int64_t side : {1, 2, 37}) {
        if (channels * side * side > 10000) continue;
        Port port{"x", DType::Float32, {}, {}, {}};
        for (int64_t c = 0; c < channels; ++c) {
          port.mean.push_back(static_cast<float>(random() % 2550) / 10);
          port.std.push_back(1 + static_cast<float>(random() % 700) / 10);
        }
        Value v = value(target, {2, channels, side, side});
        if (is_integer(target)) v.quant = QuantParams{{0.0186}, {-14}};
        for (const PortLayout layout : {PortLayout::Nchw, PortLayout::Nhwc}) {
          Tensor bytes(DType::UInt8, expected_shape(port, v.shape, layout));
          for (uint8_t& x : bytes.mutable_values<uint8_t>()) x = static_cast<uint8_t>(random() % 128);
          const Tensor expected = to_graph(port, v, cast(bytes, DType::Float64), layout);
          for (const DType given :
               {DType::UInt8, DType::Int8, DType::Int32, DType::Int64, DType::UInt16, DType::Float16, DType::Float32}) {
            EXPECT_TRUE(identical(to_graph(port, v, cast(bytes, given), layout), expected))
                << name(given) << " to " << name(target) << " " << to_string(v.shape) << " layout "
                << static_cast<int>(layout);
          }
        }
      }
    }
  }
}

TEST(Ports, SignedBytesAreSignedInTheTable) {
  Tensor array(DType::Int8, {1, 1, 64, 64});
  for (int64_t i = 0; i < array.size(); ++i)
    array.mutable_values<int8_t>()[static_cast<size_t>(i)] = static_cast<int8_t>(i);
  const Tensor y = to_graph(Port{"x", DType::Float32, {}, {1}, {}}, value(DType::Float32, array.shape()), array);
  for (size_t i = 0; i < 256; ++i) EXPECT_EQ(y.values<float>()[i], static_cast<float>(static_cast<int8_t>(i)) - 1);
}

TEST(Ports, NeutralMeanAndStdLeaveTheCallersBytesAlone) {
  const Port port{"x", DType::Float32, {}, {0, 0}, {1, 1}};
  const Tensor array = floats({1, 2}, {-0.0f, kNan});
  const Tensor y = to_graph(port, value(DType::Float32, {1, 2}), array);
  EXPECT_EQ(y.bytes().data(), array.bytes().data()) << "shared, not copied";
}

TEST(Ports, MovingADimensionOfOneElementCopiesNothing) {
  const Tensor array = floats({1, 2, 2, 1}, {1, 2, 3, 4});
  const Tensor y = to_graph(Port{"x"}, value(DType::Float32, {1, 1, 2, 2}), array, PortLayout::Nhwc);
  EXPECT_EQ(y.shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(y.bytes().data(), array.bytes().data());
}

TEST(Ports, IntegersStayWhatTheyAre) {
  const Value ids = value(DType::Int64, {1, 3});
  const std::vector<int64_t> expected = {101, -5, 30522};
  EXPECT_EQ(listed<int64_t>(to_graph(Port{"ids"}, ids, Tensor::from<int64_t>({1, 3}, expected))), expected);
  EXPECT_EQ(listed<int64_t>(to_graph(Port{"ids"}, ids, Tensor::from<int32_t>({1, 3}, {101, -5, 30522}))), expected);
  EXPECT_EQ(listed<int64_t>(to_graph(Port{"ids"}, ids, floats({1, 3}, {101, -5, 30522}))), expected);
  EXPECT_EQ(to_ints(to_graph(Port{"mask"}, value(DType::Bool, {3}), floats({3}, {0, 2, 1}))),
            (std::vector<int64_t>{0, 1, 1}));
}

TEST(Ports, IntegersThatWouldChangeAreRefused) {
  const auto refused = [](DType dtype, const Tensor& array) {
    const Error error = error_of([&] { to_graph(Port{"ids"}, value(dtype, array.shape()), array); });
    EXPECT_EQ(error.code(), Code::RuntimeBadInput);
    return std::string(error.what());
  };
  EXPECT_EQ(refused(DType::Int64, floats({2}, {1, 3.5f})),
            "tensor 'ids': E0603 runtime.bad-input: element 1 is 3.5, which int64 cannot hold; give int64 values");
  refused(DType::Int8, Tensor::from<uint8_t>({1}, {200}));
  refused(DType::UInt64, Tensor::from<int64_t>({1}, {-1}));
  refused(DType::Int32, floats({1}, {kNan}));
  refused(DType::Int32, floats({1}, {1e12f}));
}

TEST(Ports, MeanAndStdOfAnIntegerInputAreRefusedUnlessNeutral) {
  const Value ids = value(DType::Int64, {1, 2});
  const Tensor array = Tensor::from<int64_t>({1, 2}, {1, 2});
  EXPECT_EQ(problems_of([&] {
              to_graph(Port{"ids", DType::Int64, {}, {1, 1}, {}}, ids, array);
            })[0]
                .code,
            Code::ConfigBadMeanStd);
  EXPECT_TRUE(identical(to_graph(Port{"ids", DType::Int64, {}, {0, 0}, {1, 1}}, ids, array), array));
}

TEST(Ports, AWrongNumberOfMeanValuesIsNamed) {
  const Error error = error_of([] {
    to_graph(Port{"x", DType::Float32, {}, {1, 2}, {}}, value(DType::Float32, {1, 3}), floats({1, 3}, {1, 2, 3}));
  });
  EXPECT_STREQ(error.what(),
               "tensor 'x': E0704 config.bad-mean-std: 2 mean values for 3 channels; give one per channel");
}

TEST(Ports, WrongShapesAreRefusedWithAHint) {
  const Value v = value(DType::Float32, {1, 3, 4, 4});
  const auto message = [&](Shape shape, PortLayout layout) {
    return std::string(error_of([&] { to_graph(Port{"x"}, v, Tensor::zeros(DType::Float32, shape), layout); }).what());
  };
  EXPECT_EQ(
      message({1, 3, 4, 4}, PortLayout::Nhwc),
      "tensor 'x': E0603 runtime.bad-input: the array's shape is [1, 3, 4, 4], expected [1, 4, 4, 3] (nhwc); this "
      "looks like nchw: transpose the array, or say that its layout is nchw");
  EXPECT_EQ(message({1, 4, 4, 3}, PortLayout::Source),
            "tensor 'x': E0603 runtime.bad-input: the array's shape is [1, 4, 4, 3], expected [1, 3, 4, 4]; this looks "
            "like nhwc: transpose the array, or say that its layout is nhwc");
  EXPECT_EQ(message({3, 4, 4}, PortLayout::Source),
            "tensor 'x': E0603 runtime.bad-input: the array's shape is [3, 4, 4], expected [1, 3, 4, 4]; add the batch "
            "dimension: array[None]");
  EXPECT_EQ(message({1, 3, 4, 5}, PortLayout::Source),
            "tensor 'x': E0603 runtime.bad-input: the array's shape is [1, 3, 4, 5], expected [1, 3, 4, 4]");
}

TEST(Ports, PassThroughChangesPlacesOnly) {
  const Port port{"x", DType::Float32, {}, {9, 9}, {9, 9}};
  const Value v = quantized(DType::Int8, {1, 2, 1, 2}, 0.5, 3);
  const Tensor codes = Tensor::from<int8_t>({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor y = openrknn::to_graph(port, v, codes, PortLayout::Nhwc, true, Layout::Logical);
  EXPECT_EQ(listed<int8_t>(y), (std::vector<int8_t>{1, 3, 2, 4}));
  EXPECT_TRUE(identical(openrknn::to_graph(port, v, codes, PortLayout::Nhwc, true, Layout::ChannelsLast), codes));
  const Error error = error_of(
      [&] { openrknn::to_graph(port, v, cast(codes, DType::UInt8), PortLayout::Nhwc, true, Layout::Logical); });
  EXPECT_STREQ(error.what(), "tensor 'x': E0603 runtime.bad-input: the array is uint8, pass-through needs int8");
}

TEST(Ports, EmptyArraysPass) {
  const Port port{"x", DType::Float32, {}, {1, 1}, {2, 2}};
  const Tensor y = to_graph(port, value(DType::Float32, {1, 2, 0}), Tensor::zeros(DType::UInt8, {1, 2, 0}));
  EXPECT_EQ(y.shape(), (Shape{1, 2, 0}));
}

TEST(Ports, ResultsComeBackInSourceOrderAsCodesOrAsFloats) {
  const Port port{"y", DType::Float32, kNhwcSource};
  const Value v = quantized(DType::Int8, {1, 2, 1, 2}, 0.5, 3);
  const Tensor codes = Tensor::from<int8_t>({1, 2, 1, 2}, {1, 2, 3, -128});
  const Tensor raw = from_graph(port, v, codes, false);
  EXPECT_EQ(raw.shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(listed<int8_t>(raw), (std::vector<int8_t>{1, 3, 2, -128}));
  EXPECT_EQ(listed<float>(from_graph(port, v, codes, true)), (std::vector<float>{-1.0f, 0.0f, -0.5f, -65.5f}));
}

TEST(Ports, ResultsThatAreNotQuantizedConvertByValue) {
  const Tensor ids = Tensor::from<int64_t>({2}, {-3, 70000});
  EXPECT_EQ(listed<float>(from_graph(Port{"y"}, value(DType::Int64, {2}), ids, true)), (std::vector<float>{-3, 70000}));
  EXPECT_TRUE(identical(from_graph(Port{"y"}, value(DType::Int64, {2}), ids, false), ids));
  const Tensor half = cast(floats({2}, {0.5f, -2}), DType::Float16);
  EXPECT_EQ(listed<float>(from_graph(Port{"y"}, value(DType::Float16, {2}), half, true)),
            (std::vector<float>{0.5f, -2}));
  EXPECT_EQ(error_of([&] { from_graph(Port{"y"}, value(DType::Int32, {2}), ids, true); }).code(), Code::Internal);
}

TEST(QuantizeTensor, PerChannelAlongTheAxis) {
  QuantParams quant{{0.5, 2.0}, {0, 10}, 1};
  const Tensor real = floats({2, 2, 2}, {1, 2, 1, 2, -3, 1000, -3, 1000});
  const Tensor codes = quantize_tensor(real, quant, DType::Int8);
  EXPECT_EQ(listed<int8_t>(codes), (std::vector<int8_t>{2, 4, 10, 11, -6, 127, 8, 127}));  // 10.5 to even, 8.5 to even
  EXPECT_EQ(listed<float>(dequantize_tensor(codes, quant)), (std::vector<float>{1, 2, 0, 2, -3, 63.5f, -4, 234}));
}

TEST(QuantizeTensor, UsesDoublesThroughout) {
  const Tensor real = Tensor::from<double>({1}, {0.1 + 1e-12});
  // In float32 this would be a tie at most; in double it is above the middle of codes 0 and 1.
  EXPECT_EQ(listed<int8_t>(quantize_tensor(real, {{0.2}, {0}}, DType::Int8))[0], 1);
  EXPECT_EQ(listed<int32_t>(quantize_tensor(Tensor::from<double>({1}, {2147483646.0}), {{1.0}, {0}}, DType::Int32))[0],
            2147483646);
}

TEST(QuantizeTensor, FourBitCodesSaturateAtFourBits) {
  const Tensor codes = quantize_tensor(floats({5}, {-100, -8, 0.4f, 7, 9}), {{1.0}, {0}}, DType::Int4);
  EXPECT_EQ(codes.dtype(), DType::Int4);
  EXPECT_EQ(to_ints(codes), (std::vector<int64_t>{-8, -8, 0, 7, 7}));
  EXPECT_EQ(listed<float>(dequantize_tensor(codes, {{0.5}, {-2}})), (std::vector<float>{-3, -3, 1, 4.5f, 4.5f}));
  EXPECT_EQ(to_ints(quantize_tensor(floats({3}, {-1, 12.5f, 99}), {{1.0}, {0}}, DType::UInt4)),
            (std::vector<int64_t>{0, 12, 15}));
}

TEST(QuantizeTensor, RunsLongerThanAChunkAreWhole) {
  Tensor real(DType::Float32, {3, 5000});
  for (int64_t i = 0; i < real.size(); ++i)
    real.mutable_values<float>()[static_cast<size_t>(i)] = static_cast<float>(i % 200);
  const QuantParams quant{{1.0, 2.0, 4.0}, {-100, 0, 5}, 0};
  const Tensor codes = quantize_tensor(real, quant, DType::Int8);
  for (size_t i = 0; i < 15000; ++i) {
    const double x = static_cast<double>(i % 200) / quant.scale[i / 5000] + quant.zero_point[i / 5000];
    ASSERT_EQ(codes.values<int8_t>()[i], std::min(127.0, std::nearbyint(x))) << i;
  }
}

TEST(QuantizeTensor, RefusesWhatIsNotACode) {
  const Tensor real = floats({2}, {1, 2});
  EXPECT_EQ(problems_of([&] { quantize_tensor(real, {{1.0}, {0}}, DType::Float16); })[0].code, Code::Internal);
  EXPECT_EQ(problems_of([&] {
              quantize_tensor(real, {{1.0, 1.0, 1.0}, {0, 0, 0}, 0}, DType::Int8);
            })[0]
                .code,
            Code::Internal);
  EXPECT_EQ(problems_of([&] { quantize_tensor(real, {{1.0}, {0}, 0, 32}, DType::Int8); })[0].code, Code::Internal);
}

// Scale index: channel * groups + group. Input channels are the dimension beside that of the channels; the last group
// may be short.
TEST(QuantizeTensor, GroupsAreRunsOfInputChannels) {
  const QuantParams conv{{1.0, 0.5, 2.0, 0.25}, {0, 0, 0, 0}, 0, 2};  // [O, I]
  const Tensor codes = quantize_tensor(floats({2, 3}, {1, 2, 3, 4, 5, 6}), conv, DType::Int8);
  EXPECT_EQ(to_doubles(codes), (std::vector<double>{1, 2, 6, 2, 2, 24}));
  EXPECT_EQ(to_doubles(dequantize_tensor(codes, conv)), (std::vector<double>{1, 2, 3, 4, 4, 6}));
  const QuantParams matmul{{1.0, 0.5, 2.0, 0.25}, {0, 0, 0, 0}, 1, 2};  // [K, N]
  EXPECT_EQ(to_doubles(quantize_tensor(floats({3, 2}, {1, 4, 2, 5, 3, 6}), matmul, DType::Int8)),
            (std::vector<double>{1, 2, 2, 2, 6, 24}));
}

}  // namespace
}  // namespace openrknn
