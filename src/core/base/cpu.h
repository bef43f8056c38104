// What this CPU can do. Kernels state what they need; results never depend on it.
#pragma once

#include <cstdint>
#include <string>

namespace openrknn {

/// A set of features as bits. 0 = what every CPU of the architecture has (x86-64 baseline, aarch64 with NEON).
enum CpuFeature : uint32_t {
  kCpuAvx2 = 1u << 0,        ///< AVX2 and FMA and F16C
  kCpuAvx512 = 1u << 1,      ///< AVX-512 F, BW, DQ, VL
  kCpuAvx512Vnni = 1u << 2,  ///< AVX-512 VNNI
  kCpuAvx512Vbmi = 1u << 3,  ///< AVX-512 VBMI: permutations of bytes
  kCpuDotProduct = 1u << 8,  ///< aarch64 sdot/udot
};
using CpuFeatures = uint32_t;

/// Features of this machine, limited by OPENRKNN_CPU (baseline, avx2, avx512, vnni, vbmi, neon, dotprod) if that is
/// set.
CpuFeatures detect_cpu();
/// "avx2+avx512+vnni" or "baseline".
std::string to_string(CpuFeatures);

}  // namespace openrknn
