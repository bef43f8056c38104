#include "contexts.h"

#include <algorithm>
#include <cstdlib>

namespace openrknn::stub {

Context::Context(uint64_t number, std::shared_ptr<const TextModel> text, uint64_t duplicate_of)
    : handle(number), model(std::move(text)), original(duplicate_of) {
  for (const TextModel::Tensor& tensor : model->inputs) inputs.push_back(tensor.attr);
  for (const TextModel::Tensor& tensor : model->outputs) outputs.push_back(tensor.attr);
  given.resize(inputs.size());
  bound_inputs.resize(inputs.size());
  bound_outputs.resize(outputs.size());
}

void Registry::FreeBytes::operator()(void* bytes) const { std::free(bytes); }

std::shared_ptr<Context> Registry::add(std::shared_ptr<const TextModel> model, uint64_t duplicate_of) {
  const std::scoped_lock lock(mutex_);
  auto context = std::make_shared<Context>(next_++, std::move(model), duplicate_of);
  contexts_[context->handle] = context;
  return context;
}

std::shared_ptr<Context> Registry::find(uint64_t handle) const {
  const std::scoped_lock lock(mutex_);
  const auto found = contexts_.find(handle);
  return found == contexts_.end() ? nullptr : found->second;
}

bool Registry::remove(uint64_t handle, bool& early) {
  std::shared_ptr<Context> last;  // ends outside the lock
  const std::scoped_lock lock(mutex_);
  const auto found = contexts_.find(handle);
  if (found == contexts_.end()) return false;
  last = std::move(found->second);
  contexts_.erase(found);
  early = std::any_of(contexts_.begin(), contexts_.end(),
                      [&](const auto& entry) { return entry.second->original == handle; });
  return true;
}

int Registry::contexts() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(contexts_.size());
}

rknn_tensor_mem* Registry::add_mem(uint64_t size, void* data, uint32_t flags, int32_t fd, int32_t offset,
                                   uint64_t physical) {
  if (size > UINT32_MAX) return nullptr;
  auto memory = std::make_unique<Memory>();
  if (data == nullptr) {
    memory->bytes.reset(std::aligned_alloc(64, (size + 64) / 64 * 64));
    data = memory->bytes.get();
    if (data == nullptr) return nullptr;
  }
  memory->mem = {data, physical, fd, offset, static_cast<uint32_t>(size), flags, nullptr};
  rknn_tensor_mem* const handle = &memory->mem;
  const std::scoped_lock lock(mutex_);
  mems_[handle] = std::move(memory);
  return handle;
}

bool Registry::has_mem(const rknn_tensor_mem* mem) const {
  const std::scoped_lock lock(mutex_);
  return mems_.count(mem) != 0;
}
bool Registry::remove_mem(rknn_tensor_mem* mem) {
  const std::scoped_lock lock(mutex_);
  return mems_.erase(mem) != 0;
}
int Registry::mems() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(mems_.size());
}

void* Registry::add_output(uint32_t size) {
  void* const buffer = std::malloc(std::max<uint32_t>(size, 1));
  const std::scoped_lock lock(mutex_);
  if (buffer != nullptr) outputs_.insert(buffer);
  return buffer;
}
bool Registry::remove_output(void* buffer) {
  {
    const std::scoped_lock lock(mutex_);
    if (outputs_.erase(buffer) == 0) return false;
  }
  std::free(buffer);
  return true;
}
int Registry::outputs() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(outputs_.size());
}

Registry& registry() {
  static Registry* const only = new Registry;  // never destroyed: threads may outlive main
  return *only;
}

}  // namespace openrknn::stub
