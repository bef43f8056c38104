#include "core/rknn_file/upgrade.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/graph/schema.h"

namespace openrknn {
namespace {

/// Turns a node of schema version `from` into one of version `from` + 1.
struct Upgrade {
  std::string_view op;
  int from;
  void (*apply)(Graph&, NodeId);
};

// No operator has changed its meaning yet. A row is added in the commit that raises OpSchema::version, and stays.
constexpr std::array<Upgrade, 0> kUpgrades{};

}  // namespace

void upgrade(Graph& graph, std::span<const FileOperator> operators, const std::string& file) {
  Diagnostics problems;
  Location where;
  where.file = file;
  const std::string fix = "use a newer OpenRKNN, or convert the source model again with this one";
  for (const FileOperator& op : operators) {
    const OpSchema* schema = find_schema(op.name);
    if (schema == nullptr) {
      problems.add(Code::RknnNewerVersion, where, fmt::format("operator '{}' is not known to this build", op.name),
                   fix);
      continue;
    }
    if (op.version > schema->version) {
      problems.add(
          Code::RknnNewerVersion, where,
          fmt::format("operator '{}' has version {}, this build knows up to {}", op.name, op.version, schema->version),
          fix);
      continue;
    }
    for (int from = op.version; from < schema->version; ++from) {
      const auto row = std::find_if(kUpgrades.begin(), kUpgrades.end(),
                                    [&](const Upgrade& u) { return u.op == op.name && u.from == from; });
      if (row == kUpgrades.end()) {
        problems.add(Code::RknnInvalid, where, fmt::format("operator '{}' has unknown version {}", op.name, from));
        break;
      }
      for (int32_t i = 0; i < graph.node_count(); ++i) {
        if (graph.alive(NodeId(i)) && graph[NodeId(i)].op == op.name) row->apply(graph, NodeId(i));
      }
    }
  }
  problems.throw_if_any();
}

}  // namespace openrknn
