// The kinds of work that shares.cpp tells apart: what a worker does for each.
#pragma once

#include "core/model/model.h"
#include "toolkit/shares.h"

namespace openrknn {

/// A task is one line of text ("openrknn-share VERSION KIND DETAIL") and a .rknn in memory.
struct ShareTask {
  std::string_view kind, detail;
  Model model;
};
/// Refuses graphs whose operators cannot be sent.
std::string task_of(std::string_view kind, std::string_view detail, const Graph&, const Arithmetic& = {},
                    const Graph* golden = nullptr);

std::string calibrate_share(const ShareTask&, SamplePart, ThreadPool&);
std::string analyze_share(const ShareTask&, SamplePart, ThreadPool&);
std::string run_share(const ShareTask&, SamplePart, ThreadPool&);

/// Throws Error (InvalidArgument) naming each array that does not fit. `any_dtype`: it is converted.
void require_arrays(const Graph&, const SamplePart&, bool any_dtype = false);

}  // namespace openrknn
