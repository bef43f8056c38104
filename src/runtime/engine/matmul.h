// A matrix product of the RKNN C API: C[M,N] = A[M,K] x B[K,N] over matrices in memory of the program.
//
// Numbers (docs/c_api.md, "Matmul"). Integer operands: exact sums. Float16 A: products with float32 accumulators, k
// ascending, fma. Scaled results: (double) sum * sA sB / sC, rounded once to float32 and from there to C's type; INT8
// is cut off towards zero. Per-group scales of B multiply each group's exact sum (integer A) or each weight (float16
// A).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/engine/device.h"
#include "runtime/engine/matmul_layout.h"

namespace openrknn {

/// real = (code - zero_point) * scale.
struct MatmulScales {
  std::vector<float> scale = {1.0f};
  std::vector<int32_t> zero_point = {0};
};

/// Not thread-safe: the caller locks. Several may run at the same time.
class Matmul {
 public:
  Matmul(MatmulSpec, std::shared_ptr<Device>);

  const MatmulSpec& spec() const { return spec_; }
  Device& device() const { return *device_; }
  void set_core_mask(uint32_t mask) { core_mask_ = mask; }

  /// Throws Error (RuntimeBadArgument): the type has no such parameters, their number can fit no shape, a scale is not
  /// positive, a zero point is not allowed or no code.
  void set_scales(MatmulSide, MatmulScales);
  const MatmulScales& scales(MatmulSide side) const { return scales_[static_cast<size_t>(side)]; }
  /// INT8_MM_INT8_TO_INT32 with scales per channel: what each channel's sums are multiplied with, 1 for the largest
  /// scale, and that scale.
  std::pair<std::vector<float>, float> normalised_scales() const;

  /// Waits for a core and computes; matrices as matmul_bytes() says. Throws Error (RuntimeBadArgument) if B's scales
  /// are not as many as the shape needs.
  void run(const MatmulShape&, const std::byte* a, const std::byte* b, std::byte* c);

 private:
  const MatmulSpec spec_;
  const std::shared_ptr<Device> device_;
  const PanelProduct product_;
  uint32_t core_mask_ = kAnyCore;
  MatmulScales scales_[3];
};

}  // namespace openrknn
