#include "core/kernels/fast/loops.h"

#include "core/kernels/fast/neon/isa.h"

namespace openrknn::neon {

extern const fast::InnerLoops kLoops;
const fast::InnerLoops kLoops = fast::inner_loops<Isa>();

}  // namespace openrknn::neon
