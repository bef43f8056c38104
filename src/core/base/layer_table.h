// Where the time of a run went, as text in the columns that programs cut out of RKNN_QUERY_PERF_DETAIL and eval_perf.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/shape.h"

namespace openrknn {

struct LayerTableRow {
  std::string op, dtype;          ///< "Conv", "INT8"
  std::string target = "CPU";     ///< "NPU", "CPU"
  std::string inputs, outputs;    ///< shapes: shapes_of()
  std::string cycles = "0/0/0";   ///< memory, NPU, both
  std::string mac_usage = "\\";   ///< share of the multipliers' steps, a core each
  std::vector<double> work_load;  ///< share of the layer on each core, in percent; empty: none is known
  double microseconds = 0;
  int64_t bytes = 0;  ///< read and written
  std::string name;   ///< "Conv:conv1"
};

/// "FLOAT16", "INT8": numpy's words in capitals.
std::string type_word(DType);
/// "(1,3,8,8),(3,3,1,1)", cut to fit the column of inputs or outputs.
std::string input_shapes(const std::vector<Shape>&);
std::string output_shapes(const std::vector<Shape>&);

/// Two tables: every layer, then operators by the time they took. `cores`: of the SoC, for the column of work loads.
std::string layer_table(const std::vector<LayerTableRow>&, int cores);

}  // namespace openrknn
