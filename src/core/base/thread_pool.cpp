#include "core/base/thread_pool.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace openrknn {
namespace {

// True while this thread runs a body: a nested parallel_for then runs inline.
thread_local bool inside_body = false;

struct InsideBody {
  bool former = inside_body;
  InsideBody() { inside_body = true; }
  ~InsideBody() { inside_body = former; }
};

#if defined(__x86_64__)
constexpr uint64_t kDefaultControl = 0x1f80;  // MXCSR at reset: all exceptions masked, nearest, no FTZ/DAZ
uint64_t read_control() { return _mm_getcsr(); }
void write_control(uint64_t value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr uint64_t kDefaultControl = 0;  // FPCR: nearest, no flush to zero
uint64_t read_control() {
  uint64_t value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void write_control(uint64_t value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
constexpr uint64_t kDefaultControl = 0;
uint64_t read_control() { return 0; }
void write_control(uint64_t) {}
#endif

}  // namespace

FloatEnvironment::FloatEnvironment() : saved_(read_control()) {
  if (saved_ != kDefaultControl) write_control(kDefaultControl);
}
FloatEnvironment::~FloatEnvironment() {
  if (saved_ != kDefaultControl) write_control(saved_);
}

// The steps of a network follow each other within microseconds, and waking a sleeping thread costs tens of them:
// a worker looks for the next job this many times before it sleeps (some 20 us), the caller likewise for the last task.
// While a run is under way it looks longer: steps that one thread does alone come in between.
constexpr int kLooksBeforeSleep = 2000, kLooksWhileExpecting = 20000;
constexpr auto kMostLooking = std::chrono::microseconds(500);

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class Condition>
void look_briefly(const Condition& condition) {
  for (int i = 0; i < kLooksBeforeSleep && !condition(); ++i) pause_briefly();
}

/// Goes on while `expecting`; true once the condition holds. A pause takes from 5 ns to 50: the clock bounds it.
template <class Condition, class Expecting>
void look_while(const Expecting& expecting, const Condition& condition) {
  if (!expecting() || condition()) return;
  const auto end = std::chrono::steady_clock::now() + kMostLooking;
  for (int i = 0; i < kLooksWhileExpecting; ++i) {
    if (condition() || !expecting()) return;
    if (i % 64 == 63 && std::chrono::steady_clock::now() > end) return;
    pause_briefly();
  }
}

/// A worker's share of a job, on a cache line of its own.
struct alignas(64) Share {
  std::atomic<int64_t> next{0};
  int64_t end = 0;
};

// One job at a time. Workers sleep between jobs; a generation number says that there is a new one.
struct ThreadPool::State {
  std::mutex callers;  // serialises parallel_for
  std::mutex mutex;
  std::condition_variable wake, done;
  std::atomic<uint64_t> generation{0};
  std::atomic<bool> stop{false};
  const std::atomic<int>& expecting;  // runs under way
  int sleeping = 0;
  pid_t owner = 0;  // process that started the threads; another one after fork
  std::vector<std::thread> threads;

  State(const std::atomic<int>& runs, int workers)
      : expecting(runs), shares(std::make_unique<Share[]>(static_cast<size_t>(workers))), share_count(workers) {}

  const std::function<void(int64_t, int)>* body = nullptr;
  std::unique_ptr<Share[]> shares;
  int share_count = 1;
  std::atomic<int> running{0};  // workers inside the current job; changed under the mutex
  int64_t failed_task = std::numeric_limits<int64_t>::max();
  std::exception_ptr failure;

  /// Neighbouring tasks go to the same worker, and to the same one in every job: the layers of a network cut their data
  /// alike, so each finds in its cache what it wrote itself.
  void share_out(int64_t tasks) {
    for (int i = 0; i < share_count; ++i) {
      shares[static_cast<size_t>(i)].next = tasks * i / share_count;
      shares[static_cast<size_t>(i)].end = tasks * (i + 1) / share_count;
    }
  }

  /// Its own share first, then what others have not come to.
  void take_tasks(int worker) {
    const InsideBody inside;
    const FloatEnvironment environment;
    for (int i = 0; i < share_count; ++i) take_share(shares[static_cast<size_t>((worker + i) % share_count)], worker);
  }

  void take_share(Share& share, int worker) {
    for (int64_t task = share.next.fetch_add(1); task < share.end; task = share.next.fetch_add(1)) {
      try {
        (*body)(task, worker);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (task < failed_task) {
          failed_task = task;
          failure = std::current_exception();
        }
      }
    }
  }

  void serve(int worker) {
    uint64_t seen = 0;
    for (;;) {
      const auto called = [&] { return stop || generation != seen; };
      look_briefly(called);
      look_while([&] { return expecting.load(std::memory_order_relaxed) > 0; }, called);
      std::unique_lock lock(mutex);
      ++sleeping;
      wake.wait(lock, called);
      --sleeping;
      if (stop) return;
      seen = generation;
      if (body == nullptr) continue;  // woke after the job was over
      ++running;
      lock.unlock();
      take_tasks(worker);
      lock.lock();
      if (--running == 0) done.notify_all();
    }
  }

  void start(int count) {
    owner = ::getpid();
    for (int i = 1; i < count; ++i) threads.emplace_back([this, i] { serve(i); });
  }
};

int default_thread_count() {
  constexpr int kMost = 1024;
  if (const char* text = std::getenv("OPENRKNN_THREADS")) {
    int threads = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, threads);
    if (error == std::errc() && stop == end && threads >= 1 && threads <= kMost) return threads;
  }
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMost);
}

ThreadPool::ThreadPool(int threads)
    : threads_(threads > 0 ? threads : default_thread_count()), state_(std::make_unique<State>(expecting_, threads_)) {
  if (threads_ > 1) state_->start(threads_);
}

ThreadPool::~ThreadPool() {
  if (threads_ > 1 && state_->owner != ::getpid()) {
    // A forked child: the threads do not exist here and cannot be joined. Their handles and the state are left alone.
    static_cast<void>(state_.release());
    return;
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

ThreadPool::Expecting::Expecting(ThreadPool& pool) : pool_(pool) { ++pool_.expecting_; }
ThreadPool::Expecting::~Expecting() { --pool_.expecting_; }

void ThreadPool::parallel_for(int64_t tasks, const std::function<void(int64_t, int)>& body) {
  if (tasks <= 0) return;
  if (threads_ == 1 || tasks == 1 || inside_body) {
    const FloatEnvironment environment;
    const InsideBody inside;
    std::exception_ptr failure;
    for (int64_t task = 0; task < tasks; ++task) {
      try {
        body(task, 0);
      } catch (...) {
        if (!failure) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
    return;
  }
  if (state_->owner != ::getpid()) {
    static_cast<void>(state_.release());  // after fork: fresh state and threads, the old ones stayed in the parent
    state_ = std::make_unique<State>(expecting_, threads_);
    state_->start(threads_);
  }
  State& state = *state_;
  const std::lock_guard caller(state.callers);
  {
    const std::lock_guard lock(state.mutex);
    state.body = &body;
    state.share_out(tasks);
    state.failure = nullptr;
    state.failed_task = std::numeric_limits<int64_t>::max();
    ++state.generation;
    if (state.sleeping > 0) state.wake.notify_all();
  }
  state.take_tasks(0);
  look_briefly([&] { return state.running == 0; });
  std::unique_lock lock(state.mutex);
  state.done.wait(lock, [&] { return state.running == 0; });
  state.body = nullptr;
  if (state.failure) std::rethrow_exception(std::exchange(state.failure, nullptr));
}

}  // namespace openrknn
