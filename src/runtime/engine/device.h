// What the engine asks of whatever computes. The simulator is the first; an NPU driver will also say which nodes it
// refuses and load partitions of a Plan (a partition is one step of it).
#pragma once

#include <memory>

#include "core/targets/targets.h"
#include "runtime/engine/cores.h"
#include "runtime/engine/memory.h"

namespace openrknn {

/// Shared by all contexts of a process that use it. Thread-safe.
struct Device {
  virtual ~Device() = default;
  virtual const Target& target() const = 0;
  virtual std::string_view driver_version() const = 0;
  virtual std::unique_ptr<Memory> allocate(int64_t bytes) = 0;
  /// The queue jobs go through: acquire() before computing.
  virtual Cores& cores() = 0;
};

}  // namespace openrknn
