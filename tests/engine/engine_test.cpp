#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "runtime/engine/context.h"
#include "runtime/engine/devices/simulator.h"
#include "support/text_model.h"

namespace openrknn {
namespace {

Model float_model() {
  return test::model_of(R"(ir 1
input %x : f32[1,3,8,8]
%w : f32[4,3,3,3] = random(1)
%y : f32[1,4,8,8] = Conv(%x, %w) {kernel_shape=[3,3], strides=[1,1], pads=[1,1,1,1], dilations=[1,1], group=1}
%z : f32[1,4,8,8] = Relu(%y)
output %z
)");
}

Tensor ramp(const Shape& shape) {
  Tensor tensor(DType::Float32, shape);
  float value = -20;
  for (float& element : tensor.mutable_values<float>()) element = value += 0.25f;
  return tensor;
}

TEST(Engine, ResultsDoNotDependOnThreadsOrCores) {
  const auto loaded = std::make_shared<LoadedModel>(float_model());
  std::optional<Tensor> first;
  for (const int threads : {1, 2, 3}) {
    const auto device = make_simulator(*find_target("rk3588"), threads);
    for (const uint32_t mask : {0u, 1u, 4u, 7u}) {
      Context context(loaded, device);
      context.set_core_mask(mask);
      context.set_input(0, ramp({1, 3, 8, 8}), PortLayout::Nchw, false);
      context.run();
      const Tensor result = context.output_array(0, true);
      if (!first) first = result;
      EXPECT_TRUE(identical(result, *first)) << threads << " threads, mask " << mask;
    }
  }
}

TEST(Engine, ContextsShareTheModelAndNothingElse) {
  const auto loaded = std::make_shared<LoadedModel>(float_model());
  Context one(loaded, make_simulator(*find_target("rk3588"), 1));
  one.set_input(0, ramp({1, 3, 8, 8}), PortLayout::Nchw, false);
  const std::unique_ptr<Context> two = one.duplicate();
  EXPECT_EQ(&two->model(), &one.model());
  EXPECT_THROW(two->run(), Error);
  one.run();
  EXPECT_THROW(two->output_array(0, true), Error);
}

TEST(Engine, ReadsAnyValueWhenAskedToKeepThem) {
  Context context(std::make_shared<LoadedModel>(float_model()), make_simulator(*find_target("rk3588"), 1));
  context.set_keep_values(true);
  context.set_input(0, ramp({1, 3, 8, 8}), PortLayout::Nchw, false);
  context.run();
  EXPECT_EQ(context.value("y").shape(), (Shape{1, 4, 8, 8}));
  EXPECT_EQ(context.value("w").shape(), (Shape{4, 3, 3, 3}));
  EXPECT_THROW(context.value("nobody"), Error);
}

TEST(Engine, ProfilesEveryStep) {
  Context context(std::make_shared<LoadedModel>(float_model()), make_simulator(*find_target("rk3588"), 1));
  context.set_profiling(true);
  context.set_input(0, ramp({1, 3, 8, 8}), PortLayout::Nchw, false);
  context.run();
  ASSERT_EQ(context.profile().size(), 2u);
  EXPECT_EQ(context.graph()[context.profile()[0].node].op, "Conv");
}

TEST(Engine, RefusesWhatItCannotDoByName) {
  Model unknown = float_model();
  unknown.target = "rk9999";
  EXPECT_THROW(LoadedModel{unknown}, Error);
}

TEST(Cores, ACoreRunsOneJobAtATime) {
  Cores cores(2, 2);
  const RunControl control;
  std::atomic<int> on_first = 0, most = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const auto lease = cores.acquire(t % 2 == 0 ? 1u : 3u, control);  // both kinds need core 0
        const int now = ++on_first;
        if (now > most) most = now;
        std::this_thread::yield();
        --on_first;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
  EXPECT_EQ(cores.counters()[0].jobs, 300u);
  EXPECT_EQ(cores.counters()[1].jobs, 150u);
}

TEST(Cores, AnyCoreIsAFreeOne) {
  Cores cores(3, 1);
  const RunControl control;
  const auto a = cores.acquire(kAnyCore, control), b = cores.acquire(kAnyCore, control),
             c = cores.acquire(kAnyCore, control);
  EXPECT_EQ(a->held() | b->held() | c->held(), 7u);
}

TEST(Cores, ABusyCoreDoesNotHoldBackJobsForOthers) {
  Cores cores(2, 1);
  const RunControl control;
  auto first = cores.acquire(1, control);
  std::thread waits([&] { cores.acquire(1, control); });
  const auto second = cores.acquire(2, control);  // would never return if it queued behind the other
  EXPECT_EQ(second->held(), 2u);
  first.reset();
  waits.join();
}

TEST(Memory, IsSharedThroughItsDescriptor) {
  const auto memory = Memory::allocate(100);
  memory->data()[99] = std::byte{7};
  const auto view = Memory::map(memory->fd(), 50, 50);
  EXPECT_EQ(view->data()[49], std::byte{7});
  EXPECT_THROW(Memory::map(memory->fd(), 51, 50), Error);
  EXPECT_THROW(Memory::map(-1, 1, 0), Error);
  EXPECT_THROW(Memory::allocate(-1), Error);
}

TEST(Memory, GivesItsDescriptorBack) {
  const auto open_descriptors = [] {
    int count = 0;
    struct stat status {};
    for (int fd = 0; fd < 256; ++fd) count += ::fstat(fd, &status) == 0;
    return count;
  };
  const int before = open_descriptors();
  for (int i = 0; i < 100; ++i) Memory::allocate(4096);
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace openrknn
