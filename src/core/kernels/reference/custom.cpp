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

bool accepts_custom(const Call&) { return true; }

Prepared prepare_custom(const Call& call, Weights&) {
  return {std::make_shared<const MissingCode>(MissingCode{std::string(custom_type(call.node)), call.node.name})};
}

void run_custom(const Prepared& prepared, std::span<const Buffer>, int64_t, std::byte*) {
  const MissingCode& missing = *static_cast<const MissingCode*>(prepared.state.get());
  fail(Code::RuntimeUnregisteredOp, Location{.file = {}, .node = missing.node, .tensor = {}},
       fmt::format("{} is a custom operator, and nothing is registered that computes it", missing.type),
       "run the model with rknn_register_custom_ops, or with a plugin that brings the operator");
}

constexpr Kernel kCustomKernels[] = {{kCustomOp, "custom_unregistered", 0, accepts_custom, prepare_custom, run_custom}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_custom_kernels() { return reference::kCustomKernels; }

}  // namespace openrknn
