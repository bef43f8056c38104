// Reductions: ReduceMean Sum Max Min Prod L1 L2 SumSquare LogSum LogSumExp.
// Float rule (docs/arithmetic.md): sums over axes that include the innermost one (extents of 1 not counted) take 16
// interleaved accumulators, the reduced elements numbered in memory order; sums over other axes take one accumulator
// per output, from +0, in memory order, and so does Prod, from 1, always. Then
//   Mean: sum / n    L2: sqrt(sum x*x)    LogSum: log(sum)    LogSumExp: max + log(sum exp(x - max))
// Max and Min return NaN if an element is NaN; an infinite max is not subtracted. Integers are exact and wrap around;
// their mean, root and logarithm truncate, the logarithm of a sum that is not positive is the lowest integer. Over no
// elements a sum is 0, a product 1, an integer mean 0.
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/kernels/math.h"
#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/convert.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/sums.h"
#include "core/kernels/reference/trigonometry.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

/// Outputs that are computed side by side where the reduced axes are not the contiguous ones.
constexpr int64_t kReduceColumns = 256;

struct ReduceState {
  Body<ReduceState> body = nullptr;
  Broadcast kept, reduced;  // operand 0: the input, over kept and over reduced dimensions
  int64_t count = 1;        // elements per output
  Tiles tiles;              // outputs
};

/// What a reduction is made of: terms are added (or compared), the total is finished. Sums of integers wrap in
/// uint64_t.
template <class T>
using SumType = std::conditional_t<std::is_same_v<Wide<T>, float>, float, uint64_t>;
struct AddTerms {
  static constexpr bool kInterleaved = true, kShift = false;
  template <class T>
  using Total = SumType<T>;
  template <class T>
  static SumType<T> start() {
    return 0;
  }
  template <class T>
  static SumType<T> join(SumType<T> total, SumType<T> term) {
    return total + term;
  }
  template <class T>
  static SumType<T> term(Wide<T> x, float) {
    return static_cast<SumType<T>>(x);
  }
  template <class T>
  static Wide<T> finish(SumType<T> total, int64_t, float) {
    return static_cast<Wide<T>>(total);
  }
};
struct Sum : AddTerms {};
struct Mean : AddTerms {
  template <class T>
  static Wide<T> finish(SumType<T> total, int64_t count, float) {
    if constexpr (std::is_same_v<SumType<T>, float>)
      return total / static_cast<float>(count);
    else if (count == 0)
      return 0;
    else if constexpr (std::is_signed_v<T>)
      return static_cast<T>(static_cast<int64_t>(total) / count);
    else
      return static_cast<T>(total / static_cast<uint64_t>(count));
  }
};
struct ReduceL1 : AddTerms {
  template <class T>
  static SumType<T> term(Wide<T> x, float) {
    if constexpr (std::is_same_v<SumType<T>, float>)
      return std::fabs(x);
    else
      return x < Wide<T>{0} ? uint64_t{0} - static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  }
};
struct SumSquare : AddTerms {
  template <class T>
  static SumType<T> term(Wide<T> x, float) {
    return static_cast<SumType<T>>(x) * static_cast<SumType<T>>(x);
  }
};
/// Largest integer whose square is not above x.
inline uint64_t whole_root(uint64_t x) {
  auto root = static_cast<uint64_t>(std::sqrt(static_cast<double>(x)));
  constexpr uint64_t kMost = 0xffffffffu;
  root = std::min(root, kMost);  // the double is at most one off
  while (root * root > x) --root;
  while (root < kMost && (root + 1) * (root + 1) <= x) ++root;
  return root;
}
struct ReduceL2 : SumSquare {
  template <class T>
  static Wide<T> finish(SumType<T> total, int64_t, float) {
    if constexpr (std::is_same_v<SumType<T>, float>)
      return std::sqrt(total);
    else
      return static_cast<T>(whole_root(total));
  }
};
struct LogSum : AddTerms {
  template <class T>
  static Wide<T> finish(SumType<T> total, int64_t, float) {
    if constexpr (std::is_same_v<SumType<T>, float>) {
      return math::log(total);
    } else {
      const T sum = static_cast<T>(total);
      return sum > T{0} ? convert_number<T>(natural_log(static_cast<double>(sum))) : std::numeric_limits<T>::lowest();
    }
  }
};
struct LogSumExp : AddTerms {
  static constexpr bool kShift = true;
  template <class T>
  static float term(Wide<T> x, float max) {
    return math::exp(x - max);
  }
  template <class T>
  static Wide<T> finish(float total, int64_t, float max) {
    return max + math::log(total);
  }
};
/// An infinity less itself would be NaN.
inline float finite_or_zero(float max) { return std::isinf(max) ? 0.0f : max; }
/// Totals of the element's own type, joined in memory order.
struct Ordered {
  static constexpr bool kInterleaved = false, kShift = false;
  template <class T>
  using Total = Wide<T>;
  template <class T>
  static Wide<T> term(Wide<T> x, float) {
    return x;
  }
  template <class T>
  static Wide<T> finish(Wide<T> total, int64_t, float) {
    return total;
  }
};
struct ReduceMax : Ordered {
  template <class T>
  static Wide<T> start() {
    using Limits = std::numeric_limits<Wide<T>>;
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  }
  template <class T>
  static Wide<T> join(Wide<T> best, Wide<T> x) {
    return (x > best) | (x != x) ? x : best;
  }
};
struct ReduceMin : Ordered {
  template <class T>
  static Wide<T> start() {
    using Limits = std::numeric_limits<Wide<T>>;
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  }
  template <class T>
  static Wide<T> join(Wide<T> best, Wide<T> x) {
    return (x < best) | (x != x) ? x : best;
  }
};
struct Prod : AddTerms {
  static constexpr bool kInterleaved = false;
  template <class T>
  static SumType<T> start() {
    return 1;
  }
  template <class T>
  static SumType<T> join(SumType<T> total, SumType<T> term) {
    return total * term;
  }
};

