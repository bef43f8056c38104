// Every family's rows, one function each; registry.cpp puts them in order of preference.
#pragma once

#include "core/kernels/kernel.h"

namespace openrknn {

// One declaration a family file. The file's rows stand in order of preference.
#define OPENRKNN_KERNEL_TABLE(family) std::span<const Kernel> family##_kernels();
#include "core/kernels/fast_tables.inc"
#include "core/kernels/reference_tables.inc"
#undef OPENRKNN_KERNEL_TABLE

}  // namespace openrknn
