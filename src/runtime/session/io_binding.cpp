#include "openrknn/io_binding.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "runtime/session/engine.h"
#include "runtime/session/staging.h"
#include "runtime/session/zero_copy.h"

namespace openrknn {

using namespace session;

DeviceArray::DeviceArray(Session& session, const std::string& name, IoKind kind, uint64_t)
    : buffer_(std::make_shared<DeviceBuffer>()) {
  buffer_->owner = session.engine()->zero_copy();
  buffer_->kind = kind;
  buffer_->port = buffer_->owner->find(kind, name);
  const std::lock_guard lock(buffer_->owner->mutex());
  ModelContext& context = buffer_->owner->context();
  require(context.runtime(), context.runtime().create_mem, "rknn_create_mem");
  require(context.runtime(), context.runtime().destroy_mem, "rknn_destroy_mem");
  buffer_->memory = context.runtime().create_mem(context.handle(), static_cast<uint32_t>(buffer_->port.bytes));
  if (buffer_->memory == nullptr) throw SessionError("rknn_create_mem failed", 0, "rknn_create_mem");
}

DeviceArray::DeviceArray(Session& session, const std::string& name, IoKind kind, int fd, uint64_t size, int32_t offset,
                         void* address)
    : buffer_(std::make_shared<DeviceBuffer>()) {
  buffer_->owner = session.engine()->zero_copy();
  buffer_->kind = kind;
  buffer_->port = buffer_->owner->find(kind, name);
  if (size < buffer_->port.bytes) {
    throw SessionError(
        fmt::format("OrtValue buffer is too small for bound tensor: required {} bytes, got {} bytes ({})",
                    buffer_->port.bytes, size, name));
  }
  if (size > UINT32_MAX || offset < 0) throw SessionError("size must fit 32 bits and offset must be >= 0");
  buffer_->fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (buffer_->fd < 0) throw SessionError("dup dma-buf fd failed");
  const std::lock_guard lock(buffer_->owner->mutex());
  ModelContext& context = buffer_->owner->context();
  require(context.runtime(), context.runtime().create_mem_from_fd, "rknn_create_mem_from_fd");
  require(context.runtime(), context.runtime().destroy_mem, "rknn_destroy_mem");
  buffer_->memory =
      context.runtime().create_mem_from_fd(context.handle(), buffer_->fd, address, static_cast<uint32_t>(size), offset);
  if (buffer_->memory == nullptr) throw SessionError("rknn_create_mem_from_fd failed", 0, "rknn_create_mem_from_fd");
}

ElementType DeviceArray::type() const { return static_cast<ElementType>(buffer_->port.attr.type); }
const std::vector<int64_t>& DeviceArray::shape() const { return buffer_->port.logical.shape; }
const std::string& DeviceArray::name() const { return buffer_->port.logical.name; }

size_t DeviceArray::dense_bytes() const {
  size_t bytes = element_bytes(type());
  for (const int64_t extent : shape()) bytes *= static_cast<size_t>(extent);
  return bytes;
}

void DeviceArray::write(const ArrayView& array) {
  if (array.shape != shape()) {
    throw SessionError(fmt::format("update_inplace source shape mismatch: expected {}, got {}", shape_text(shape()),
                                   shape_text(array.shape)));
  }
  if (array.type != type()) {
    throw SessionError(fmt::format("update_inplace source element type mismatch: expected {}, got {}",
                                   type_name(type()), type_name(array.type)));
  }
  std::vector<std::byte> copy;
  const auto* dense = static_cast<const std::byte*>(array.data);
  if (!is_dense(array)) {
    copy.resize(dense_bytes());
    copy_dense(array, false, copy.data());
    dense = copy.data();
  }
  to_device(buffer_->port, dense, buffer_->data());
  sync_to_device();
}

void DeviceArray::read(std::byte* out) const {
  sync_from_device();
  from_device(buffer_->port, buffer_->data(), out);
}

void DeviceArray::sync_to_device() const { buffer_->sync(RKNN_MEMORY_SYNC_TO_DEVICE); }
void DeviceArray::sync_from_device() const { buffer_->sync(RKNN_MEMORY_SYNC_FROM_DEVICE); }

DeviceMemoryInfo DeviceArray::memory_info() const {
  const rknn_tensor_mem& memory = *buffer_->memory;
  const rknn_tensor_attr& attr = buffer_->port.attr;
  DeviceMemoryInfo info;
  info.size = memory.size;
  info.attr_size = attr.size;
  info.size_with_stride = attr.size_with_stride;
  info.fd = memory.fd;
  info.offset = memory.offset;
  info.virt_addr = reinterpret_cast<uintptr_t>(memory.virt_addr);
  info.w_stride = attr.w_stride;
  info.h_stride = attr.h_stride;
  info.format = attr.fmt;
  info.pass_through = attr.pass_through != 0;
  info.owned = buffer_->fd < 0;
  return info;
}

struct IoBinding::State {
  std::shared_ptr<ZeroCopy> zero_copy;
  mutable std::mutex mutex;
  std::map<std::string, DeviceArray> inputs, outputs;
  std::vector<std::string> output_order;
};

namespace {

/// That an array made for a port of another session, or another port, can be bound here.
void require_fit(const DevicePort& port, IoKind kind, const DevicePort& other) {
  const std::string what =
      fmt::format("OrtValue for {} '{}'", kind == IoKind::Input ? "input" : "output", port.logical.name);
  if (other.logical.shape != port.logical.shape) {
    throw SessionError(fmt::format("{} shape mismatch: expected {}, got {}", what, shape_text(port.logical.shape),
                                   shape_text(other.logical.shape)));
  }
  if (other.attr.type != port.attr.type) {
    throw SessionError(
        fmt::format("{} element type mismatch: expected {}, got {}", what, port.logical.type, other.logical.type));
  }
  const rknn_tensor_attr &a = port.attr, &b = other.attr;
  const bool same_layout = a.fmt == b.fmt && a.n_dims == b.n_dims && std::equal(a.dims, a.dims + a.n_dims, b.dims) &&
                           a.w_stride == b.w_stride && a.h_stride == b.h_stride && a.pass_through == b.pass_through;
  const bool same_numbers = a.qnt_type == b.qnt_type && a.fl == b.fl && a.zp == b.zp && a.scale == b.scale;
  if (!same_layout || (kind == IoKind::Input && !same_numbers)) {
    throw SessionError(
        fmt::format("{} native zero-copy layout mismatch: expected {}, scale {}, zero point {}; got {}, "
                    "scale {}, zero point {}",
                    what, get_format_string(a.fmt), a.scale, a.zp, get_format_string(b.fmt), b.scale, b.zp));
  }
}

}  // namespace

IoBinding::IoBinding(std::shared_ptr<ZeroCopy> zero_copy) : state_(std::make_shared<State>()) {
  state_->zero_copy = std::move(zero_copy);
}

void IoBinding::bind_input(const std::string& name, DeviceArray array) {
  require_fit(state_->zero_copy->find(IoKind::Input, name), IoKind::Input, array.buffer_->port);
  if (array.buffer_->owner != state_->zero_copy) throw SessionError("OrtValue belongs to a different session");
  const std::lock_guard lock(state_->mutex);
  state_->inputs.insert_or_assign(name, std::move(array));
}

void IoBinding::bind_output(const std::string& name, DeviceArray array) {
  require_fit(state_->zero_copy->find(IoKind::Output, name), IoKind::Output, array.buffer_->port);
  if (array.buffer_->owner != state_->zero_copy) throw SessionError("OrtValue belongs to a different session");
  const std::lock_guard lock(state_->mutex);
  const auto known = std::find(state_->output_order.begin(), state_->output_order.end(), name);
  if (known == state_->output_order.end()) state_->output_order.push_back(name);
  state_->outputs.insert_or_assign(name, std::move(array));
}

void IoBinding::clear_inputs() {
  const std::lock_guard lock(state_->mutex);
  state_->inputs.clear();
}

void IoBinding::clear_outputs() {
  const std::lock_guard lock(state_->mutex);
  state_->outputs.clear();
  state_->output_order.clear();
}

std::vector<DeviceArray> IoBinding::outputs() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<DeviceArray> arrays;
  for (const std::string& name : state_->output_order) arrays.push_back(state_->outputs.at(name));
  return arrays;
}

