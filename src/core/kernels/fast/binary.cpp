// Arithmetic of two operands that broadcast: Add Sub Mul Max Min of codes, the same and Div of floats.
//
// The loops only know two operands as long as the output. An operand that repeats is written out into scratch first: a
// scalar or a short row (one value per channel) once, as often as it fits a chunk; one value per line for every chunk.
#include <algorithm>

#include "core/kernels/fast/code_scale.h"
#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::Broadcast;
using reference::Tiles;
using reference::Wide;

constexpr int64_t kChunk = 1024;  // elements combined at a time

/// How an operand runs along a row of the output.
struct Side {
  enum class Kind : uint8_t { Dense, Periodic, Lines } kind = Kind::Dense;
  int64_t period = 1;  ///< Periodic: elements until it starts again. Lines: how often each element repeats
};

struct PairState {
  void (*body)(const PairState&, std::span<const Buffer>, const Stretches&, std::byte* scratch) = nullptr;
  const InnerLoops* loops = nullptr;
  Pair function = Pair::Add;
  CodePair codes;
  Activation activation;
  Broadcast rows;  ///< as few rows as Side can describe; operands that are not dense have stride 0 along them
  Side sides[2];
  Tiles tiles;
};

/// Lines shorter than a chunk are joined to one row, with operands that repeat every line, or within each.
void join_lines(PairState& s) {
  Broadcast& rows = s.rows;
  const size_t last = rows.extents.size() - 1;
  const int64_t line = rows.extents[last];
  const bool joins = last > 0 && line < kChunk;
  for (size_t i = 0; i < 2; ++i) {
    Shape& strides = rows.strides[i];
    const bool repeats_lines = joins && strides[last - 1] == 0;
    if (strides[last] == 0)
      s.sides[i] = joins && !repeats_lines ? Side{Side::Kind::Lines, line} : Side{Side::Kind::Periodic, 1};
    else if (repeats_lines)
      s.sides[i] = {Side::Kind::Periodic, line};
    if (joins) strides.pop_back();
    strides.back() = s.sides[i].kind == Side::Kind::Dense ? 1 : 0;
  }
  if (!joins) return;
  rows.extents.pop_back();
  rows.extents.back() *= line;
}

/// One operand of a tile, read chunk by chunk as if it were as long as the output; halves come as floats.
template <class T>
class Reader {
 public:
  using Value = Wide<T>;
  static constexpr int64_t kBytes = 2 * kChunk * static_cast<int64_t>(sizeof(Value));  ///< of scratch

  /// `longest`: no read() asks for more.
  Reader(const PairState& s, size_t operand, int64_t longest, std::span<const Buffer> buffers, std::byte* scratch)
      : loops_(*s.loops),
        side_(s.sides[operand]),
        longest_(longest),
        data_(reference::input<T>(buffers, operand)),
        room_(reinterpret_cast<Value*>(scratch)) {}

  /// `count` values from `column` of the row on, which starts at `offset` (Dense: `offset` is that of the column).
  const Value* read(int64_t offset, int64_t column, int64_t count) {
    switch (side_.kind) {
      case Side::Kind::Dense:
        return wide(data_ + offset, count);
      case Side::Kind::Periodic:
        if (column % side_.period + count <= side_.period) return wide(data_ + offset + column % side_.period, count);
        if (offset != repeated_) repeat(offset);
        return room_ + column % side_.period;
      case Side::Kind::Lines:
        spread(data_ + offset + column / side_.period, column % side_.period, count);
        return room_;
    }
    return nullptr;
  }