/// A run's first extreme, or its last NaN: what joining its elements in order comes to. Sixteen at a time, which gives
/// the number; zeros of both signs and NaNs are then looked for.
template <class Op>
float extreme_of(const float* x, int64_t count) {
  typedef float Floats __attribute__((vector_size(16)));
  typedef int32_t Ints __attribute__((vector_size(16)));
  constexpr int64_t kLanes = 4, kVectors = 4;
  const auto better = [](auto a, auto b) { return std::is_same_v<Op, ReduceMax> ? a > b : a < b; };
  float extreme = Op::template start<float>();
  Floats best[kVectors];
  Ints odd{};
  for (Floats& vector : best) vector = Floats{} + extreme;
  int64_t i = 0;
  for (; i + kVectors * kLanes <= count; i += kVectors * kLanes) {
#pragma GCC unroll 4
    for (int64_t vector = 0; vector < kVectors; ++vector) {
      Floats v;
      std::memcpy(&v, x + i + vector * kLanes, sizeof(v));
      best[vector] = better(v, best[vector]) ? v : best[vector];
      odd |= v != v;
    }
  }
  bool has_nan = false;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    for (const Floats& vector : best) extreme = better(vector[lane], extreme) ? vector[lane] : extreme;
    has_nan = has_nan || odd[lane] != 0;
  }
  for (; i < count; ++i) {
    extreme = better(x[i], extreme) ? x[i] : extreme;
    has_nan = has_nan || x[i] != x[i];
  }
  if (has_nan) {
    int64_t last = count - 1;
    while (x[last] == x[last]) --last;
    return x[last];
  }
  return extreme == 0.0f ? *std::find(x, x + count, 0.0f) : extreme;
}

/// All reduced elements of the output whose first one is x, innermost axis reduced: runs are contiguous.
template <class T, class Op>
auto reduce_runs(const ReduceState& s, const T* x, float shift) {
  using Total = typename Op::template Total<T>;
  const auto term = [&](T value) { return Op::template term<T>(static_cast<Wide<T>>(value), shift); };
  Total total = Op::template start<T>();
  InterleavedSum sum;
  for_rows(s.reduced, 0, s.count, [&](int64_t, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
    const T* run = x + at[0];
    if constexpr (Op::kInterleaved && std::is_same_v<Total, float>) {
      sum.add(run, count, term);
    } else if constexpr (std::is_same_v<T, float> && std::is_base_of_v<Ordered, Op>) {
      if (count > 0) total = Op::template join<T>(total, extreme_of<Op>(run, count));
    } else {
      for (int64_t i = 0; i < count; ++i) total = Op::template join<T>(total, term(run[i]));
    }
  });
  if constexpr (Op::kInterleaved && std::is_same_v<Total, float>) total = sum.total();
  return total;
}
template <class T, class Op>
void run_reduce_contiguous(const ReduceState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  T* y = output<T>(buffers);
  const int64_t stride = s.kept.strides[0].back();
  const auto row = [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
    for (int64_t i = 0; i < count; ++i) {
      const T* x = input<T>(buffers, 0) + at[0] + i * stride;
      float shift = 0.0f;
      if constexpr (Op::kShift) shift = finite_or_zero(reduce_runs<T, ReduceMax>(s, x, 0.0f));
      const auto total = reduce_runs<T, Op>(s, x, shift);
      y[position + i] = static_cast<T>(Op::template finish<T>(total, s.count, shift));
    }
  };
  for_rows(s.kept, s.tiles.begin(tile), s.tiles.end(tile), row);
}

