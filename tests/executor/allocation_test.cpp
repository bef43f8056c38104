// run() allocates nothing once it has run: a service may call it at its pace for ever.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "core/executor/run.h"
#include "core/graph/text.h"
#include "support/random_graph.h"

namespace {
thread_local bool counting = false;
thread_local int64_t allocations = 0;
}  // namespace

// Sanitizers bring an operator new of their own, which must not be mixed with ours.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCounts = false;
#else
constexpr bool kCounts = true;
// Every other form of new ends up in this one.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace openrknn {
namespace {

template <class Action>
int64_t count_allocations(const Action& action) {
  allocations = 0;
  counting = true;
  action();
  counting = false;
  return allocations;
}

TEST(Allocation, HappensNotInTheSteadyState) {
  if (!kCounts) GTEST_SKIP() << "a sanitizer allocates here";
  ASSERT_EQ(count_allocations([] { std::vector<int>(static_cast<size_t>(1 + std::rand() % 3)); }), 1);
  for (uint32_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Graph graph = test::random_graph(seed);
    Weights weights;
    ThreadPool pool(1);
    openrknn::Run run(plan(graph, {}, {}, weights), pool);
    const std::vector<Tensor> inputs = test::random_inputs(graph, seed);
    for (size_t i = 0; i < inputs.size(); ++i) run.set(graph.inputs[i], inputs[i]);
    run.run();
    EXPECT_EQ(count_allocations([&] { run.run(); }), 0);
  }
}

}  // namespace
}  // namespace openrknn
