#include "core/base/cpu.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace openrknn {
namespace {

#if defined(__x86_64__)
// Asked of the CPU itself: __builtin_cpu_supports needs the compiler's own library, and not every one has it.
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
  bool has_c(int bit) const { return (c >> bit & 1u) != 0; }
  bool has_b(int bit) const { return (b >> bit & 1u) != 0; }
};
Registers cpuid(unsigned leaf) {
  Registers registers;
  __get_cpuid_count(leaf, 0, &registers.a, &registers.b, &registers.c, &registers.d);
  return registers;
}

/// Which registers the system saves when it switches threads; others must not be used.
unsigned saved_registers() {
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}
#endif

CpuFeatures native_features() {
  CpuFeatures features = 0;
#if defined(__x86_64__)
  // Bits: Intel SDM volume 2A, CPUID leaves 1 and 7; volume 1, section 13.3 (XCR0).
  const Registers basic = cpuid(1), extended = cpuid(7);
  const bool switches = basic.has_c(27);  // OSXSAVE
  const unsigned saved = switches ? saved_registers() : 0;
  const bool ymm = (saved & 0x6u) == 0x6u, zmm = (saved & 0xe6u) == 0xe6u;
  const bool avx2 = ymm && basic.has_c(12) && basic.has_c(29) && extended.has_b(5);  // FMA, F16C, AVX2
  const bool avx512 = avx2 && zmm && extended.has_b(16) && extended.has_b(17) && extended.has_b(30) &&
                      extended.has_b(31);  // F, DQ, BW, VL
  if (avx2) features |= kCpuAvx2;
  if (avx512) features |= kCpuAvx512;
  if (avx512 && extended.has_c(11)) features |= kCpuAvx512Vnni;
  if (avx512 && extended.has_c(1)) features |= kCpuAvx512Vbmi;
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
    {"vbmi", kCpuAvx2 | kCpuAvx512 | kCpuAvx512Vnni | kCpuAvx512Vbmi},
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
  constexpr std::pair<CpuFeatures, std::string_view> names[] = {{kCpuAvx2, "avx2"},
                                                                {kCpuAvx512, "avx512"},
                                                                {kCpuAvx512Vnni, "vnni"},
                                                                {kCpuAvx512Vbmi, "vbmi"},
                                                                {kCpuDotProduct, "dotprod"}};
  std::string text;
  for (const auto& [bit, bit_name] : names) {
    if ((features & bit) == 0) continue;
    if (!text.empty()) text += '+';
    text += bit_name;
  }
  return text.empty() ? "baseline" : text;
}

}  // namespace openrknn
