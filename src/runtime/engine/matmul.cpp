#include "runtime/engine/matmul.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/base/error.h"

namespace openrknn {
namespace {

constexpr int64_t kSlab = 256;  // rows of A held as float32 at a time

[[noreturn]] void refuse(std::string problem, std::string fix = {}) {
  fail(Code::RuntimeBadArgument, std::move(problem), std::move(fix));
}

bool has_integer_a(const MatmulKind& kind) { return is_integer(kind.a); }

double largest_magnitude(DType dtype, const std::vector<int32_t>& zero_points) {
  const auto [low, high] = std::minmax_element(zero_points.begin(), zero_points.end());
  return std::max(static_cast<double>(highest_code(dtype)) - *low, *high - static_cast<double>(lowest_code(dtype)));
}

/// One run: what every panel of columns needs to know.
class Job {
 public:
  Job(const MatmulSpec& spec, const PanelProduct& product, const MatmulScales* scales, const MatmulShape& shape)
      : spec_(spec), product_(product), a_(scales[0]), b_(scales[1]), c_(scales[2]), shape_(shape) {
    groups_ = is_per_group(spec.b_quant) ? shape.k / spec.group : 1;
    exact_ = has_integer_a(*spec.kind);
    chunk_ = groups_ > 1 && exact_ ? spec.group : shape.k;
    if (exact_) {
      // Sums of so many products are whole numbers below 2^24, which float32 adds without error.
      const double product_bound =
          largest_magnitude(spec.kind->a, a_.zero_point) * largest_magnitude(spec.kind->b, b_.zero_point);
      chunk_ = std::min(chunk_, std::max<int64_t>(1, static_cast<int64_t>(0x1p24 / product_bound)));
    }
    if (is_per_channel(spec.b_quant) && !spec.kind->scaled) {
      largest_ = *std::max_element(b_.scale.begin(), b_.scale.end());
    }
  }

  void run(ThreadPool& pool, const std::byte* a, const std::byte* b, std::byte* c) {
    const int64_t width = product_.columns(), panels = (shape_.n + width - 1) / width;
    const int64_t slab = std::min(kSlab, shape_.m);
    std::vector<float> rows(static_cast<size_t>(slab * shape_.k));
    std::vector<std::unique_ptr<Worker>> workers(static_cast<size_t>(pool.threads()));
    for (int64_t first = 0; first < shape_.m; first += slab) {
      const int64_t count = std::min(slab, shape_.m - first);
      pool.parallel_for(count, [&](int64_t row, int) {
        float* out = rows.data() + row * shape_.k;
        read_a_row(product_, spec_, shape_, a, first + row, out);
        const auto zero = static_cast<float>(a_.zero_point[0]);
        if (zero != 0) std::for_each(out, out + shape_.k, [&](float& v) { v -= zero; });
      });
      pool.parallel_for(panels, [&](int64_t panel, int thread) {
        std::unique_ptr<Worker>& worker = workers[static_cast<size_t>(thread)];
        if (!worker) worker = std::make_unique<Worker>(slab, shape_.k, width);
        compute_panel(*worker, rows.data(), first, count, panel * width, b, c);
      });
    }
  }

 private:
  /// What a thread computes with.
  struct Worker {
    std::vector<float> panel, out, partial;
    std::vector<const float*> from;
    std::vector<float*> to;
    std::vector<int64_t> sums;
    std::vector<float> totals;

    Worker(int64_t slab, int64_t depth, int64_t width)
        : panel(static_cast<size_t>(depth * width)),
          out(static_cast<size_t>(slab * width)),
          partial(static_cast<size_t>(slab * width)),
          from(static_cast<size_t>(slab)),
          to(static_cast<size_t>(slab)),
          sums(static_cast<size_t>(slab * width)),
          totals(static_cast<size_t>(slab * width)) {
      for (int64_t row = 0; row < slab; ++row) to[static_cast<size_t>(row)] = out.data() + row * width;
    }
  };

  /// Index of the scale of column n in group g.
  size_t scale_index(int64_t group, int64_t n) const {
    return static_cast<size_t>(is_per_group(spec_.b_quant)     ? group * shape_.n + n
                               : is_per_channel(spec_.b_quant) ? n
                                                               : 0);
  }

