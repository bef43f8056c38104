#include <algorithm>

#include "core/graph/schemas/tables.h"

namespace openrknn {

std::span<const OpSchema> all_schemas() {
  static const std::vector<OpSchema> rows = [] {
    std::vector<OpSchema> joined;
    for (const std::span<const OpSchema> table :
         {schemas::convolution(), schemas::pooling(), schemas::arithmetic(), schemas::elementwise(),
          schemas::normalization(), schemas::reduction(), schemas::movement(), schemas::indexing(), schemas::spatial(),
          schemas::sampling(), schemas::sources(), schemas::data_dependent(), schemas::control(), schemas::recurrent(),
          schemas::sequence(), schemas::quantization(), schemas::custom()}) {
      joined.insert(joined.end(), table.begin(), table.end());
    }
    std::sort(joined.begin(), joined.end(), [](const OpSchema& a, const OpSchema& b) { return a.name < b.name; });
    return joined;
  }();
  return rows;
}

}  // namespace openrknn
