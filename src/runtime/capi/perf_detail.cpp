#include "runtime/capi/perf_detail.h"

#include <fmt/format.h>

#include "core/base/layer_table.h"

namespace openrknn::capi {
namespace {

int64_t traffic_bytes(const Graph& graph, const Node& node) {
  int64_t bytes = 0;
  for (const auto* list : {&node.inputs, &node.outputs}) {
    for (const ValueId id : *list) {
      if (id != ValueId::None && is_static(graph[id].shape)) {
        bytes += byte_size(graph[id].dtype, element_count(graph[id].shape));
      }
    }
  }
  return bytes;
}

}  // namespace

std::string perf_detail(const Context& context) {
  const Graph& graph = context.graph();
  std::vector<LayerTableRow> rows;
  for (const ProfileRow& row : context.profile()) {
    const Node& node = graph[row.node];
    const std::string op(shown_op(node));
    const bool has_output = !node.outputs.empty() && node.outputs[0] != ValueId::None;
    // Cycles, use of the multipliers and work load are properties of hardware: the simulator has none.
    rows.push_back({.op = op,
                    .dtype = has_output ? type_word(graph[node.outputs[0]].dtype) : "\\",
                    .inputs = input_shapes(shapes_of(graph, node.inputs)),
                    .outputs = output_shapes(shapes_of(graph, node.outputs)),
                    .work_load = {},
                    .microseconds = row.microseconds,
                    .bytes = traffic_bytes(graph, node),
                    .name = fmt::format("{}:{}", op, node.name)});
  }
  return layer_table(rows, context.device().target().cores);
}

}  // namespace openrknn::capi
