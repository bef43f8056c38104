// Operators of the program's own: registered for a context, called by its runs.
#include <fmt/format.h>

#include "core/base/log.h"
#include "runtime/capi/custom_op_attributes.h"
#include "runtime/capi/custom_op_binding.h"
#include "runtime/capi/guard.h"

using namespace openrknn;
using namespace openrknn::capi;

int rknn_register_custom_ops(rknn_context ctx, rknn_custom_op* op, uint32_t custom_op_num) {
  return with_context("rknn_register_custom_ops", ctx, [&](ContextState& state) {
    require_pointer(op, "op");
    if (custom_op_num == 0) fail(Code::RuntimeBadArgument, "custom_op_num is 0: there is nothing to register");
    std::vector<CustomOperator> operators;
    std::string names;
    for (uint32_t i = 0; i < custom_op_num; ++i) {
      operators.push_back(make_operator(op[i], state));
      names += (i == 0 ? "" : ", ") + operators.back().type;
    }
    const int64_t nodes = state.context->register_custom_ops(operators);
    // One library of operators may serve many models: an operator this one does not use is no mistake.
    log(nodes == 0 ? LogLevel::Warning : LogLevel::Info, "",
        fmt::format("custom operators {} compute {} node{}", names, nodes, nodes == 1 ? "" : "s"));
  });
}

// Called from callbacks, while the context is locked by the call that runs them: only the table of nodes is asked.
void rknn_custom_op_get_op_attr(rknn_custom_op_context* op_ctx, const char* attr_name, rknn_custom_op_attr* op_attr) {
  guard("rknn_custom_op_get_op_attr", [&] {
    require_pointer(op_attr, "op_attr");
    // Programs pass an uninitialised struct and look at n_elems.
    *op_attr = rknn_custom_op_attr{};
    require_pointer(op_ctx, "op_ctx");
    require_pointer(attr_name, "attr_name");
    const std::string_view name = attr_name;
    name.copy(op_attr->name, RKNN_MAX_NAME_LEN - 1);
    const std::shared_ptr<const OpAttributes> node = op_attribute_table().find(op_ctx->internal_ctx);
    if (!node) fail(Code::RuntimeBadHandle, "op_ctx is of no node with a custom operator");
    node->read(name, *op_attr);
  });
}
