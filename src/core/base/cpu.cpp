#include "core/base/cpu.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace openrknn {
namespace {

CpuFeatures native_features() {
  CpuFeatures features = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  // F16C is meant too; clang 14 cannot ask for it, and every CPU with AVX2 has it.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2) features |= kCpuAvx2;
  if (avx512) features |= kCpuAvx512;
  if (avx512 && __builtin_cpu_supports("avx512vnni")) features |= kCpuAvx512Vnni;
#elif defined(__aarch64__)
  constexpr unsigned long kHwcapAsimdDp = 1ul << 20;  // Linux arm64 hwcap bit of the dot-product extension
  if (getauxval(AT_HWCAP) & kHwcapAsimdDp) features |= kCpuDotProduct;
#endif
  return features;
}

constexpr std::pair<std::string_view, CpuFeatures> kLimits[] = {
    {"baseline", 0},
    {"neon", 0},
    {"avx2", kCpuAvx2},
    {"avx512", kCpuAvx2 | kCpuAvx512},
    {"vnni", kCpuAvx2 | kCpuAvx512 | kCpuAvx512Vnni},
    {"dotprod", kCpuDotProduct},
};

}  // namespace

CpuFeatures detect_cpu() {
  static const CpuFeatures native = native_features();
  const char* wanted = std::getenv("OPENRKNN_CPU");
  if (wanted == nullptr) return native;
  for (const auto& [limit_name, limit] : kLimits) {
    if (limit_name == wanted) return native & limit;
  }
  return native;
}

std::string to_string(CpuFeatures features) {
  constexpr std::pair<CpuFeatures, std::string_view> names[] = {
      {kCpuAvx2, "avx2"}, {kCpuAvx512, "avx512"}, {kCpuAvx512Vnni, "vnni"}, {kCpuDotProduct, "dotprod"}};
  std::string text;
  for (const auto& [bit, bit_name] : names) {
    if ((features & bit) == 0) continue;
    if (!text.empty()) text += '+';
    text += bit_name;
  }
  return text.empty() ? "baseline" : text;
}

}  // namespace openrknn
