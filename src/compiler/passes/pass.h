// Passes: Graph -> Graph by redirect and absorb only. One file a pass; the order is in compiler/compile.cpp.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/graph/graph.h"
#include "core/graph/schema.h"

namespace openrknn {

enum class Effect : uint8_t { Exact, Rounding, Approximate };

struct PassContext {
  Evaluator evaluate;                               ///< computes nodes with known inputs
  std::function<void(std::string_view line)> note;  ///< pass log: "fuse_batch_norm: conv1 + bn1"; may be empty
};

struct Pass {
  std::string_view name;
  int level = 0;  ///< smallest optimization_level that runs it
  Effect effect = Effect::Exact;
  bool (*run)(Graph&, const PassContext&) = nullptr;  ///< true if the graph changed
  std::string_view reason;    ///< one line: why this pass exists and why it stands where it does
  bool is_asked_for = false;  ///< runs only where an option names it
};

/// In running order; groups are repeated until nothing changes.
std::span<const Pass> clean_passes();
std::span<const Pass> fold_passes();
std::span<const Pass> fuse_passes();
const Pass* find_pass(std::string_view name);

}  // namespace openrknn
