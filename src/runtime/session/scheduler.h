// Who may use which context, and when. One lock, held for a few instructions; everything that takes time (copies, runs,
// callbacks) happens outside. The rules are docs/session.md.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "runtime/session/model_context.h"

namespace openrknn::session {

using Clock = std::chrono::steady_clock;

/// A context with its place in the schedule. One task at a time uses it.
struct Lane {
  std::shared_ptr<ModelContext> context;
  size_t index = 0;
  int64_t core = 0;
  uint64_t tasks = 0;                        ///< done so far; under the scheduler's lock
  std::optional<uint32_t> wanted_core_mask;  ///< to be set before the next task; under the scheduler's lock
  std::vector<rknn_output> requests;         ///< scratch of whoever uses the lane
};

/// Bounds how far callbacks fall behind: a task of the window starts only while fewer than `size` of it are running or
/// undelivered. In order, the task that is delivered next always may start, so the window cannot jam.
struct Window {
  Window(size_t window_size, bool in_order) : size(window_size), ordered(in_order) {}
  const size_t size;
  const bool ordered;
  uint64_t admitted = 0, delivered = 0, started = 0;  // under the scheduler's lock
};

/// A task as the scheduler sees it. Belongs to whoever submits it and must live until it is released or taken back.
struct Ticket {
  enum class State : uint8_t { New, Waiting, Granted, Cancelled };
  bool on_worker = false;         ///< a granted lane's worker runs it; else the submitting thread does
  bool wants_first_lane = false;  ///< whatever the schedule says
  Window* window = nullptr;       ///< of tasks whose results go to callbacks
  uint64_t id = 0;                ///< in order of admission
  uint64_t sequence = 0;          ///< in its window
  Lane* lane = nullptr;           ///< once granted
  Clock::time_point submitted{}, granted{};
  // Of the scheduler:
  State state = State::New;
  int64_t core = 0;
  std::condition_variable changed;
};

struct SchedulerOptions {
  std::vector<int64_t> schedule;  ///< empty: any lane
  bool dynamic = false;           ///< any lane whatever the schedule says
  size_t max_waiting = 3;
};

/// Thread-safe.
class Scheduler {
 public:
  enum class Admission : uint8_t { Admitted, Full, Closed, Cancelled };

  Scheduler(SchedulerOptions, std::vector<std::unique_ptr<Lane>>);

  struct Admitted {
    Admission admission = Admission::Closed;
    uint64_t id = 0;
  };
  /// Gives the ticket a place in the queue, waiting for one until `deadline`. A ticket for a worker that was admitted
  /// may be done and gone when this returns. `beyond`: admits it even if the queue is full.
  Admitted admit(Ticket&, Clock::time_point deadline, bool beyond = false);
  /// As admit, for a ticket that runs on this thread: returns when a lane is granted.
  Admission acquire(Ticket&, Clock::time_point deadline);
  /// The task has run: its lane takes the next one. A ticket that ran on the submitting thread has ended with it.
  void release(Ticket&);
  /// A ticket for a worker has ended: its result, or its end without one, is where it was wanted.
  void ended(Ticket&);

  /// What worker `lane` does next: waits. Null when the scheduler is stopped.
  Ticket* next_for_worker(Lane&);

  /// Takes back a ticket that has not been granted a lane; one for a worker is given in `taken`. False if it does not
  /// wait.
  bool cancel(uint64_t id, Ticket*& taken);
  /// Takes back all that wait: those that other threads wait for wake up, those for workers are given in order.
  std::vector<Ticket*> cancel_all(size_t& count);
  /// The oldest waiting ticket of the window, taken back; null if none waits.
  Ticket* cancel_oldest(const Window&);

  /// Numbers a ticket that found no place, as if it had been admitted and taken back.
  uint64_t admit_cancelled(Ticket&);

  /// Refuses new tickets; those that wait for a place get Closed.
  void close();
  bool closed() const;
  /// Waits until every ticket has ended.
  void wait_idle();
  /// Wakes all workers for good.
  void stop();
  /// Sleeps until `until`. False if the scheduler was closed meanwhile.
  bool sleep_until(Clock::time_point until);

  struct Counts {
    size_t waiting = 0, running = 0;
    std::vector<uint64_t> tasks_per_lane;
  };
  Counts counts() const;

  void want_core_mask(uint32_t mask);
  std::optional<uint32_t> take_wanted_core_mask(Lane&);

  std::vector<std::unique_ptr<Lane>>& lanes() { return lanes_; }

 private:
  struct Arrival {  // a submitter that waits for a place; on its own stack, because the ticket may be gone by then
    Ticket* ticket = nullptr;
    bool admitted = false;
    uint64_t id = 0;
    std::condition_variable changed;
  };
  struct Slot {  // of a lane
    bool busy = false;
    Ticket* assigned = nullptr;  // for its worker
    std::condition_variable wake;
  };
  bool gated(const Ticket&) const;
  bool has_room(const Ticket&) const;
  void enqueue(Ticket&);
  void grant();
  void admit_blocked();
  void update();
  Slot* find_idle(const Ticket&, Lane*& lane);

  const SchedulerOptions options_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::deque<Ticket*> waiting_;   // in order of id
  std::deque<Arrival*> blocked_;  // want a place in waiting_
  std::condition_variable idle_, closing_;
  uint64_t next_id_ = 0;
  size_t running_ = 0, open_ = 0;  // open: admitted and not ended
  bool closed_ = false, stopped_ = false;
};

}  // namespace openrknn::session
