// Comparisons, logic and selection: Equal Greater GreaterOrEqual Less LessOrEqual, And Or Xor, Where. All exact;
// comparisons with NaN are false.
#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct CompareState {
  Body<CompareState> body = nullptr;
  Broadcast broadcast;
  Tiles tiles;
};

struct Equal {
  template <class T>
  static bool apply(T a, T b) {
    return a == b;
  }
};
struct Greater {
  template <class T>
  static bool apply(T a, T b) {
    return a > b;
  }
};
struct GreaterOrEqual {
  template <class T>
  static bool apply(T a, T b) {
    return a >= b;
  }
};
struct Less {
  template <class T>
  static bool apply(T a, T b) {
    return a < b;
  }
};
struct LessOrEqual {
  template <class T>
  static bool apply(T a, T b) {
    return a <= b;
  }
};
// Bools are bytes that are 0 or not 0.
struct And {
  static bool apply(uint8_t a, uint8_t b) { return (a != 0) & (b != 0); }
};
struct Or {
  static bool apply(uint8_t a, uint8_t b) { return (a | b) != 0; }
};
struct Xor {
  static bool apply(uint8_t a, uint8_t b) { return (a != 0) != (b != 0); }
};

template <class T, class Op>
void run_compare(const CompareState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  zip_tile<T, uint8_t>(s.broadcast, s.tiles, tile, buffers,
                       [](Wide<T> a, Wide<T> b) { return static_cast<uint8_t>(Op::apply(a, b)); });
}

/// T is any type of the element's size: Where moves bytes.
template <class T>
void run_where(const CompareState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const uint8_t* condition = input<uint8_t>(buffers, 0);
  const T* x = input<T>(buffers, 1);
  const T* y = input<T>(buffers, 2);
  T* out = output<T>(buffers);
  const int64_t c = s.broadcast.strides[0].back(), p = s.broadcast.strides[1].back(), q = s.broadcast.strides[2].back();
  for_rows(s.broadcast, s.tiles.begin(tile), s.tiles.end(tile),
           [&](int64_t position, int64_t count, const std::array<int64_t, kMaxOperands>& at) {
             for (int64_t i = 0; i < count; ++i) {
               out[position + i] = condition[at[0] + i * c] != 0 ? x[at[1] + i * p] : y[at[2] + i * q];
             }
           });
}

bool accepts_compare(const Call& call) {
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  return same_dtype(a, b) && one_of(AllTypes{}, a.dtype) && call.outputs[0].dtype == DType::Bool && same_quant(a, b);
}
bool accepts_logic(const Call& call) { return accepts_compare(call) && call.inputs[0].dtype == DType::Bool; }
bool accepts_where(const Call& call) {
  const Operand &x = call.inputs[1], &y = call.inputs[2], &out = call.outputs[0];
  return call.inputs[0].dtype == DType::Bool && whole_bytes(out.dtype) != 0 && same_dtype(x, out) &&
         same_dtype(y, out) && same_quant(x, out) && same_quant(y, out);
}

Prepared finish(CompareState s) {
  s.tiles = {s.broadcast.total};
  return make_tiled(std::move(s));
}
template <class Op>
Prepared prepare_compare(const Call& call, Weights&) {
  CompareState s;
  s.broadcast = Broadcast(call.outputs[0].shape, {&call.inputs[0].shape, &call.inputs[1].shape});
  visit(AllTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_compare<T, Op>; });
  return finish(std::move(s));
}
template <class Op>
Prepared prepare_logic(const Call& call, Weights&) {
  CompareState s;
  s.broadcast = Broadcast(call.outputs[0].shape, {&call.inputs[0].shape, &call.inputs[1].shape});
  s.body = run_compare<uint8_t, Op>;
  return finish(std::move(s));
}
Prepared prepare_where(const Call& call, Weights&) {
  CompareState s;
  s.broadcast = Broadcast(call.outputs[0].shape, {&call.inputs[0].shape, &call.inputs[1].shape, &call.inputs[2].shape});
  visit_size(whole_bytes(call.outputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_where<T>; });
  return finish(std::move(s));
}

constexpr Kernel kCompareKernels[] = {
    {"Equal", "equal_reference", 0, accepts_compare, prepare_compare<Equal>, run_body<CompareState>},
    {"Greater", "greater_reference", 0, accepts_compare, prepare_compare<Greater>, run_body<CompareState>},
    {"GreaterOrEqual", "greater_or_equal_reference", 0, accepts_compare, prepare_compare<GreaterOrEqual>,
     run_body<CompareState>},
    {"Less", "less_reference", 0, accepts_compare, prepare_compare<Less>, run_body<CompareState>},
    {"LessOrEqual", "less_or_equal_reference", 0, accepts_compare, prepare_compare<LessOrEqual>,
     run_body<CompareState>},
    {"And", "and_reference", 0, accepts_logic, prepare_logic<And>, run_body<CompareState>},
    {"Or", "or_reference", 0, accepts_logic, prepare_logic<Or>, run_body<CompareState>},
    {"Xor", "xor_reference", 0, accepts_logic, prepare_logic<Xor>, run_body<CompareState>},
    {"Where", "where_reference", 0, accepts_where, prepare_where, run_body<CompareState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_compare_kernels() { return reference::kCompareKernels; }

}  // namespace openrknn
