// Custom: what stands in for code that was never registered. A model with such nodes loads, plans and can be looked at;
// only a run that reaches one fails.
#include <fmt/format.h>

#include "core/graph/custom.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct MissingCode {
  std::string type, node;
};

bool accepts(const Call&) { return true; }

Prepared prepare(const Call& call, Weights&) {
  return {std::make_shared<const MissingCode>(MissingCode{std::string(custom_type(call.node)), call.node.name})};
}

void run(const Prepared& prepared, std::span<const Buffer>, int64_t, std::byte*) {
  const MissingCode& missing = *static_cast<const MissingCode*>(prepared.state.get());
  fail(Code::RuntimeUnregisteredOp, Location{.file = {}, .node = missing.node, .tensor = {}},
       fmt::format("{} is a custom operator, and nothing is registered that computes it", missing.type),
       "run the model with rknn_register_custom_ops, or with a plugin that brings the operator");
}

constexpr Kernel kRows[] = {{kCustomOp, "custom_unregistered", 0, accepts, prepare, run}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_custom_kernels() { return reference::kRows; }

}  // namespace openrknn
