// Requests taken apart: what is in them, and what is wrong with them.
#include "runtime/server/infer_request.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/dtype.h"
#include "core/base/error.h"

namespace openrknn::server {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

/// The JSON alone.
InferRequest parse(const std::string& text, const RequestLimits& limits = {}) {
  return parse_infer_request(bytes_of(text), std::nullopt, limits);
}

/// The JSON with `binary` behind it.
InferRequest parse(const std::string& text, const std::string& binary, std::string& body) {
  body = text + binary;
  return parse_infer_request(bytes_of(body), text.size());
}

std::string failure(const std::string& text, const RequestLimits& limits = {}) {
  try {
    parse(text, limits);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string failure_with(const std::string& text, const std::string& binary) {
  std::string body;
  try {
    parse(text, binary, body);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

template <class T>
std::vector<T> elements(const InferInput& input, size_t count) {
  std::vector<T> values(count);
  std::memcpy(values.data(), input.data, count * sizeof(T));
  return values;
}

std::string input(const std::string& datatype, const std::string& shape, const std::string& data) {
  return R"({"inputs":[{"name":"x","datatype":")" + datatype + R"(","shape":)" + shape + R"(,"data":)" + data + "}]}";
}

TEST(InferRequest, TakesNumbersFlatAndNested) {
  for (const char* data : {"[1,2,3,4.5]", "[[1,2],[3,4.5]]", "[[[1],[2]],[[3],[4.5]]]"}) {
    const InferRequest request = parse(input("FP32", "[2,2]", data));
    ASSERT_EQ(request.inputs.size(), 1u);
    EXPECT_EQ(request.inputs[0].name, "x");
    EXPECT_EQ(request.inputs[0].shape, (std::vector<int64_t>{2, 2}));
    EXPECT_EQ(elements<float>(request.inputs[0], 4), (std::vector<float>{1, 2, 3, 4.5f}));
  }
}

TEST(InferRequest, TakesEveryTypeToItsLimits) {
  EXPECT_EQ(elements<int8_t>(parse(input("INT8", "[2]", "[-128,127]")).inputs[0], 2), (std::vector<int8_t>{-128, 127}));
  EXPECT_EQ(elements<uint8_t>(parse(input("UINT8", "[2]", "[0,255]")).inputs[0], 2), (std::vector<uint8_t>{0, 255}));
  EXPECT_EQ(elements<int64_t>(parse(input("INT64", "[2]", "[-9223372036854775808,9223372036854775807]")).inputs[0], 2),
            (std::vector<int64_t>{std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}));
  EXPECT_EQ(elements<uint32_t>(parse(input("UINT32", "[1]", "[4294967295]")).inputs[0], 1),
            (std::vector<uint32_t>{4294967295u}));
  EXPECT_EQ(elements<uint8_t>(parse(input("BOOL", "[4]", "[true,false,1,0]")).inputs[0], 4),
            (std::vector<uint8_t>{1, 0, 1, 0}));
  EXPECT_EQ(elements<uint16_t>(parse(input("FP16", "[1]", "[1.5]")).inputs[0], 1),
            (std::vector<uint16_t>{float_to_half_bits(1.5f)}));
}

TEST(InferRequest, RefusesNumbersThatTheTypeDoesNotHave) {
  const std::pair<const char*, const char*> cases[] = {
      {"INT8", "[128]"},
      {"INT8", "[-129]"},
      {"UINT8", "[-1]"},
      {"UINT8", "[256]"},
      {"INT32", "[1.0]"},
      {"INT64", "[1e3]"},
      {"BOOL", "[2]"},
      {"FP32", "[true]"},
      {"FP32", "[\"1\"]"},
      {"FP32", "[null]"},
      {"INT64", "[9223372036854775808]"},
      {"UINT16", "[65536]"},
      {"FP16", "[{}]"},
  };
  for (const auto& [datatype, data] : cases) {
    EXPECT_NE(failure(input(datatype, "[1]", data)).find("'data' has something that is no"), std::string::npos)
        << datatype << ' ' << data << ": " << failure(input(datatype, "[1]", data));
  }
}

TEST(InferRequest, LooksIntoTheBodyForBinaryTensors) {
  const float values[] = {1, 2, 3};
  const std::string binary(reinterpret_cast<const char*>(values), sizeof values);
  const std::string text =
      R"({"id":"7","inputs":[{"name":"a","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}},)"
      R"({"name":"b","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]})";
  std::string body;
  const InferRequest request = parse(text, binary, body);
  EXPECT_EQ(request.id, "7");
  ASSERT_EQ(request.inputs.size(), 2u);
  EXPECT_EQ(elements<float>(request.inputs[0], 1), (std::vector<float>{1}));
  EXPECT_EQ(elements<float>(request.inputs[1], 2), (std::vector<float>{2, 3}));
}

