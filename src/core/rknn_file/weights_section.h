// The "weights" section: tensor bytes, 64-byte aligned, equal ones stored once.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "core/base/tensor.h"
#include "core/rknn_file/container.h"

namespace openrknn {

/// Bytes that kernels may read past the end of a constant (core/kernels/kernel.h).
inline constexpr uint64_t kReadPastEnd = 64;

class WeightsSection {
 public:
  /// Offset of the tensor's bytes in the section. Keeps the tensor until the section is written.
  uint64_t add(const Tensor&);
  /// Leaves the tensor's bytes out of the file; gives their XXH3.
  uint64_t leave_out(const Tensor&);
  /// {XXH3, length} of what was left out.
  const std::set<std::pair<uint64_t, uint64_t>>& left_out() const { return left_out_; }
  /// The bytes of the section in order, padding included. Spans live as long as this object.
  std::vector<Bytes> pieces() const;

 private:
  struct Stored {
    Tensor tensor;
    uint64_t offset;
  };
  std::vector<Stored> stored_;
  std::multimap<uint64_t, size_t> by_hash_;  // index into stored_
  std::set<std::pair<uint64_t, uint64_t>> left_out_;
  uint64_t end_ = 0;
};

}  // namespace openrknn
