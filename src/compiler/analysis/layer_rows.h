// The rows of a report: the layers of the source model in its order, and what the build put between them.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

struct LayerRow {
  std::string op, tensor;        ///< as the source model names them; a conversion is an exDataConvert
  std::string layer, reference;  ///< the values' names in the built graph and in golden; empty: the tensor is gone
  bool is_exact = false;         ///< an input as it is given: its conversion has the next row
  std::string dtype;             ///< of the built graph's value
  bool is_blank() const { return layer.empty(); }
};

/// Inputs first, then one row a source layer (blank where it was fused or folded away), with conversions and the inner
/// layers of decomposed operators before the row they serve. `built` is what quantize made of `golden`: values pair by
/// their ids.
std::vector<LayerRow> layer_rows(const Graph& golden, const Graph& built);

/// Names of all values that both graphs compute, as (built graph's, golden's), inputs included, in the order in which
/// the built graph computes them.
std::vector<std::pair<std::string, std::string>> comparable_values(const Graph& golden, const Graph& built);

}  // namespace openrknn