TEST(InferRequest, TensorsAreAlignedWhereverTheyLieInTheBody) {
  for (size_t padding = 0; padding < 8; ++padding) {
    const std::string text =
        R"({"inputs":[{"name":"a","datatype":"UINT8","shape":[3],"parameters":{"binary_data_size":3}},)"
        R"({"name":"b","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}}]})" +
        std::string(padding, ' ');
    std::string body;
    const InferRequest request = parse(text, std::string("abc") + std::string("\1\0\0\0\0\0\0\0", 8), body);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(request.inputs[1].data) % 8, 0u);
    EXPECT_EQ(elements<int64_t>(request.inputs[1], 1), (std::vector<int64_t>{1}));
  }
}

TEST(InferRequest, SaysWhichOutputsAndHow) {
  const InferRequest request = parse(R"({"inputs":[],"parameters":{"binary_data_output":true,"core_mask":3},)"
                                     R"("outputs":[{"name":"y","parameters":{"binary_data":false}},{"name":"z"}]})");
  EXPECT_TRUE(request.binary_by_default);
  EXPECT_EQ(request.core_mask, 3u);
  ASSERT_EQ(request.outputs.size(), 2u);
  EXPECT_FALSE(request.outputs[0].binary);
  EXPECT_TRUE(request.outputs[1].binary);
}

TEST(InferRequest, SizesOfBinaryTensorsHaveToAgree) {
  const auto with_size = [](const std::string& shape, const std::string& size) {
    return R"({"inputs":[{"name":"x","datatype":"FP32","shape":)" + shape + R"(,"parameters":{"binary_data_size":)" +
           size + "}}]}";
  };
  EXPECT_EQ(failure_with(with_size("[2]", "8"), std::string(8, 'x')), "no error");
  EXPECT_NE(
      failure_with(with_size("[2]", "4"), "abcd").find("binary_data_size is 4, a tensor of this shape and type has 8"),
      std::string::npos);
  EXPECT_NE(failure_with(with_size("[2]", "8"), "abcd").find("only 4 bytes are left"), std::string::npos);
  EXPECT_NE(failure_with(with_size("[2]", "8"), std::string(9, 'x')).find("9 bytes follow the JSON"),
            std::string::npos);
  EXPECT_NE(failure_with(with_size("[2]", "-8"), std::string(8, 'x')).find("binary_data_size"), std::string::npos);
  EXPECT_NE(failure_with(with_size("[4611686018427387904,4]", "0"), "").find("'shape' has"), std::string::npos);
  EXPECT_NE(failure_with(with_size("[1073741824,1073741824,1073741824]", "0"), "").find("more than"),
            std::string::npos);
}

TEST(InferRequest, HeaderLengthsBeyondTheBodyAreRefused) {
  const std::string text = R"({"inputs":[]})";
  EXPECT_THROW(parse_infer_request(bytes_of(text), text.size() + 1), Error);
  EXPECT_THROW(parse_infer_request(bytes_of(text), SIZE_MAX), Error);
  EXPECT_THROW(parse_infer_request(bytes_of(text), 0), Error);
  EXPECT_THROW(parse_infer_request(bytes_of(text), text.size() - 1), Error);
}

