// build(auto_hybrid=True): which layers leave the build's type because they lose too much in it (docs/hybrid.md).
#pragma once

#include "compiler/compile.h"

namespace openrknn {

/// Samples that a build is judged by, the first of the calibration's.
inline constexpr int64_t kAutoHybridSamples = 16;

/// One Tensor rule a layer. A quantized build: layers that, fed with golden's numbers, give a cosine below the
/// threshold or a distance above it become float16 (int16 on a SoC without float16). A float16 build: layers that read
/// or give numbers beyond float16 in the calibration become int16; those that cannot are warned of in prepared.report.
std::vector<PrecisionRule> auto_hybrid_rules(PreparedBuild&, const CompileOptions&, const Samples&, ThreadPool&,
                                             const Progress& = {});

}  // namespace openrknn
