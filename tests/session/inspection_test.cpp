// What only our own runtime tells: values between layers, cores, who it is; and the durations of a task.
#include <cstring>
#include <future>

#include "core/base/dtype.h"
#include "stub_session.h"
#include "support/text_model.h"

namespace openrknn {
namespace {

using namespace test;

std::string two_layers() {
  return file_bytes(model_of(R"(ir 1
input %x : f16[1,2,2,3]
%double : f16[1,2,2,3] = Add(%x, %x)
%four : f16[1,2,2,3] = Add(%double, %double)
output %four
)"));
}

Session open_ours(SessionOptions options = {}) {
  options.runtime_library = OPENRKNN_RUNTIME_LIBRARY;
  const std::string bytes = two_layers();
  return Session(std::as_bytes(std::span(bytes)), std::move(options));
}

TEST(SessionInspection, ValuesBetweenLayersAreThoseOfTheRun) {
  Session session = open_ours();
  Tagged tagged(3);
  const std::vector<LayerValue> values = session.values(tagged.feed(), {"double", "four"});
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0].name, "double");
  EXPECT_EQ(values[0].dtype, "f16");
  EXPECT_EQ(values[0].shape, (std::vector<int64_t>{1, 2, 2, 3}));
  ASSERT_EQ(values[0].bytes.size(), 24u);
  uint16_t first = 0;
  std::memcpy(&first, values[0].bytes.data(), sizeof first);
  EXPECT_EQ(half_bits_to_float(first), 6.0f);
  std::memcpy(&first, values[1].bytes.data(), sizeof first);
  EXPECT_EQ(half_bits_to_float(first), 12.0f);
  EXPECT_EQ(tag_of(session.run({}, tagged.feed())), 12);  // runs go on as before
}

TEST(SessionInspection, NamesThatAreNoneAreToldTogether) {
  Session session = open_ours();
  const std::string text = failure_of([&] { session.values(Tagged(1).feed(), {"double", "a", "b"}); });
  EXPECT_NE(text.find("the model has no value 'a'"), std::string::npos) << text;
  EXPECT_NE(text.find("the model has no value 'b'"), std::string::npos) << text;
  const float value = 0;
  const Feed wrong = Feed::single({ElementType::Float32, {1}, &value});
  EXPECT_NE(failure_of([&] { session.values(wrong, {"double"}); }).find("Input rank mismatch"), std::string::npos);
}

TEST(SessionInspection, TheDeviceCountsWhatItsCoresDo) {
  Session session = open_ours();
  session.run({}, Tagged(1).feed());
  const DeviceInfo info = session.device_info();
  EXPECT_EQ(info.target, "rk3588");
  EXPECT_GT(info.simulator_threads, 0);
  ASSERT_EQ(info.cores.size(), 3u);
  uint64_t jobs = 0;
  for (const CoreCounters& core : info.cores) jobs += core.jobs;
  EXPECT_GE(jobs, 1u);
}

TEST(SessionInspection, ARuntimeIsKnownBeforeAModelIsOpen) {
  const RuntimeInfo ours = runtime_info(OPENRKNN_RUNTIME_LIBRARY);
  EXPECT_TRUE(ours.is_openrknn);
  EXPECT_NE(ours.version.find("-openrknn-"), std::string::npos) << ours.version;
  EXPECT_EQ(ours.path, OPENRKNN_RUNTIME_LIBRARY);
  EXPECT_NE(failure_of([] { runtime_info("/nowhere/librknnrt.so"); }).find("/nowhere/librknnrt.so"), std::string::npos);
}

class SessionInspectionOfOthers : public StubSession {};

TEST_F(SessionInspectionOfOthers, AnotherRuntimeKeepsNoValuesAndHasNoCounters) {
  EXPECT_FALSE(runtime_info(OPENRKNN_STUB_RUNTIME_LIBRARY).is_openrknn);
  Session session = open();
  EXPECT_NE(failure_of([&] { session.values(Tagged(1).feed(), {"y"}); }).find("only OpenRKNN's own does"),
            std::string::npos);
  EXPECT_EQ(session.device_info().target, "");
  EXPECT_TRUE(session.device_info().cores.empty());
  expect_well_used();
}

TEST_F(SessionInspectionOfOthers, CompletionsTellHowLongTheirTaskTook) {
  configure("latency_us=2000");
  Session session = open();
  std::promise<TaskDurations> durations;
  session.run_async({}, Tagged(1).feed(), [&](Completion&& done) { durations.set_value(done.durations); });
  const TaskDurations took = durations.get_future().get();
  EXPECT_GE(took.run, 2000);
  EXPECT_GE(took.queue, 0);
}

}  // namespace
}  // namespace openrknn
