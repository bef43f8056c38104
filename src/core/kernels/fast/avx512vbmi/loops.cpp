// Only what VBMI changes: tables of bytes. The other rows of this CPU are those of avx512.
#include "core/kernels/fast/avx512vbmi/isa.h"
#include "core/kernels/fast/inner_loops.h"
#include "core/kernels/fast/table_loops.h"

namespace openrknn::avx512vbmi {

extern const fast::InnerLoops kLoops;
const fast::InnerLoops kLoops = {.map_codes = fast::map_codes<Isa>};

}  // namespace openrknn::avx512vbmi
