// Inference of a built model: the same session over the same C API that a board uses, on the simulator.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/model/ports.h"
#include "toolkit/custom_operators.h"

namespace openrknn {

/// One array as the caller has it.
struct SimulatorInput {
  Tensor array;
  PortLayout layout = PortLayout::Nhwc;  ///< of 4-D arrays; others are taken as the model has them
  bool pass_through = false;             ///< the elements are codes (or halves) already; floats are rounded to halves
};

/// Not thread-safe: one run at a time per object. The runtime takes OPENRKNN_THREADS threads, all of the machine
/// without.
class Simulator {
 public:
  /// `file` is a whole .rknn file in memory; it is copied. `ports` are its inputs. `shape_sets`: how many sets of input
  /// shapes it has; of several, the arrays of a run choose one. `custom` computes Custom nodes of `graph`, the model's.
  /// `key_file`: of an encrypted file; empty: what the environment names.
  Simulator(const std::string& file, std::vector<Port> ports, size_t shape_sets,
            std::vector<CustomOperatorCode> custom = {}, const Graph* graph = nullptr,
            const std::filesystem::path& key_file = {});
  ~Simulator();
  /// Outputs in the source model's rank and layout: float32 for quantized and fp16 ones, integers and bools as they
  /// are.
  std::vector<Tensor> run(const std::vector<SimulatorInput>&);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace openrknn