/// totals[c] for `columns` neighbouring outputs, innermost axis kept.
template <class T, class Op>
void reduce_columns(const ReduceState& s, const T* x, int64_t columns, const float* shifts,
                    typename Op::template Total<T>* totals) {
  std::fill_n(totals, columns, Op::template start<T>());
  const int64_t stride = s.reduced.strides[0].back();
  for_rows(s.reduced, 0, s.count, [&](int64_t, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
    for (int64_t i = 0; i < count; ++i) {
      const T* row = x + at[0] + i * stride;
      for (int64_t c = 0; c < columns; ++c) {
        const float shift = Op::kShift ? shifts[c] : 0.0f;
        totals[c] = Op::template join<T>(totals[c], Op::template term<T>(static_cast<Wide<T>>(row[c]), shift));
      }
    }
  });
}
template <class T, class Op>
void run_reduce_columns(const ReduceState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  T* y = output<T>(buffers);
  float shifts[kReduceColumns] = {};
  typename Op::template Total<T> totals[kReduceColumns];
  const auto row = [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
    for (int64_t begin = 0; begin < count; begin += kReduceColumns) {
      const int64_t columns = std::min(kReduceColumns, count - begin);
      const T* x = input<T>(buffers, 0) + at[0] + begin;
      if constexpr (Op::kShift) {
        reduce_columns<T, ReduceMax>(s, x, columns, shifts, shifts);
        std::transform(shifts, shifts + columns, shifts, finite_or_zero);
      }
      reduce_columns<T, Op>(s, x, columns, shifts, totals);
      for (int64_t c = 0; c < columns; ++c) {
        y[position + begin + c] = static_cast<T>(Op::template finish<T>(totals[c], s.count, shifts[c]));
      }
    }
  };
  for_rows(s.kept, s.tiles.begin(tile), s.tiles.end(tile), row);
}

template <class... Ts>
bool accepts_reduce(Types<Ts...> types, const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return one_of(types, x.dtype) && same_dtype(x, y) && (is_float(x) || (!x.quant && !y.quant));
}
bool accepts_reduce_floats(const Call& call) { return accepts_reduce(FloatTypes{}, call); }
bool accepts_numbers(const Call& call) { return accepts_reduce(NumberTypes{}, call); }
/// Comparing codes is comparing the numbers they stand for.
bool accepts_order(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return one_of(NumberTypes{}, x.dtype) && same_dtype(x, y) && same_quant(x, y);
}

template <class Op, class List>
Prepared prepare_reduce(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  const std::vector<int64_t> axes = ints_attribute(call.node.attributes, "axes");
  const Shape strides = strides_of(x);
  ReduceState s;
  bool contiguous = true;  // the innermost dimension longer than 1 is reduced, or all have extent 1
  int before = -1;
  for (size_t d = 0; d < x.size(); ++d) {
    if (x[d] == 1) continue;
    const bool is_reduced = std::find(axes.begin(), axes.end(), static_cast<int64_t>(d)) != axes.end();
    Broadcast& side = is_reduced ? s.reduced : s.kept;
    if (before == static_cast<int>(is_reduced)) {
      side.extents.back() *= x[d];
      side.strides[0].back() = strides[d];
    } else {
      side.extents.push_back(x[d]);
      side.strides[0].push_back(strides[d]);
    }
    before = is_reduced;
    contiguous = is_reduced;
  }
  for (Broadcast* side : {&s.kept, &s.reduced}) {
    if (side->extents.empty()) {
      side->extents = {1};
      side->strides[0] = {1};
    }
    side->total = element_count(side->extents);
  }
  s.count = s.reduced.total;
  visit(List{}, call.inputs[0].dtype,
        [&]<class T>(Tag<T>) { s.body = contiguous ? run_reduce_contiguous<T, Op> : run_reduce_columns<T, Op>; });
  s.tiles = tile_rows(s.kept.total, s.count);
  if (!contiguous) s.tiles.block = std::max(s.tiles.block, kReduceColumns);
  return make_tiled(std::move(s));
}

#define ROW(op, name, accepts_call, Op, List) \
  { op, name "_reference", 0, accepts_call, prepare_reduce<Op, List>, run_body<ReduceState> }
constexpr Kernel kReduceKernels[] = {
    ROW("ReduceMean", "reduce_mean", accepts_numbers, Mean, NumberTypes),
    ROW("ReduceSum", "reduce_sum", accepts_numbers, Sum, NumberTypes),
    ROW("ReduceMax", "reduce_max", accepts_order, ReduceMax, NumberTypes),
    ROW("ReduceMin", "reduce_min", accepts_order, ReduceMin, NumberTypes),
    ROW("ReduceProd", "reduce_prod", accepts_numbers, Prod, NumberTypes),
    ROW("ReduceL1", "reduce_l1", accepts_numbers, ReduceL1, NumberTypes),
    ROW("ReduceSumSquare", "reduce_sum_square", accepts_numbers, SumSquare, NumberTypes),
    ROW("ReduceL2", "reduce_l2", accepts_numbers, ReduceL2, NumberTypes),
    ROW("ReduceLogSum", "reduce_log_sum", accepts_numbers, LogSum, NumberTypes),
    ROW("ReduceLogSumExp", "reduce_log_sum_exp", accepts_reduce_floats, LogSumExp, FloatTypes),
};
#undef ROW

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_reduce_kernels() { return reference::kReduceKernels; }

}  // namespace openrknn