void IoBinding::synchronize_inputs() const {
  const std::lock_guard lock(state_->mutex);
  for (const auto& [name, array] : state_->inputs) array.sync_to_device();
}

void IoBinding::synchronize_outputs() const {
  const std::lock_guard lock(state_->mutex);
  for (const auto& [name, array] : state_->outputs) array.sync_from_device();
}

bool IoBinding::belongs_to(Session& session) const { return session.engine()->zero_copy() == state_->zero_copy; }

void IoBinding::run() {
  const std::lock_guard lock(state_->mutex);
  ZeroCopy& zero_copy = *state_->zero_copy;
  const auto require_all = [&](const auto& bound, IoKind kind, const char* what) {
    if (bound.size() != zero_copy.ports(kind).size()) {
      throw SessionError(fmt::format("All model {} must be bound before run_with_iobinding", what));
    }
  };
  require_all(state_->inputs, IoKind::Input, "inputs");
  require_all(state_->outputs, IoKind::Output, "outputs");
  ZeroCopyTimes times{.started = Clock::now()};
  for (const auto& [name, array] : state_->inputs) array.sync_to_device();
  const std::lock_guard context_lock(zero_copy.mutex());
  const ModelContext& context = zero_copy.context();
  require(context.runtime(), context.runtime().set_io_mem, "rknn_set_io_mem");
  zero_copy.bind(IoKind::Input, [&](const std::string& name) { return state_->inputs.at(name).buffer_; });
  zero_copy.bind(IoKind::Output, [&](const std::string& name) { return state_->outputs.at(name).buffer_; });
  zero_copy.run(times);
}

}  // namespace openrknn
