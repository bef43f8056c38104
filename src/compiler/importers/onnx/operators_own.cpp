// The domain `openrknn`: operators of the graph that ONNX lacks, as the exporter writes them (docs/onnx_export.md).
#include "compiler/importers/onnx/custom.h"
#include "compiler/importers/onnx/operators.h"
#include "core/graph/custom.h"
#include "core/graph/schema.h"

namespace openrknn::onnx {
namespace {

/// Names, attributes and inputs are ours already; the schema checks them.
void own(Translation& t) {
  std::vector<ValueId> inputs;
  for (size_t i = 0; i < t.input_count(); ++i) inputs.push_back(t.optional_input(i));
  t.produce(t.op(), std::move(inputs), users_attributes(t));
}

constexpr OperatorRow kRow = {"", 1, 1, own};

}  // namespace

const OperatorRow* find_own_operator(std::string_view op, int64_t version) {
  return version == kRow.since && op != kCustomOp && find_schema(op) != nullptr ? &kRow : nullptr;
}

}  // namespace openrknn::onnx