  /// Takes zero points off, and multiplies by the groups' scales where weights are real numbers.
  void adjust_panel(float* panel, int64_t first, int64_t columns) const {
    const bool scales = !exact_ && is_per_group(spec_.b_quant);
    if (!scales && std::all_of(b_.zero_point.begin(), b_.zero_point.end(), [](int32_t z) { return z == 0; })) return;
    const int64_t width = product_.columns(), group = groups_ > 1 ? spec_.group : shape_.k;
    for (int64_t k = 0; k < shape_.k; ++k) {
      for (int64_t n = 0; n < columns; ++n) {
        float& weight = panel[k * width + n];
        const size_t index = scale_index(k / group, first + n);
        weight -= static_cast<float>(b_.zero_point[b_.zero_point.size() > 1 ? index : 0]);
        if (scales) weight *= b_.scale[index];
      }
    }
  }

  void compute_panel(Worker& worker, const float* rows, int64_t first_row, int64_t count, int64_t first,
                     const std::byte* b, std::byte* c) const {
    const int64_t width = product_.columns(), columns = std::min(width, shape_.n - first);
    read_b_panel(product_, spec_, shape_, b, first, columns, worker.panel.data());
    adjust_panel(worker.panel.data(), first, columns);
    if (exact_) {
      std::fill(worker.sums.begin(), worker.sums.end(), 0);
      std::fill(worker.totals.begin(), worker.totals.end(), 0.0f);
    }
    const int64_t group = groups_ > 1 && exact_ ? spec_.group : shape_.k;
    for (int64_t k = 0; k < shape_.k;) {
      const int64_t group_end = k / group * group + group, end = std::min(k + chunk_, group_end);
      multiply(worker, rows, count, k, end);
      if (exact_) add_sums(worker, count, first, columns, end == group_end, k / group);
      k = end;
    }
    for (int64_t row = 0; row < count; ++row) {
      for (int64_t n = 0; n < columns; ++n) {
        store(worker, row * width + n, first + n, c, c_index(spec_, shape_, first_row + row, first + n));
      }
    }
  }

  void multiply(Worker& worker, const float* rows, int64_t count, int64_t k, int64_t end) const {
    for (int64_t row = 0; row < count; ++row) worker.from[static_cast<size_t>(row)] = rows + row * shape_.k + k;
    product_.run({.rows = worker.from.data(),
                  .row_count = count,
                  .depth = end - k,
                  .panel = worker.panel.data() + k * product_.columns(),
                  .outputs = worker.to.data(),
                  .partial = reinterpret_cast<std::byte*>(worker.partial.data())});
  }

  /// A chunk's sums are whole; so are a group's, which its scale turns into real numbers.
  void add_sums(Worker& worker, int64_t count, int64_t first, int64_t columns, bool group_ends, int64_t group) const {
    const int64_t width = product_.columns();
    for (int64_t row = 0; row < count; ++row) {
      for (int64_t n = 0; n < columns; ++n) {
        const auto i = static_cast<size_t>(row * width + n);
        worker.sums[i] += static_cast<int64_t>(worker.out[i]);
        if (!is_per_group(spec_.b_quant) || !group_ends) continue;
        const float scale = b_.scale[scale_index(group, first + n)];
        worker.totals[i] = std::fma(static_cast<float>(worker.sums[i]), scale, worker.totals[i]);
        if (spec_.kind->scaled) worker.sums[i] = 0;
      }
    }
  }

  /// The element as a real number: sum times scales.
  double scaled(Worker& worker, size_t i, int64_t n) const {
    const double factor = static_cast<double>(a_.scale[0]) / c_.scale[0];
    if (is_per_group(spec_.b_quant)) {
      return static_cast<double>(exact_ ? worker.totals[i] : worker.out[i]) * factor;
    }
    const double sum = exact_ ? static_cast<double>(worker.sums[i]) : static_cast<double>(worker.out[i]);
    return sum * (factor * b_.scale[scale_index(0, n)]);
  }

  /// The element where C holds sums.
  double plain(Worker& worker, size_t i, int64_t n) const {
    if (!exact_) return static_cast<double>(worker.out[i]);
    const auto sum = static_cast<double>(worker.sums[i]);
    // Per channel, int32 keeps the channels' ratio: the largest scale counts as 1.
    const bool normalised = spec_.kind->b == DType::Int8 && largest_ > 0;
    return normalised ? std::nearbyint(sum * (b_.scale[scale_index(0, n)] / largest_)) : sum;
  }

  template <class T>
  static void put(std::byte* c, int64_t index, T value) {
    std::memcpy(c + index * static_cast<int64_t>(sizeof value), &value, sizeof value);
  }

