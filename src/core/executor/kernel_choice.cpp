#include "core/executor/kernel_choice.h"

#include <fmt/format.h>

#include <algorithm>

namespace openrknn {
namespace {

std::string describe(std::span<const Operand> operands) {
  std::string text;
  for (const Operand& operand : operands) {
    text += text.empty() ? "" : ", ";
    text += operand.present ? fmt::format("{}{}", name(operand.dtype), to_string(operand.shape)) : "-";
  }
  return text;
}

}  // namespace

const Kernel* kernel_for(const Call& call, const PlanOptions& options) {
  if (const Kernel* custom = choose_kernel(options.custom, call, options.cpu)) return custom;
  // `ideal` numbers are defined by the reference alone.
  const auto is_quantized = [](const Operand& operand) { return operand.quant != nullptr; };
  const bool is_integer = std::any_of(call.inputs.begin(), call.inputs.end(), is_quantized) ||
                          std::any_of(call.outputs.begin(), call.outputs.end(), is_quantized);
  const bool by_reference = options.reference_only || (options.ideal && is_integer);
  return choose_kernel(by_reference ? reference_kernels() : builtin_kernels(), call, options.cpu);
}

bool is_reference(const Kernel& kernel) {
  const std::span<const Kernel> rows = reference_kernels();
  return std::any_of(rows.begin(), rows.end(),
                     [&](const Kernel& row) { return row.run == kernel.run && row.name == kernel.name; });
}

Diagnostic missing_kernel(const Call& call, Location where) {
  return {.code = Code::KernelMissing,
          .where = std::move(where),
          .problem = fmt::format("no kernel computes {}({}) -> {}", call.node.op, describe(call.inputs),
                                 describe(call.outputs)),
          .fix = "choose another precision for the node, or give a custom kernel"};
}

}  // namespace openrknn
