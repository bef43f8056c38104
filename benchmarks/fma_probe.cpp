// What the machine gives two threads at this moment: pure multiply-adds in registers, without memory or locks.
// Answers each line of standard input with two numbers: seconds of the work on one thread, and shared by two.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#define PROBE_TARGET [[gnu::target("avx2,fma")]]
#else
#define PROBE_TARGET
#endif

namespace {

constexpr int64_t kSteps = 6'000'000;  // about ten milliseconds on one core

PROBE_TARGET float multiply_add(int64_t steps) {
  float result = 0;
#if defined(__x86_64__)
  __m256 sums[12];
  for (__m256& sum : sums) sum = _mm256_set1_ps(1.0f);
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (int64_t i = 0; i < steps; ++i) {
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, a, b);
  }
  float lanes[8];
  for (const __m256& sum : sums) {
    std::memcpy(lanes, &sum, sizeof(lanes));
    result += lanes[0];
  }
#else
  float sums[12];
  for (float& sum : sums) sum = 1.0f;
  for (int64_t i = 0; i < steps; ++i) {
    for (float& sum : sums) sum = __builtin_fmaf(sum, 0.999f, 0.001f);
  }
  for (const float sum : sums) result += sum;
#endif
  return result;
}

std::atomic<float> sink;

double seconds_of_one() {
  const auto begin = std::chrono::steady_clock::now();
  sink = multiply_add(kSteps);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Both threads are there before the clock starts.
double seconds_of_two() {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  const auto half = [&] {
    ++ready;
    while (!go) {
    }
    sink = multiply_add(kSteps / 2);
  };
  std::thread first(half), second(half);
  while (ready != 2) std::this_thread::yield();
  const auto begin = std::chrono::steady_clock::now();
  go = true;
  first.join();
  second.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main() {
  char line[64];
  while (std::fgets(line, sizeof(line), stdin) != nullptr) {
    const double one = seconds_of_one();
    std::printf("%.9f %.9f\n", one, seconds_of_two());
    std::fflush(stdout);
  }
}
