// What was corrected at one set of input shapes, for the graphs of other sets.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "compiler/corrections/corrections.h"
#include "compiler/corrections/layer_bias.h"
#include "compiler/corrections/product_layer.h"

namespace openrknn {

using namespace corrections;

void carry_corrections_over(const Graph& corrected, const Graph& golden, Graph& quantized) {
  std::map<std::string_view, NodeId> by_name;
  for (const NodeId id : corrected.order()) by_name.emplace(corrected[id].name, id);
  std::vector<std::string> strangers;
  for (const NodeId id : golden.order()) {
    const ValueId weights = quantized[id].inputs.size() > 1 ? quantized[id].inputs[1] : ValueId::None;
    if (!product_layer(golden, id) || !quantized[weights].quant) continue;
    const auto found = by_name.find(quantized[id].name);
    const Node* const other = found == by_name.end() ? nullptr : &corrected[found->second];
    const bool same = other != nullptr && other->op == quantized[id].op &&
                      corrected[other->inputs[1]].shape == quantized[weights].shape &&
                      corrected[other->inputs[1]].quant == quantized[weights].quant &&
                      corrected[other->inputs[0]].quant == quantized[quantized[id].inputs[0]].quant;
    if (!same) {
      strangers.push_back(quantized[id].name);
      continue;
    }
    quantized[weights].constant = corrected[other->inputs[1]].constant;
    if (!has_bias(*other)) continue;
    const Value& bias = corrected[other->inputs[2]];
    put_bias(quantized, id, *bias.constant, bias.quant);
  }
  if (!strangers.empty()) {
    fail(Code::QuantizeUnsupported,
         fmt::format("corrections were made at the largest input shapes, where these layers are others: '{}'",
                     fmt::join(strangers, "', '")),
         "leave bias_correction and rounding out, or leave that set of shapes out");
  }
}

}  // namespace openrknn