 private:
  const Value* wide(const T* from, int64_t count) {
    if constexpr (std::is_same_v<T, Value>) {
      return from;
    } else {
      loops_.half_to_float(reinterpret_cast<const uint16_t*>(from), room_, count);
      return room_;
    }
  }
  /// A period, and what a read that begins with the period's last element sees.
  void repeat(int64_t offset) {
    const Value* from = wide(data_ + offset, side_.period);
    if (from != room_) std::copy_n(from, side_.period, room_);
    if (side_.period == 1) {
      std::fill_n(room_, longest_, room_[0]);
    } else {
      const int64_t length = side_.period + longest_;
      for (int64_t done = side_.period; done < length; done *= 2) {
        std::copy_n(room_, std::min(done, length - done), room_ + done);
      }
    }
    repeated_ = offset;
  }
  void spread(const T* from, int64_t skip, int64_t count) {
    for (int64_t i = 0; i < count; ++from, skip = 0) {
      const int64_t run = std::min(side_.period - skip, count - i);
      std::fill_n(room_ + i, run, static_cast<Value>(*from));
      i += run;
    }
  }

  const InnerLoops& loops_;
  const Side side_;
  const int64_t longest_;
  const T* data_;
  Value* room_;
  int64_t repeated_ = -1;  ///< offset of the period in `room_`
};

void combine(const PairState& s, const int8_t* a, const int8_t* b, int8_t* y, int64_t count, std::byte*) {
  s.loops->combine_codes(s.codes, a, b, y, count);
}
void combine(const PairState& s, const float* a, const float* b, float* y, int64_t count, std::byte*) {
  s.loops->combine_floats(s.function, a, b, y, count);
  if (s.activation.function != Function::Identity) s.loops->apply(s.activation, y, y, count);
}
void combine(const PairState& s, const float* a, const float* b, Float16* y, int64_t count, std::byte* scratch) {
  float* values = reinterpret_cast<float*>(scratch);
  combine(s, a, b, values, count, nullptr);
  s.loops->float_to_half(values, reinterpret_cast<uint16_t*>(y), count);
}

template <class T>
void run_binary(const PairState& s, std::span<const Buffer> buffers, const Stretches& all, std::byte* scratch) {
  const int64_t longest = std::min(kChunk, all.length);
  Reader<T> a(s, 0, longest, buffers, scratch), b(s, 1, longest, buffers, scratch + Reader<T>::kBytes);
  T* y = reference::output<T>(buffers);
  const bool a_dense = s.sides[0].kind == Side::Kind::Dense, b_dense = s.sides[1].kind == Side::Kind::Dense;
  const auto row = [&](int64_t position, int64_t count, const std::array<int64_t, reference::kMaxOperands>& offsets) {
    const int64_t column = position % s.rows.extents.back();
    for (int64_t i = 0; i < count; i += kChunk) {
      const int64_t part = std::min(kChunk, count - i);
      const auto* from_a = a.read(offsets[0] + (a_dense ? i : 0), column + i, part);
      const auto* from_b = b.read(offsets[1] + (b_dense ? i : 0), column + i, part);
      combine(s, from_a, from_b, y + position + i, part, scratch + 2 * Reader<T>::kBytes);
    }
  };
  for (int64_t i = 0; i < all.count; ++i) {
    const int64_t first = all.first + i * all.step;
    for_rows(s.rows, first, first + all.length, row);
  }
}

const PairState& pair_of(const Prepared& prepared) { return *static_cast<const PairState*>(prepared.state.get()); }
void run_pair_elements(const Prepared& prepared, std::span<const Buffer> buffers, const Stretches& elements,
                       std::byte* scratch) {
  const PairState& s = pair_of(prepared);
  s.body(s, buffers, elements, scratch);
}
Stretches written_elements(const Prepared& prepared, int64_t tile) {
  return reference::written_by(pair_of(prepared).tiles, tile);
}
void run_tile(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  run_pair_elements(prepared, buffers, written_elements(prepared, tile), scratch);
}

