// Kernels are table rows: accepts, prepare, run one tile. They see neither threads nor allocation nor layouts of
// others.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/cpu.h"
#include "core/base/layout.h"
#include "core/graph/graph.h"
#include "core/targets/targets.h"

namespace openrknn {

/// One input or output as the kernel meets it. `shape` is physical: for Layout::ChannelsLast [N, spatial…, C].
struct Operand {
  DType dtype = DType::Float32;
  Shape shape;
  Layout layout = Layout::Logical;
  const QuantParams* quant = nullptr;  ///< null: plain numbers
  const Tensor* constant = nullptr;    ///< content in the physical shape, if known at plan time
  bool present = true;                 ///< false: optional input left out
};

/// Everything known at plan time. `node.attributes` that name dimensions are already permuted to the physical order.
struct Call {
  const Node& node;
  std::span<const Operand> inputs, outputs;
  const Law* law = nullptr;  ///< the row that Arithmetic names; null in float-only graphs
  bool ideal = false;        ///< ignore node.fixed, compute in real numbers, round once
};

/// Packed weights, built once and shared by all plans and contexts. Thread-safe.
class Weights {
 public:
  using Packed = std::shared_ptr<const std::vector<std::byte>>;
  /// The bytes stored under `key`, or those `build` makes. Keys should hold the kernel's name, the constants'
  /// identities (identity()) and whatever else changes the packing.
  Packed get(const std::string& key, const std::function<std::vector<std::byte>()>& build);
  /// Distinct for distinct content held at the same time: address and size of the constant's bytes.
  static std::string identity(const Tensor&);
  int64_t bytes() const;  ///< held at present

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Packed> packed_;
};

/// Elements of an output, counted as they lie in memory: `count` stretches of `length`, which begin `step` apart.
struct Stretches {
  int64_t first = 0, length = 0, step = 0, count = 0;
};

/// A function of one Int8 code: the result of each, by the code as an unsigned byte.
using CodeTable = std::array<int8_t, 256>;

/// One input or output as run() meets it: inputs first, then outputs. data is null for an absent input. Buffers are
/// 64-byte aligned and may be read up to 64 bytes past their end (the arena and constants are padded), never written
/// there.
struct Buffer {
  std::byte* data = nullptr;
};

struct Prepared {
  std::shared_ptr<const void> state;  ///< whatever run() needs; immutable
  int64_t tiles = 1;                  ///< independent pieces; never depends on the number of threads
  int64_t scratch = 0;                ///< bytes per worker, 64-byte aligned when handed in
  int in_place = -1;           ///< output 0 may reuse the buffer of this input (read and write of an element coincide)
  uint32_t unread_inputs = 0;  ///< bit i: run() never reads input i, a constant packed here; its buffer may be null

  // What lets a plan run two kernels tile by tile (executor/chain.h); where unset, each is run on its own.
  /// What of output 0, the only one, the tile writes.
  Stretches (*written)(const Prepared&, int64_t tile) = nullptr;
  /// Computes these elements of output 0, as run() does.
  void (*run_elements)(const Prepared&, std::span<const Buffer>, const Stretches&, std::byte* scratch) = nullptr;
  /// Bit i: of input i, which is as large as output 0, an element is read to compute the same element only, so
  /// run_elements() may write over it.
  uint32_t element_inputs = 0;
  /// What output 0 is of its one element input, where nothing else matters.
  std::shared_ptr<const CodeTable> table;
  /// The same call with every code of output 0 replaced by what the table has for it.
  Prepared (*then)(const Prepared&, const CodeTable&) = nullptr;
};

struct Kernel {
  std::string_view op, name;  ///< "Conv", "conv_f32_avx2"
  CpuFeatures needs = 0;
  bool (*accepts)(const Call&) = nullptr;
  Prepared (*prepare)(const Call&, Weights&) = nullptr;
  void (*run)(const Prepared&, std::span<const Buffer>, int64_t tile, std::byte* scratch) = nullptr;
  bool approximate = false;  ///< bits differ from the reference: never chosen unless asked
};

/// All rows, grouped by op, in order of preference; the last row of an op that accepts a call is its reference.
std::span<const Kernel> builtin_kernels();
/// Only rows of kernels/reference.
std::span<const Kernel> reference_kernels();
/// First row of `op` that runs on `cpu` and accepts; null if none.
const Kernel* choose_kernel(std::span<const Kernel>, const Call&, CpuFeatures);

/// prepare + all tiles on one thread with buffers of its own: constant folding and tests.
std::vector<Tensor> run_kernel(const Kernel&, const Call&, std::span<const Tensor> inputs, Weights&);

}  // namespace openrknn
