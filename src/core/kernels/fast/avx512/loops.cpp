#include "core/kernels/fast/loops.h"

#include "core/kernels/fast/avx512/isa.h"

namespace openrknn::avx512 {

extern const fast::InnerLoops kLoops;
const fast::InnerLoops kLoops = fast::inner_loops<Isa>();

}  // namespace openrknn::avx512