template <class T>
Prepared finish(const Call& call, PairState s) {
  s.rows = Broadcast(call.outputs[0].shape, {&call.inputs[0].shape, &call.inputs[1].shape});
  const int in_place = s.rows.dense(0) ? 0 : s.rows.dense(1) ? 1 : -1;
  const uint32_t element_inputs = (s.rows.dense(0) ? 1u : 0u) | (s.rows.dense(1) ? 2u : 0u);
  s.tiles.total = s.rows.total;
  s.body = run_binary<T>;
  join_lines(s);
  const int64_t tiles = s.tiles.count(), result = std::is_same_v<T, Float16> ? kChunk * 4 : 0;
  Prepared prepared = reference::make_prepared(std::move(s), tiles, 2 * Reader<T>::kBytes + result, in_place);
  prepared.written = written_elements;
  prepared.run_elements = run_pair_elements;
  prepared.element_inputs = element_inputs;
  return prepared;
}

constexpr bool adds(Pair function) { return function == Pair::Add || function == Pair::Sub; }

template <Pair kFunction>
bool accepts_pair(const Call& call) {
  constexpr size_t kScales = kFunction == Pair::Mul ? 1 : adds(kFunction) ? 3 : 2;
  if (call.ideal || !reference::are_codes(call.inputs) || !reference::is_codes(call.outputs[0])) return false;
  if (!reference::is_lowered(call, kScales)) return false;
  for (size_t i = 0; i < kScales; ++i) {
    const OutputScale scale = output_scale(call, i);
    if (!scale_fits(scale)) return false;
    if (adds(kFunction) && i < 2 && scale.shift != 0) return false;  // lower() never makes any other
  }
  return true;
}
template <const InnerLoops& kLoops, Pair kFunction>
Prepared prepare_pair(const Call& call, Weights&) {
  PairState s;
  s.loops = &kLoops;
  s.codes.function = kFunction;
  s.codes.a_zero_point = call.inputs[0].quant->zero_point[0];
  s.codes.b_zero_point = call.inputs[1].quant->zero_point[0];
  if (adds(kFunction)) {
    s.codes.a_multiplier = output_scale(call, 0).multiplier;
    s.codes.b_multiplier = output_scale(call, 1).multiplier * (kFunction == Pair::Sub ? -1 : 1);
  }
  s.codes.a_out = code_scale_of(output_scale(call, 0));
  s.codes.out = code_scale_of(output_scale(call, kFunction == Pair::Mul ? 0 : adds(kFunction) ? 2 : 1));
  return finish<int8_t>(call, std::move(s));
}

bool accepts_float_pair(const Call& call) {
  const Operand &a = call.inputs[0], &y = call.outputs[0];
  return reference::is_float(a) && reference::same_dtype(a, call.inputs[1]) && reference::same_dtype(a, y) &&
         loop_activation(call.node).has_value();
}
template <const InnerLoops& kLoops, Pair kFunction>
Prepared prepare_float_pair(const Call& call, Weights&) {
  PairState s;
  s.loops = &kLoops;
  s.function = kFunction;
  s.activation = *loop_activation(call.node);
  if (call.outputs[0].dtype == DType::Float16) return finish<Float16>(call, std::move(s));
  return finish<float>(call, std::move(s));
}

#define CODES(op, cpu, name, needs) \
  { #op, "combine_i8_" name, needs, accepts_pair < Pair::op>, prepare_pair < cpu::kLoops, Pair::op>, run_tile }
#define FLOATS(op, cpu, name, needs) \
  { #op, "combine_float_" name, needs, accepts_float_pair, prepare_float_pair < cpu::kLoops, Pair::op>, run_tile }
#define ROWS(cpu, name, needs)                                                                     \
  CODES(Add, cpu, name, needs), CODES(Sub, cpu, name, needs), CODES(Mul, cpu, name, needs),        \
      CODES(Max, cpu, name, needs), CODES(Min, cpu, name, needs), FLOATS(Add, cpu, name, needs),   \
      FLOATS(Sub, cpu, name, needs), FLOATS(Mul, cpu, name, needs), FLOATS(Div, cpu, name, needs), \
      FLOATS(Max, cpu, name, needs), FLOATS(Min, cpu, name, needs),

constexpr Kernel kBinaryKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef CODES
#undef FLOATS
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_binary_kernels() { return fast::kBinaryKernels; }
}  // namespace openrknn
