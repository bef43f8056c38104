// A kernel and the elementwise ones after it as one step: each runs over what a tile of the first has just written,
// while it lies in the cache. The bits are those of separate steps, for each element goes through the same functions.
#pragma once

#include <array>
#include <vector>

#include "core/kernels/kernel.h"

namespace openrknn {

/// Operands a member of a chain has at most, the output included.
inline constexpr size_t kMostChainOperands = 8;

/// A kernel of a chain after the first.
struct Follower {
  Prepared prepared;  ///< with run_elements
  /// Where its operands are among the step's: inputs, then the output. Whatever is there, the output and the input that
  /// is computed in the chain are the step's output.
  std::vector<size_t> inputs;
  size_t element_input = 0;  ///< of `inputs`, the one that is computed in the chain
};

struct Chain {
  void (*run)(const Prepared&, std::span<const Buffer>, int64_t tile, std::byte* scratch) = nullptr;
  Prepared head;
  size_t head_inputs = 0;  ///< the step's first operands; its last one is the output of all members
  std::vector<Follower> followers;
};

/// The kernel can begin a chain.
bool starts_chain(const Prepared&, size_t inputs);
/// Adds a kernel to the end; one that merely looks its codes up becomes part of the member before it, if that can.
void append(Chain&, Follower);
/// The chain as a step: its Prepared and its function.
Prepared prepare_chain(Chain);
void run_chain(const Prepared&, std::span<const Buffer>, int64_t tile, std::byte* scratch);

}  // namespace openrknn
