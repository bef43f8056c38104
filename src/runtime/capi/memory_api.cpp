// rknn_tensor_mem: made, wrapped, destroyed. May be called from any threads at once.
#include <fmt/format.h>

#include <cstring>

#include "runtime/capi/guard.h"

namespace openrknn::capi {
namespace {

/// As guard, for functions that return memory.
template <class Body>
rknn_tensor_mem* guard_memory(const char* function, Body&& body) noexcept {
  try {
    return library().add(body());
  } catch (...) {
    report_current_exception(function);
    return nullptr;
  }
}

std::shared_ptr<MemoryEntry> allocate(uint64_t size) {
  constexpr uint64_t kMost = UINT32_MAX;  // what rknn_tensor_mem.size can say
  if (size == 0 || size > kMost) fail(Code::RuntimeBadArgument, fmt::format("cannot allocate {} bytes", size));
  auto entry = std::make_shared<MemoryEntry>();
  entry->memory = Memory::allocate(static_cast<int64_t>(size));
  entry->given.virt_addr = entry->memory->data();
  entry->given.phys_addr = entry->memory->device_address();
  entry->given.fd = entry->memory->fd();
  entry->given.size = static_cast<uint32_t>(size);
  entry->given.flags = RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE;
  return entry;
}

}  // namespace
}  // namespace openrknn::capi

using namespace openrknn;
using namespace openrknn::capi;

rknn_tensor_mem* rknn_create_mem(rknn_context ctx, uint32_t size) {
  return guard_memory("rknn_create_mem", [&] {
    library().require_handle(ctx);
    return allocate(size);
  });
}

rknn_tensor_mem* rknn_create_mem2(rknn_context ctx, uint64_t size, uint64_t alloc_flags) {
  return guard_memory("rknn_create_mem2", [&] {
    if ((alloc_flags & RKNN_MEM_FLAG_ALLOC_NO_CONTEXT) == 0) library().require_handle(ctx);
    return allocate(size);  // caching and SRAM are hints
  });
}

rknn_tensor_mem* rknn_create_mem_from_fd(rknn_context ctx, int32_t fd, void* virt_addr, uint32_t size, int32_t offset) {
  return guard_memory("rknn_create_mem_from_fd", [&] {
    library().require_handle(ctx);
    if (offset < 0) fail(Code::RuntimeBadArgument, fmt::format("offset {} is negative", offset));
    auto entry = std::make_shared<MemoryEntry>();
    if (virt_addr == nullptr) {
      entry->memory = Memory::map(fd, static_cast<int64_t>(size) + offset, 0);
      virt_addr = entry->memory->data();
    }
    entry->given.virt_addr = virt_addr;
    entry->given.fd = fd;
    entry->given.offset = offset;
    entry->given.size = size;
    entry->given.flags = RKNN_TENSOR_MEMORY_FLAGS_FROM_FD;
    return entry;
  });
}

rknn_tensor_mem* rknn_create_mem_from_phys(rknn_context ctx, uint64_t phys_addr, void* virt_addr, uint32_t size) {
  return guard_memory("rknn_create_mem_from_phys", [&] {
    library().require_handle(ctx);
    require_pointer(virt_addr, "virt_addr");
    auto entry = std::make_shared<MemoryEntry>();
    entry->given.virt_addr = virt_addr;
    entry->given.phys_addr = phys_addr;
    entry->given.fd = -1;
    entry->given.size = size;
    entry->given.flags = RKNN_TENSOR_MEMORY_FLAGS_FROM_PHYS;
    return entry;
  });
}

// Documented as supported on no platform.
rknn_tensor_mem* rknn_create_mem_from_mb_blk(rknn_context, void*, int32_t) {
  return guard_memory("rknn_create_mem_from_mb_blk", []() -> std::shared_ptr<MemoryEntry> {
    fail(Code::RuntimeBadArgument, "media buffer blocks are not supported on any platform",
         "use rknn_create_mem_from_fd");
  });
}

int rknn_destroy_mem(rknn_context, rknn_tensor_mem* mem) {
  return guard("rknn_destroy_mem", [&] {
    require_pointer(mem, "mem");
    library().remove(mem);  // any context, or none, may be named: the memory knows what it is
  });
}

int rknn_mem_sync(rknn_context context, rknn_tensor_mem* mem, rknn_mem_sync_mode mode) {
  constexpr const char* kName = "rknn_mem_sync";
  const auto sync = [&] {
    require_pointer(mem, "mem");
    uint32_t directions = 0;  // C programs may give any int, which C++ may not load as the enumeration
    std::memcpy(&directions, &mode, sizeof directions);
    if (directions < RKNN_MEMORY_SYNC_TO_DEVICE || directions > RKNN_MEMORY_SYNC_BIDIRECTIONAL) {
      fail(Code::RuntimeBadArgument, fmt::format("{} is no rknn_mem_sync_mode", static_cast<int32_t>(directions)));
    }
    const std::shared_ptr<MemoryEntry> entry = library().find(mem);
    if (!entry->memory) return;
    if ((directions & RKNN_MEMORY_SYNC_TO_DEVICE) != 0) entry->memory->sync_to_device();
    if ((directions & RKNN_MEMORY_SYNC_FROM_DEVICE) != 0) entry->memory->sync_from_device();
  };
  if (library().is_matmul(context)) return guard(kName, sync);
  return with_context(kName, context, [&](ContextState&) { sync(); });
}