TEST(InferRequest, WhatIsNoRequestIsSaid) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "this is no JSON"},
      {"{", "this is no JSON"},
      {"{\"inputs\":[]} x", "this is no JSON"},
      {"[]", "the request is no JSON object"},
      {"{}", "'inputs' is missing"},
      {R"({"inputs":{}})", "'inputs' is object"},
      {R"({"inputs":[1]})", "an entry of 'inputs' is number"},
      {R"({"inputs":[],"id":7})", "'id' is no string"},
      {R"({"inputs":[],"parameters":{"sequence_id":1}})", "parameter 'sequence_id'"},
      {R"({"inputs":[],"parameters":{"core_mask":-1}})", "parameter 'core_mask' with -1"},
      {R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":["a"]}]})", "'datatype' is 'BYTES'"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[-1],"data":[1]}]})", "'shape' has -1"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":3,"data":[1]}]})", "'shape' is number"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]})", "has neither 'data' nor binary_data_size"},
      {R"({"inputs":[{"datatype":"FP32","shape":[1],"data":[1]}]})", "has no name"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[3],"data":[1]}]})", "'data' has 1 numbers, the shape 3"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"shared_memory_region":"r"}}]})",
       "parameter 'shared_memory_region'"},
      {R"({"inputs":[],"outputs":[{"name":"y","parameters":{"classification":3}}]})", "parameter 'classification'"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_NE(failure(text).find(expected), std::string::npos) << text << " gave " << failure(text);
    EXPECT_NE(failure(text).find("E0801 server.bad-request"), std::string::npos) << failure(text);
  }
}

TEST(InferRequest, AllProblemsAreSaidTogether) {
  const std::string text =
      failure(R"({"inputs":[{"name":"a","datatype":"FP99","shape":[1],"data":[1]},)"
              R"({"name":"b","datatype":"FP32","shape":[2],"data":[1]}],"parameters":{"priority":1}})");
  EXPECT_NE(text.find("tensor 'a'"), std::string::npos) << text;
  EXPECT_NE(text.find("tensor 'b'"), std::string::npos) << text;
  EXPECT_NE(text.find("'priority'"), std::string::npos) << text;
}

TEST(InferRequest, DeepNestsAndLongHeadersAreRefusedWithoutBeingFollowed) {
  EXPECT_NE(failure(std::string(100000, '[')).find("nested deeper"), std::string::npos);
  std::string deep = std::string(15, '[') + "1" + std::string(15, ']');
  EXPECT_EQ(failure(input("FP32", "[1]", deep)), "no error");
  EXPECT_NE(failure(input("FP32", "[1]", "[1]"), {.json_bytes = 10}).find("E0805 server.too-large"), std::string::npos);
}

TEST(InferResponse, SaysTensorsInJsonAndBinary) {
  const float reals[] = {0.1f, -2, 3e30f};
  const int64_t integers[] = {-1, std::numeric_limits<int64_t>::max()};
  const WireTensor tensors[] = {
      {"y", "FP32", {1, 3}, ElementType::Float32, std::as_bytes(std::span(reals)), false},
      {"n", "INT64", {2}, ElementType::Int64, std::as_bytes(std::span(integers)), false},
      {"b", "FP32", {3}, ElementType::Float32, std::as_bytes(std::span(reals)), true},
  };
  EXPECT_EQ(infer_response_json("m", "7", tensors),
            R"({"model_name":"m","model_version":"1","id":"7","outputs":[)"
            R"({"name":"y","datatype":"FP32","shape":[1,3],"data":[0.1,-2,3e+30]},)"
            R"({"name":"n","datatype":"INT64","shape":[2],"data":[-1,9223372036854775807]},)"
            R"({"name":"b","datatype":"FP32","shape":[3],"parameters":{"binary_data_size":12}}]})");
}

TEST(InferResponse, NumbersWithoutWordsInJsonAreRefused) {
  for (const float value : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    const WireTensor tensor{"y", "FP32", {1}, ElementType::Float32, std::as_bytes(std::span(&value, 1)), false};
    EXPECT_THROW(infer_response_json("m", "", std::span(&tensor, 1)), Error);
  }
}

}  // namespace
}  // namespace openrknn::server
