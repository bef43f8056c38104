// Where the time goes: one run of a model, step by step, on one set of inputs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compiler/importers/importer.h"
#include "core/base/log.h"
#include "core/executor/run.h"
#include "core/model/model.h"

namespace openrknn {

struct OperationTime {
  std::string node, op, kernel, dtype;
  Shape shape;              ///< of the first output, logical
  int64_t conversions = 0;  ///< of layouts, made for the node; their time is in it
  int64_t products = 0;     ///< multiplications of Conv, ConvTranspose and MatMul; 0 for others
  double microseconds = 0;
};

/// Runs `rounds` times after one warm-up and gives the smallest time of every node, in execution order. Inputs are
/// filled with a fixed pattern: times do not depend on values. threads 0 = all.
std::vector<OperationTime> profile(const Model&, int threads, int rounds = 5, const Progress& = {});
std::vector<OperationTime> profile(const Graph&, const Arithmetic&, int threads, int rounds = 5, const Progress& = {});
/// Of a .rknn file as the simulator computes it, of any other model file in float32. Throws Error.
std::vector<OperationTime> profile_file(const std::filesystem::path&, const ImportOptions&, int threads, int rounds,
                                        const Progress& = {});

/// One line a node after a line of names.
std::string profile_csv(const std::vector<OperationTime>&);
/// The Trace Event Format that chrome://tracing and Perfetto read: nodes one after another.
std::string profile_trace(const std::vector<OperationTime>&);

}  // namespace openrknn
