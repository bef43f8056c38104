// Only what sdot changes: integer products. The other rows of this CPU are those of neon.
#include "core/kernels/fast/loops.h"
#include "core/kernels/fast/dotprod/isa.h"

namespace openrknn::dotprod {

extern const fast::InnerLoops kLoops;
const fast::InnerLoops kLoops = {.gemm_codes = fast::code_gemm<Isa>(), .depthwise_dot = fast::run_depthwise_dot<Isa>};

}  // namespace openrknn::dotprod
