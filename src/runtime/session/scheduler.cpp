#include "runtime/session/scheduler.h"

#include <algorithm>

namespace openrknn::session {

Scheduler::Scheduler(SchedulerOptions options, std::vector<std::unique_ptr<Lane>> lanes)
    : options_(std::move(options)), lanes_(std::move(lanes)) {
  for (size_t i = 0; i < lanes_.size(); ++i) slots_.push_back(std::make_unique<Slot>());
}

bool Scheduler::gated(const Ticket& ticket) const {
  const Window* window = ticket.window;
  if (window == nullptr) return false;
  if (window->ordered) return ticket.sequence >= window->delivered + window->size;
  return window->started - window->delivered >= window->size;
}

/// Tasks held back by slow callbacks do not take places from tasks that nobody's callback holds back: a run() inside a
/// callback must get through.
bool Scheduler::has_room(const Ticket& ticket) const {
  const auto counts = [&](const Ticket* other) { return ticket.window != nullptr || !gated(*other); };
  return static_cast<size_t>(std::count_if(waiting_.begin(), waiting_.end(), counts)) < options_.max_waiting;
}

void Scheduler::enqueue(Ticket& ticket) {
  ++open_;
  ticket.id = next_id_++;
  ticket.core = options_.schedule.empty() ? 0 : options_.schedule[ticket.id % options_.schedule.size()];
  if (ticket.window != nullptr) ticket.sequence = ticket.window->admitted++;
  ticket.state = Ticket::State::Waiting;
  waiting_.push_back(&ticket);
}

Scheduler::Slot* Scheduler::find_idle(const Ticket& ticket, Lane*& lane) {
  const bool any = options_.schedule.empty() || options_.dynamic;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (ticket.wants_first_lane && i > 0) return nullptr;
    if (slots_[i]->busy || (!any && !ticket.wants_first_lane && lanes_[i]->core != ticket.core)) continue;
    lane = lanes_[i].get();
    return slots_[i].get();
  }
  return nullptr;
}

void Scheduler::grant() {
  for (size_t i = 0; i < waiting_.size();) {
    Ticket& ticket = *waiting_[i];
    Lane* lane = nullptr;
    Slot* const slot = gated(ticket) ? nullptr : find_idle(ticket, lane);
    if (slot == nullptr) {
      ++i;
      continue;
    }
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    slot->busy = true;
    ++running_;
    if (ticket.window != nullptr) ++ticket.window->started;
    ticket.lane = lane;
    ticket.granted = Clock::now();
    ticket.state = Ticket::State::Granted;
    if (ticket.on_worker) {
      slot->assigned = &ticket;
      slot->wake.notify_one();
    } else {
      ticket.changed.notify_one();
    }
  }
}

/// In order of arrival, but one that must wait for callbacks does not hold back those that need not.
void Scheduler::admit_blocked() {
  for (auto it = blocked_.begin(); it != blocked_.end();) {
    Arrival& arrival = **it;
    if (closed_ || !has_room(*arrival.ticket)) {
      ++it;
      continue;
    }
    it = blocked_.erase(it);
    enqueue(*arrival.ticket);
    arrival.id = arrival.ticket->id;
    arrival.admitted = true;
    arrival.changed.notify_one();
    grant();
  }
}

void Scheduler::update() {
  grant();
  if (!blocked_.empty()) admit_blocked();
  if (open_ == 0 && blocked_.empty()) idle_.notify_all();
}

Scheduler::Admitted Scheduler::admit(Ticket& ticket, Clock::time_point deadline, bool beyond) {
  std::unique_lock lock(mutex_);
  ticket.submitted = Clock::now();
  if (closed_) return {Admission::Closed};
  const bool has_window = ticket.window != nullptr;
  const auto ahead = [&](const Arrival* other) { return (other->ticket->window != nullptr) == has_window; };
  if (beyond || (has_room(ticket) && std::none_of(blocked_.begin(), blocked_.end(), ahead))) {
    enqueue(ticket);
    const uint64_t id = ticket.id;
    grant();
    return {Admission::Admitted, id};
  }
  Arrival arrival{.ticket = &ticket};
  blocked_.push_back(&arrival);
  arrival.changed.wait_until(lock, deadline, [&] { return arrival.admitted || closed_; });
  // Admitted in the last moment counts, whatever the clock says.
  if (arrival.admitted) return {Admission::Admitted, arrival.id};
  blocked_.erase(std::find(blocked_.begin(), blocked_.end(), &arrival));
  update();
  return {closed_ ? Admission::Closed : Admission::Full};
}

