// What the runtime is handed for what the caller gave: layouts, formats, ranks, strides.
#include <numeric>
#include <random>

#include "runtime/session/staging.h"
#include "stub_session.h"

namespace openrknn {
namespace {

using namespace test;

class SessionFeed : public StubSession {};

struct LayoutCase {
  std::string input;  // in the stub's words
  InputLayout layout;
  std::vector<int64_t> shape;  // as presented
  std::string presented;
  bool is_nchw;  // the order in which the caller's 4-D array is given
};

/// The stub's echo: output y is input x, element for element in logical (NCHW) order.
std::string echo_model(const LayoutCase& c) {
  const std::string output = c.presented == "UNDEFINED" ? "24" : "nchw 1,3,2,4";
  return "input x " + c.input + "\noutput y f32 " + output + "\nversion 2.4.1\n";
}

TEST_F(SessionFeed, LayoutsPresentAndConvertWhatTheRuntimeReports) {
  const std::vector<LayoutCase> cases = {
      {"f32 nhwc 1,2,4,3", InputLayout::Nchw, {1, 3, 2, 4}, "NCHW", true},
      {"f32 nhwc 1,2,4,3", InputLayout::NchwSoftware, {1, 3, 2, 4}, "NCHW", true},
      {"f32 nhwc 1,2,4,3", InputLayout::Nhwc, {1, 2, 4, 3}, "NHWC", false},
      {"f32 nhwc 1,2,4,3", InputLayout::Any, {1, 2, 4, 3}, "NHWC", false},
      // What is reported in source order stays so, whatever the layout.
      {"f32 nchw 1,3,2,4", InputLayout::Nchw, {1, 3, 2, 4}, "NCHW", true},
      {"f32 nchw 1,3,2,4", InputLayout::NchwSoftware, {1, 3, 2, 4}, "NCHW", true},
      {"f32 nchw 1,3,2,4", InputLayout::Nhwc, {1, 3, 2, 4}, "NCHW", true},
      {"f32 undefined 1,3,2,4", InputLayout::Nchw, {1, 3, 2, 4}, "UNDEFINED", true},
      {"f32 24", InputLayout::Nchw, {24}, "UNDEFINED", true},
      {"f32 2,3,4", InputLayout::NchwSoftware, {2, 3, 4}, "UNDEFINED", true},
      {"f32 1,2,3,2,2", InputLayout::NchwSoftware, {1, 2, 3, 2, 2}, "UNDEFINED", true},
  };
  configure("fill=echo");
  for (const LayoutCase& c : cases) {
    SCOPED_TRACE(c.input + " as " + std::to_string(static_cast<int>(c.layout)));
    SessionOptions options;
    options.layout = c.layout;
    Session session = open(options, echo_model(c));
    EXPECT_EQ(session.inputs()[0].shape, c.shape);
    EXPECT_EQ(session.inputs()[0].layout, c.presented);
    std::vector<float> logical(24), given(24);
    std::iota(logical.begin(), logical.end(), 1.0f);
    given = logical;
    if (!c.is_nchw) {
      for (size_t channel = 0; channel < 3; ++channel) {
        for (size_t pixel = 0; pixel < 8; ++pixel) given[pixel * 3 + channel] = logical[channel * 8 + pixel];
      }
    }
    const std::vector<Array> outputs = session.run({}, Feed::single({ElementType::Float32, c.shape, given.data()}));
    EXPECT_EQ(std::vector<float>(outputs[0].floats().begin(), outputs[0].floats().end()), logical);
  }
}

TEST_F(SessionFeed, ShapeSetsAreSwitchedOnlyWhenTheShapeChanges) {
  const std::string model =
      "input x f32 nhwc 1,4,4,3\noutput y f32 1,48\nversion 2.4.1\n"
      "dynamic 0 1,4,4,3 1,2,4,3\ndynamic_output 0 1,48 1,24\n";
  configure("fill=echo");
  SessionOptions options = over_cores({0, 1});
  Session session = open(options, model);
  EXPECT_EQ(stub().calls("rknn_dup_context"), 0);  // not for models with dynamic shapes
  EXPECT_EQ(session.inputs()[0].shapes, (std::vector<std::vector<int64_t>>{{1, 3, 4, 4}, {1, 3, 2, 4}}));
  std::vector<float> values(48);
  std::iota(values.begin(), values.end(), 0.0f);
  const auto run = [&](int64_t height) {
    const std::vector<Array> outputs =
        session.run({}, Feed::single({ElementType::Float32, {1, 3, height, 4}, values.data()}));
    EXPECT_EQ(outputs[0].shape()[1], 12 * height);
    for (size_t i = 0; i < outputs[0].size(); ++i) EXPECT_EQ(outputs[0].floats()[i], values[i]);
  };
  const int64_t before = stub().calls("rknn_set_input_shapes");
  for (const int64_t height : {4, 4, 4, 4, 2, 2, 2, 2}) run(height);  // alternating over two contexts
  EXPECT_EQ(stub().calls("rknn_set_input_shapes") - before, 4);
  EXPECT_EQ(
      failure_of([&] { run(3); }),
      "Input 'x' shape mismatch: expected [1, 3, 4, 4], got [1, 3, 3, 4]; this model takes [1, 3, 4, 4] or [1, 3, 2, "
      "4]");
}

TEST_F(SessionFeed, NativeOutputsComeInTheModelsOwnType) {
  const std::string model =
      "input x f32 1,4\noutput codes i8 1,4 scale=0.5 zp=3\noutput indices i64 1,4\noutput real f16 1,4\nversion "
      "2.4.1\n";
  configure("fill=tag");
  const std::vector<float> values = {7, 0, 0, 0};
  const Feed feed = Feed::single({ElementType::Float32, {1, 4}, values.data()});
  SessionOptions options;
  options.output_types = {{"indices", OutputType::Native}};
  Session session = open(options, model);
  EXPECT_EQ(session.outputs()[0].quantization->scale, 0.5);
  EXPECT_EQ(session.outputs()[0].quantization->zero_point, 3);
  EXPECT_FALSE(session.outputs()[1].quantization);
  const std::vector<Array> outputs = session.run({}, feed);
  EXPECT_EQ(outputs[0].type(), ElementType::Float32);
  ASSERT_EQ(outputs[1].type(), ElementType::Int64);
  EXPECT_EQ(static_cast<int64_t*>(outputs[1].data())[0], 7);
  EXPECT_THROW(outputs[1].floats(), std::logic_error);
  SessionOptions all;
  all.output_type = OutputType::Native;
  EXPECT_EQ(open(all, model).run({}, feed)[0].type(), ElementType::Int8);
  SessionOptions unknown;
  unknown.output_types = {{"no", OutputType::Native}};
  EXPECT_EQ(failure_of([&] { open(unknown, model); }), "output_type names 'no', which is no output of the model");
}

/// Every element of a strided array, one at a time: the definition copy_dense is held to.
std::vector<std::byte> copy_plainly(const ArrayView& array, bool channels_last) {
  const size_t element = element_bytes(array.type);
  std::vector<size_t> order(array.shape.size());
  std::iota(order.begin(), order.end(), 0);
  if (channels_last) order = {0, 2, 3, 1};
  std::vector<std::byte> out;
  std::vector<int64_t> index(order.size(), 0);
  for (size_t count = session::dense_bytes(array) / element; count > 0; --count) {
    int64_t offset = 0;
    for (size_t i = 0; i < order.size(); ++i) offset += index[i] * array.strides[order[i]];
    const auto* from = static_cast<const std::byte*>(array.data) + offset;
    out.insert(out.end(), from, from + element);
    for (size_t i = order.size(); i-- > 0;) {
      if (++index[i] < array.shape[order[i]]) break;
      index[i] = 0;
    }
  }
  return out;
}

TEST(SessionStaging, StridedAndTransposedCopiesEqualThePlainOne) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto up_to = [&](int64_t last) { return static_cast<int64_t>(random() % static_cast<unsigned>(last + 1)); };
    const ElementType type = static_cast<ElementType>(up_to(9));
    const auto element = static_cast<int64_t>(element_bytes(type));
    const bool image = up_to(1) == 1;
    const int64_t rank = image ? 4 : up_to(5);
    // A dense parent array, of which the view takes every step-th element forwards or backwards, dimensions swapped.
    ArrayView view{type, {}, nullptr, {}};
    std::vector<int64_t> parent, steps;
    for (int64_t i = 0; i < rank; ++i) {
      view.shape.push_back(image && i == 1 ? 1 + up_to(4) : up_to(6) == 0 ? 1 : 1 + up_to(8));
      steps.push_back(up_to(3) == 0 ? 2 : 1);
      parent.push_back(view.shape.back() * steps.back());
    }
    std::vector<size_t> place(static_cast<size_t>(rank));
    std::iota(place.begin(), place.end(), 0);
    if (up_to(2) == 0) std::shuffle(place.begin(), place.end(), random);
    view.strides.resize(static_cast<size_t>(rank));
    int64_t bytes = element;
    for (size_t i = place.size(); i-- > 0;) {
      view.strides[place[i]] = bytes * steps[place[i]];
      bytes *= parent[place[i]];
    }
    std::vector<std::byte> memory(static_cast<size_t>(bytes) + 8);
    for (std::byte& b : memory) b = static_cast<std::byte>(random());
    int64_t begin = up_to(3) == 0 ? 1 : 0;  // not where the type would like to lie
    for (size_t i = 0; i < view.strides.size(); ++i) {
      if (up_to(4) != 0) continue;
      begin += view.strides[i] * (view.shape[i] - 1);
      view.strides[i] = -view.strides[i];
    }
    view.data = memory.data() + begin;
    for (const bool channels_last : {false, true}) {
      if (channels_last && rank != 4) continue;
      std::vector<std::byte> out(session::dense_bytes(view));
      session::copy_dense(view, channels_last, out.data());
      ASSERT_EQ(out, copy_plainly(view, channels_last));
    }
  }
}

}  // namespace
}  // namespace openrknn
