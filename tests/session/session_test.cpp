// The session over our own librknnrt.
#include "openrknn/session.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <thread>

#include "support/text_model.h"

namespace openrknn {
namespace {

/// Float16, NCHW 1x2x2x3: a doubled, and a second output of rank 2.
std::string model_bytes(std::string target = "rk3588") {
  Model model = test::model_of(R"(ir 1
metadata "author" = "nobody"
input %image : f16[1,2,2,3]
%double : f16[1,2,2,3] = Add(%image, %image)
%flat : f16[1,12] = Reshape(%image) {shape=[1,12]}
output %double
output %flat
)",
                               std::move(target));
  model.custom_string = "custom";
  return test::file_bytes(model);
}

SessionOptions with_runtime(SessionOptions options = {}) {
  options.runtime_library = OPENRKNN_RUNTIME_LIBRARY;
  return options;
}

Session open(const std::string& bytes, SessionOptions options = {}) {
  return Session(std::span(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()),
                 with_runtime(std::move(options)));
}

struct Image {
  std::vector<float> values = std::vector<float>(12);
  std::vector<int64_t> shape = {1, 2, 2, 3};
  Image() { std::iota(values.begin(), values.end(), 0.0f); }
  ArrayView view() const { return {ElementType::Float32, shape, values.data()}; }
  Feed feed() const { return Feed::dict({{"image", view()}}); }
};

std::vector<float> values(const Array& array) { return {array.floats().begin(), array.floats().end()}; }
std::vector<int64_t> shape(const Array& array) { return {array.shape().begin(), array.shape().end()}; }

std::string failure(Session& session, const Feed& feed, const std::optional<std::vector<std::string>>& names = {}) {
  try {
    session.run(names, feed);
  } catch (const SessionError& error) {
    return error.what();
  }
  return "no error";
}

std::vector<float> doubled() {
  std::vector<float> result;
  for (int i = 0; i < 12; ++i) result.push_back(static_cast<float>(2 * i));
  return result;
}

TEST(Session, PresentsInputsInTheSourceModelsOrder) {
  Session session = open(model_bytes());
  ASSERT_EQ(session.inputs().size(), 1u);
  EXPECT_EQ(session.inputs()[0].name, "image");
  EXPECT_EQ(session.inputs()[0].shape, (std::vector<int64_t>{1, 2, 2, 3}));
  EXPECT_EQ(session.inputs()[0].type, "tensor(float16)");
  EXPECT_EQ(session.inputs()[0].layout, "NCHW");
  ASSERT_EQ(session.outputs().size(), 2u);
  EXPECT_EQ(session.outputs()[1].shape, (std::vector<int64_t>{1, 12}));
  EXPECT_EQ(session.outputs()[1].layout, "UNDEFINED");
}

TEST(Session, RunsAndReturnsFloat32) {
  Session session = open(model_bytes());
  const std::vector<Array> results = session.run({}, Image().feed());
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(shape(results[0]), (std::vector<int64_t>{1, 2, 2, 3}));
  EXPECT_EQ(values(results[0]), doubled());
  EXPECT_EQ(values(results[1]), Image().values);
}

TEST(Session, LayoutsGiveTheSameNumbers) {
  const Image image;
  std::vector<float> nhwc(12);
  for (size_t c = 0; c < 2; ++c) {
    for (size_t p = 0; p < 6; ++p) nhwc[p * 2 + c] = image.values[c * 6 + p];
  }
  for (const InputLayout layout : {InputLayout::Nchw, InputLayout::NchwSoftware}) {
    SessionOptions options;
    options.layout = layout;
    Session session = open(model_bytes(), options);
    EXPECT_EQ(values(session.run({}, image.feed())[0]), doubled());
  }
  for (const InputLayout layout : {InputLayout::Nhwc, InputLayout::Any}) {
    SessionOptions options;
    options.layout = layout;
    Session session = open(model_bytes(), options);
    EXPECT_EQ(session.inputs()[0].shape, (std::vector<int64_t>{1, 2, 3, 2}));
    EXPECT_EQ(session.inputs()[0].layout, "NHWC");
    const Feed feed = Feed::single({ElementType::Float32, {1, 2, 3, 2}, nhwc.data()});
    EXPECT_EQ(values(session.run({}, feed)[0]), doubled());
  }
}

TEST(Session, SelectsOutputsByName) {
  Session session = open(model_bytes());
  const Image image;
  const Feed feed = image.feed();
  EXPECT_EQ(session.run(std::vector<std::string>{}, feed).size(), 2u);  // as ONNX Runtime: all
  const std::vector<Array> twice = session.run(std::vector<std::string>{"flat", "double", "flat"}, feed);
  ASSERT_EQ(twice.size(), 3u);
  EXPECT_EQ(values(twice[0]), Image().values);
  EXPECT_EQ(values(twice[1]), doubled());
  EXPECT_EQ(values(twice[2]), Image().values);
  EXPECT_EQ(failure(session, feed, std::vector<std::string>{"x"}), "Unknown output name: x");
}

TEST(Session, RefusesFeedsWithTheDocumentedTexts) {
  Session session = open(model_bytes());
  const Image image;
  Image wrong;
  wrong.shape = {1, 2, 3, 2};
  Image flat;
  flat.shape = {12};
  EXPECT_EQ(failure(session, wrong.feed()), "Input 'image' shape mismatch: expected [1, 2, 2, 3], got [1, 2, 3, 2]");
  EXPECT_EQ(failure(session, flat.feed()), "Input rank mismatch: expected 4, got 1");
  EXPECT_EQ(failure(session, Feed::dict({{"x", image.view()}})), "Missing input: image");
  EXPECT_EQ(failure(session, Feed::dict({{"image", image.view()}, {"x", image.view()}})),
            "Input dict size mismatch: expected 1, got 2");
  EXPECT_EQ(failure(session, Feed::list({image.view(), image.view()})), "Input list size mismatch: expected 1, got 2");
  EXPECT_EQ(failure(session, Feed::list({})), "No inputs provided");
  Image deep;
  deep.shape = std::vector<int64_t>(17, 1);
  EXPECT_EQ(failure(session, deep.feed()), "Input rank is too large");
}

TEST(Session, KnowsTheModelsProperties) {
  Session session = open(model_bytes());
  const std::map<std::string, std::string> expected = {{"author", "nobody"}, {"rknn_custom_string", "custom"}};
  EXPECT_EQ(session.custom_metadata_map(), expected);
  EXPECT_NE(session.api_version().find("openrknn"), std::string::npos);
  EXPECT_TRUE(session.warnings().empty());
  EXPECT_EQ(session.runtime_path(), OPENRKNN_RUNTIME_LIBRARY);
}

TEST(Session, RunsFromManyThreadsOverAllCores) {
  SessionOptions options;
  options.schedule = {0, 1, 2, 0};
  options.threads_per_core = 2;
  Session session = open(model_bytes(), options);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const Image image;
      for (int i = 0; i < 20; ++i) ASSERT_EQ(values(session.run({}, image.feed())[0]), doubled());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Session, OneCoreTargetsTakeTheDefaultsAndRefuseTheRest) {
  Session session = open(model_bytes("rk3566"));
  EXPECT_EQ(values(session.run({}, Image().feed())[0]), doubled());
  SessionOptions options;
  options.core_mask = 0xffff;
  try {
    open(model_bytes("rk3566"), options);
    ADD_FAILURE();
  } catch (const SessionError& error) {
    EXPECT_TRUE(std::string(error.what())
                    .starts_with("rknn_set_core_mask failed for thread 0: RKNN_ERR_TARGET_PLATFORM_UNMATCH (-13): "))
        << error.what();
    EXPECT_EQ(error.code, -13);
    EXPECT_EQ(error.api, "rknn_set_core_mask");
  }
}

TEST(Session, TellsWhyAModelCannotBeOpened) {
  const std::string bytes = model_bytes();
  try {
    open(bytes.substr(0, bytes.size() / 2));
    ADD_FAILURE();
  } catch (const SessionError& error) {
    const std::string text = error.what();
    EXPECT_TRUE(text.starts_with("rknn_init failed: RKNN_ERR_MODEL_INVALID (-6): model is invalid.")) << text;
    EXPECT_NE(text.find("the file ends early"), std::string::npos) << text;
    EXPECT_EQ(error.code, -6);
  }
  try {
    Session("/nowhere/net.rknn", with_runtime());
    ADD_FAILURE();
  } catch (const SessionError& error) {
    EXPECT_STREQ(error.what(), "Failed to open model file: /nowhere/net.rknn");
  }
}

TEST(Session, OpensAPath) {
  const std::string path = ::testing::TempDir() + "/openrknn_session_path.rknn";
  std::ofstream(path, std::ios::binary) << model_bytes();
  Session session(path, with_runtime());
  EXPECT_EQ(values(session.run({}, Image().feed())[0]), doubled());
  std::remove(path.c_str());
}

TEST(Session, SaysWhereItLookedForTheRuntime) {
  SessionOptions options;
  options.runtime_library = "/nowhere/librknnrt.so";
  const std::string bytes = model_bytes();
  try {
    Session(std::span(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()), options);
    ADD_FAILURE();
  } catch (const SessionError& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/librknnrt.so"), std::string::npos) << error.what();
  }
}

TEST(Session, RefusesRunsOnceClosed) {
  Session session = open(model_bytes());
  session.close();
  session.close();
  EXPECT_EQ(failure(session, Image().feed()), "session closed");
}

}  // namespace
}  // namespace openrknn