Scheduler::Admission Scheduler::acquire(Ticket& ticket, Clock::time_point deadline) {
  const Admission admission = admit(ticket, deadline).admission;
  if (admission != Admission::Admitted) return admission;
  std::unique_lock lock(mutex_);
  ticket.changed.wait(lock, [&] { return ticket.state != Ticket::State::Waiting; });
  if (ticket.state == Ticket::State::Granted) return Admission::Admitted;
  --open_;
  update();
  return closed_ ? Admission::Closed : Admission::Cancelled;
}

void Scheduler::release(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  slots_[ticket.lane->index]->busy = false;
  ++ticket.lane->tasks;
  --running_;
  if (!ticket.on_worker) --open_;
  update();
}

void Scheduler::ended(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  --open_;
  if (ticket.window != nullptr) {
    if (ticket.state == Ticket::State::Cancelled) ++ticket.window->started;  // it never was
    ++ticket.window->delivered;
  }
  update();
}

Ticket* Scheduler::next_for_worker(Lane& lane) {
  Slot& slot = *slots_[lane.index];
  std::unique_lock lock(mutex_);
  slot.wake.wait(lock, [&] { return slot.assigned != nullptr || stopped_; });
  return std::exchange(slot.assigned, nullptr);
}

bool Scheduler::cancel(uint64_t id, Ticket*& taken) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const Ticket* t) { return t->id == id; });
  if (found == waiting_.end()) return false;
  Ticket* const ticket = *found;
  waiting_.erase(found);
  ticket->state = Ticket::State::Cancelled;
  taken = ticket->on_worker ? ticket : nullptr;
  if (!ticket->on_worker) ticket->changed.notify_one();
  update();
  return true;
}

std::vector<Ticket*> Scheduler::cancel_all(size_t& count) {
  std::vector<Ticket*> for_workers;
  const std::lock_guard lock(mutex_);
  count = waiting_.size();
  for (Ticket* ticket : waiting_) {
    ticket->state = Ticket::State::Cancelled;
    if (ticket->on_worker) {
      for_workers.push_back(ticket);
    } else {
      ticket->changed.notify_one();
    }
  }
  waiting_.clear();
  update();
  return for_workers;
}

Ticket* Scheduler::cancel_oldest(const Window& window) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const Ticket* t) { return t->window == &window; });
  if (found == waiting_.end()) return nullptr;
  Ticket* const ticket = *found;
  waiting_.erase(found);
  ticket->state = Ticket::State::Cancelled;
  return ticket;
}

uint64_t Scheduler::admit_cancelled(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  enqueue(ticket);
  waiting_.pop_back();
  ticket.state = Ticket::State::Cancelled;
  return ticket.id;
}

void Scheduler::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (Arrival* arrival : blocked_) arrival->changed.notify_one();
  closing_.notify_all();
}

bool Scheduler::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

void Scheduler::wait_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return open_ == 0 && blocked_.empty(); });
}

void Scheduler::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  for (const std::unique_ptr<Slot>& slot : slots_) slot->wake.notify_one();
}

bool Scheduler::sleep_until(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  return !closing_.wait_until(lock, until, [&] { return closed_; });
}

Scheduler::Counts Scheduler::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts{waiting_.size(), running_, {}};
  for (const std::unique_ptr<Lane>& lane : lanes_) counts.tasks_per_lane.push_back(lane->tasks);
  return counts;
}

void Scheduler::want_core_mask(uint32_t mask) {
  const std::lock_guard lock(mutex_);
  for (const std::unique_ptr<Lane>& lane : lanes_) lane->wanted_core_mask = mask;
}

std::optional<uint32_t> Scheduler::take_wanted_core_mask(Lane& lane) {
  const std::lock_guard lock(mutex_);
  return std::exchange(lane.wanted_core_mask, std::nullopt);
}

}  // namespace openrknn::session
