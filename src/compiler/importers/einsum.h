// Einsum: operands are contracted from left to right, each step a MatMul or, where nothing is summed, a product.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

/// What the importer at work adds nodes to.
class EinsumGraph {
 public:
  virtual ~EinsumGraph() = default;
  virtual ValueId emit(std::string_view op, std::vector<ValueId> inputs, Attributes = {}) = 0;
  virtual Shape shape_of(ValueId) const = 0;
  virtual DType dtype_of(ValueId) const = 0;
  /// The equation and the operands do not go together.
  [[noreturn]] virtual void fail(std::string problem) const = 0;

  // Nothing where nothing changes.
  ValueId reshape(ValueId, Shape);
  ValueId transpose(ValueId, std::vector<int64_t> order);
};

/// An equation as of numpy: ellipses, diagonals, the implicit form.
ValueId einsum(EinsumGraph&, std::string_view equation, std::span<const ValueId> operands);

}  // namespace openrknn
