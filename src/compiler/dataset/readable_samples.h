// A dataset with some files that break off half-way, used without them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/dataset/samples.h"
#include "core/base/thread_pool.h"

namespace openrknn {

/// Those of the samples that can be read. Each is read once now, on all threads; what cannot be is told in `left_out`,
/// one line a sample, in order. Throws Error (DatasetEmpty) if none is left, with the reasons.
std::unique_ptr<Samples> readable_samples(std::unique_ptr<Samples>, ThreadPool&, std::vector<std::string>& left_out);

}  // namespace openrknn
