#include "toolkit/doctor.h"

#include <fmt/format.h>

#include "core/base/cpu.h"
#include "core/base/thread_pool.h"
#include "core/base/version.h"
#include "core/kernels/kernel.h"
#include "openrknn/session.hpp"
#include "runtime/session/runtime_library.h"

namespace openrknn {
namespace {

Finding look_for_runtime() {
  try {
    const auto runtime = session::open_runtime("");
    rknn_sdk_version version{};
    if (runtime->query(0, RKNN_QUERY_SDK_VERSION, &version, sizeof version) == RKNN_SUCC) {
      return {"runtime", fmt::format("{} ({})", runtime->path, version.api_version), true, {}};
    }
    return {"runtime", runtime->path, true, {}};
  } catch (const SessionError& error) {
    return {"runtime", error.what(), false, "install the wheel again, or set OPENRKNN_RUNTIME to a librknnrt.so"};
  }
}

// Which CPU kind the convolutions of this machine run on; the results are the same on all of them.
Finding look_at_cpu() {
  const CpuFeatures cpu = detect_cpu();
  int64_t fast = 0;
  for (const Kernel& kernel : builtin_kernels()) fast += kernel.needs != 0 && (kernel.needs & ~cpu) == 0;
#if defined(__x86_64__)
  const bool good = (cpu & kCpuAvx2) != 0;
#else
  const bool good = true;
#endif
  return {"cpu", fmt::format("{}, {} kernels for it", to_string(cpu), fast), good,
          good ? "" : "without AVX2 and FMA the simulator gives the same results, but slowly"};
}

}  // namespace

std::vector<Finding> examine() {
  return {
      {"version", fmt::format("OpenRKNN {}", version()), true, {}},
      look_at_cpu(),
      {"threads", fmt::format("{} (OPENRKNN_THREADS sets it)", default_thread_count()), true, {}},
      look_for_runtime(),
  };
}

}  // namespace openrknn
