// Only what VNNI changes: integer products. The other rows of this CPU are those of avx512.
#include "core/kernels/fast/loops.h"
#include "core/kernels/fast/avx512vnni/isa.h"

namespace openrknn::avx512vnni {

extern const fast::InnerLoops kLoops;
const fast::InnerLoops kLoops = {.gemm_codes = fast::code_gemm<Isa>(), .depthwise_dot = fast::run_depthwise_dot<Isa>};

}  // namespace openrknn::avx512vnni
