#include "core/kernels/fast/loops.h"

#include "core/kernels/fast/avx2/isa.h"

namespace openrknn::avx2 {

extern const fast::InnerLoops kLoops;
const fast::InnerLoops kLoops = fast::inner_loops<Isa>();

}  // namespace openrknn::avx2
