// How the elements of a value follow one another in memory, and copies from one order into another.
#pragma once

#include <cstddef>
#include <vector>

#include "core/base/layout.h"
#include "core/kernels/kernel.h"

namespace openrknn {

/// One form of a value in memory: dimensions of extent 1 put in front up to `rank`, then ordered by `layout`.
/// A tensor [C,1,1] that is added to channels-last [N,C,H,W] data is needed as {ChannelsLast, 4}: [1,1,1,C].
struct Form {
  Layout layout = Layout::Logical;
  int64_t rank = 0;
  bool operator==(const Form&) const = default;
};

/// `logical` with extents of 1 in front up to the form's rank.
Shape unsqueezed(const Shape& logical, Form);
/// The extents in memory.
Shape physical_shape(const Shape& logical, Form);

/// A loop over memory: one step goes `stride` elements on in some row-major numbering of the elements.
struct Loop {
  int64_t extent = 0, stride = 0;
  bool operator==(const Loop&) const = default;
};
/// Loops, outermost first, that visit memory from its first element to its last. Extents of 1 are left out and
/// neighbours that run on into each other are joined, so that equal orders have equal loops whatever the shapes:
/// [1,C,H,W] and [1,C,H*W], both channels last, are the same bytes.
using MemoryOrder = std::vector<Loop>;

/// Strides count elements of the value in logical order.
MemoryOrder memory_order(const Shape& logical, Form);
/// The order of Transpose's output, numbered by the logical order of its input: equal to the input's memory_order
/// exactly if the node moves nothing.
MemoryOrder transposed_order(const Shape& input, const std::vector<int64_t>& perm, Form output);

/// A copy that reads a value in one form and writes it in another, cut into tiles that any threads may do.
struct FormCopy {
  MemoryOrder loops;  ///< of the output; strides are those of the input's memory
  int64_t element_bytes = 1;
  int64_t row_loop = -1;  ///< the loop that runs beside the innermost one: together they form planes
  int64_t rows_per_unit = 1, units = 1, units_per_tile = 1;
};
FormCopy form_copy(const Shape& logical, Form from, Form to, int64_t element_bytes);
int64_t tile_count(const FormCopy&);
void copy_tile(const FormCopy&, const std::byte* in, std::byte* out, int64_t tile);

/// The same as a kernel row: one input, one output, Prepared::state is a FormCopy.
const Kernel& form_copy_kernel();
Prepared prepare_form_copy(FormCopy);

}  // namespace openrknn
