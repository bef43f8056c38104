// Workers and deliveries are detached and end shortly after their session. LeakSanitizer, which looks at every thread's
// memory when the program ends, cannot look at one that is just ending: the program waits for them.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>

namespace openrknn {
namespace {

int64_t thread_count() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

class LastThreads : public ::testing::Environment {
 public:
  void SetUp() override { at_first_ = thread_count(); }  // sanitizers may have threads of their own
  void TearDown() override {
    for (int i = 0; i < 2000 && thread_count() > at_first_; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

 private:
  int64_t at_first_ = 1;
};

[[maybe_unused]] const ::testing::Environment* const kLastThreads =
    ::testing::AddGlobalTestEnvironment(new LastThreads);  // GoogleTest deletes it

}  // namespace
}  // namespace openrknn
