// Where the toolkit's SoCs compute an operator: on the NPU, on the CPU, or not at all. Metadata: the simulator computes
// everything, and its bits do not depend on it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/base/dtype.h"
#include "core/targets/operator_limits.h"

namespace openrknn {

enum class Place : uint8_t {
  Npu,
  NpuIf,  ///< on the NPU under the row's condition, else on the CPU where it has a kernel
  Cpu,
  None,  ///< neither: such a model runs on the simulator only
};

struct OperatorPlacement {
  std::string_view op;  ///< canonical operator (docs/ir.md)
  /// One letter a family, in the order of Family: y on the NPU, c under the condition, - not.
  std::string_view int8, float16;
  std::string_view condition;  ///< of the letters c, in words; or as which other operator it is computed
  LimitCheck check = nullptr;  ///< of the letters c, on a node
};

/// Operators with an NPU form, sorted by name.
std::span<const OperatorPlacement> npu_operators();
const OperatorPlacement* find_npu_operator(std::string_view op);
/// The runtime of the family's SoCs has a CPU kernel of it.
bool has_cpu_kernel(std::string_view op, Family);
/// `dtype` is Int8 (an integer build) or Float16.
Place place_of(std::string_view op, Family, DType dtype);

}  // namespace openrknn