  void store(Worker& worker, int64_t at, int64_t n, std::byte* c, int64_t index) const {
    const auto i = static_cast<size_t>(at);
    const double value = spec_.kind->scaled ? scaled(worker, i, n) : plain(worker, i, n);
    const auto clamped = [&](double v) {
      const DType dtype = spec_.kind->c;
      return std::clamp(v, static_cast<double>(lowest_code(dtype)), static_cast<double>(highest_code(dtype)));
    };
    switch (spec_.kind->c) {
      case DType::Float32:
        return put(c, index, static_cast<float>(value));
      case DType::Float16:
        return put(c, index, Float16(static_cast<float>(value)));
      case DType::BFloat16:
        return put(c, index, BFloat16(static_cast<float>(value)));
      case DType::Int8:
        return put(c, index, static_cast<int8_t>(clamped(std::trunc(value) + c_.zero_point[0])));
      case DType::Int16:
        return put(c, index, static_cast<int16_t>(clamped(value)));
      default:
        return put(c, index, static_cast<int32_t>(clamped(value)));
    }
  }

  const MatmulSpec& spec_;
  const PanelProduct& product_;
  const MatmulScales &a_, &b_, &c_;
  const MatmulShape shape_;
  int64_t groups_ = 1, chunk_ = 0;
  bool exact_ = false;
  float largest_ = 0;
};

}  // namespace

Matmul::Matmul(MatmulSpec spec, std::shared_ptr<Device> device) : spec_(spec), device_(std::move(device)) {}

void Matmul::set_scales(MatmulSide side, MatmulScales given) {
  const MatmulKind& kind = *spec_.kind;
  const char name = "ABC"[static_cast<size_t>(side)];
  const DType dtype = matmul_dtype(spec_, side);
  if (is_floating(kind.b)) refuse(fmt::format("{} has no quantization parameters", kind.name));
  if (given.scale.empty()) given.scale = {1.0f};
  if (given.zero_point.empty()) given.zero_point = {0};
  if (side != MatmulSide::B && given.scale.size() != 1) {
    refuse(fmt::format("{} has {} scales, {} takes one", name, given.scale.size(), name));
  }
  if (side == MatmulSide::B && !is_per_channel(spec_.b_quant) && !is_per_group(spec_.b_quant) &&
      given.scale.size() != 1) {
    refuse(fmt::format("B has {} scales, its B_quant_type is per layer", given.scale.size()));
  }
  if (given.zero_point.size() != 1 && given.zero_point.size() != given.scale.size()) {
    refuse(fmt::format("{} has {} scales and {} zero points", name, given.scale.size(), given.zero_point.size()));
  }
  for (const float scale : given.scale) {
    if (!(scale > 0) || !std::isfinite(scale))
      refuse(fmt::format("{} has the scale {}, expected one above 0", name, scale));
  }
  // Where a zero point has a meaning: a quantized type, whose results are scaled.
  const bool allowed = side == MatmulSide::B ? is_asymmetric(spec_.b_quant) : kind.scaled && is_integer(dtype);
  for (const int32_t zero : given.zero_point) {
    if (zero == 0) continue;
    if (!allowed) refuse(fmt::format("{} has the zero point {}, {} takes none here", name, zero, kind.name));
    if (zero < lowest_code(dtype) || zero > highest_code(dtype)) {
      refuse(fmt::format("{} has the zero point {}, expected a code of {}", name, zero, numpy_name(dtype)));
    }
  }
  scales_[static_cast<size_t>(side)] = std::move(given);
}

std::pair<std::vector<float>, float> Matmul::normalised_scales() const {
  std::vector<float> scale = scales(MatmulSide::B).scale;
  const float largest = *std::max_element(scale.begin(), scale.end());
  for (float& s : scale) s /= largest;
  return {std::move(scale), largest};
}

void Matmul::run(const MatmulShape& shape, const std::byte* a, const std::byte* b, std::byte* c) {
  MatmulScales scales[3] = {scales_[0], scales_[1], scales_[2]};
  const auto needed = static_cast<size_t>(matmul_b_scales(spec_, shape));
  MatmulScales& of_b = scales[1];
  if (of_b.scale.size() == 1) of_b.scale.assign(needed, of_b.scale[0]);  // never set: 1 each
  if (of_b.scale.size() != needed) {
    refuse(fmt::format("B has {} scales, M = {}, K = {}, N = {} needs {}", of_b.scale.size(), shape.m, shape.k, shape.n,
                       needed),
           "call rknn_matmul_set_quant_params for this shape");
  }
  RunControl control;
  const auto lease = device_->cores().acquire(core_mask_, control);
  Job(spec_, product_, scales, shape).run(lease->pool(), a, b, c);
}

}  // namespace openrknn
