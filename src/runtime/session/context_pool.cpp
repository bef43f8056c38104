#include "runtime/session/context_pool.h"

#include <algorithm>

namespace openrknn::session {
namespace {

constexpr size_t kNone = SIZE_MAX;

}  // namespace

ContextPool::ContextPool(const std::shared_ptr<const RuntimeLibrary>& runtime, const ModelSource& source,
                         const SessionOptions& options)
    : schedule_(options.schedule) {
  std::vector<int64_t> routes = options.schedule.empty() ? std::vector<int64_t>{0} : options.schedule;
  std::sort(routes.begin(), routes.end());
  routes.erase(std::unique(routes.begin(), routes.end()), routes.end());
  const auto workers = static_cast<size_t>(options.threads_per_core) * routes.size();
  for (size_t i = 0; i < workers; ++i) {
    Slot slot;
    slot.core = routes[i % routes.size()];
    const bool fresh = i == 0 || options.disable_dup_context;
    slot.context = fresh ? std::make_unique<ModelContext>(runtime, source)
                         : std::make_unique<ModelContext>(*slots_.front().context, Duplicate{});
    const uint32_t mask = options.schedule.empty() ? options.core_mask : 1u << slot.core;
    slot.context->set_core_mask(mask, static_cast<int64_t>(i));
    slots_.push_back(std::move(slot));
  }
}

size_t ContextPool::find_idle(int64_t core) const {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].busy && (schedule_.empty() || slots_[i].core == core)) return i;
  }
  return kNone;
}

ContextPool::Lease ContextPool::acquire() {
  std::unique_lock lock(mutex_);
  const int64_t core = schedule_.empty() ? 0 : schedule_[next_task_ % schedule_.size()];
  ++next_task_;
  size_t index = kNone;
  changed_.wait(lock, [&] { return closed_ || (index = find_idle(core)) != kNone; });
  if (closed_) throw SessionError("session closed");
  slots_[index].busy = true;
  return Lease(*this, index);
}

void ContextPool::give_back(size_t index) {
  const std::lock_guard lock(mutex_);
  slots_[index].busy = false;
  changed_.notify_all();
}

void ContextPool::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return std::none_of(slots_.begin(), slots_.end(), [](const Slot& s) { return s.busy; }); });
  for (Slot& slot : slots_) slot.context.reset();
}

}  // namespace openrknn::session
