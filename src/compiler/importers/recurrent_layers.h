// What the importers of recurrent layers write alike.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/importers/layer_builder.h"

namespace openrknn {

/// Of LSTM, GRU and RNN with functions that have no parameters, one a gate kind and direction.
Attributes recurrent_attributes(std::string_view direction, std::vector<std::string> functions);

/// [gates · hidden, …] -> [1, gates · hidden, …], the gates in another order: `gates[i]` is where the i-th stands.
/// Within a layer, beside its node. The first extent is a multiple of their number.
ValueId gates_in_order(LayerBuilder&, ValueId weights, std::span<const int64_t> gates);

}  // namespace openrknn
