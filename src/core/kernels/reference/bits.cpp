// Operators on the bits of integers: BitwiseAnd BitOr BitXor Not, BitShift, BitCast. All exact. Shifts to the right
// repeat the sign; a shift by less than 0, or by the width of the type or more, leaves the sign's bits (right) or
// nothing (left).
#include <type_traits>

#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct BitsState {
  Body<BitsState> body = nullptr;
  Broadcast broadcast;
  Tiles tiles;
};

struct BitAnd {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct BitOr {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct BitXor {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
template <class T>
bool is_inside(T shift) {
  return static_cast<std::make_unsigned_t<T>>(shift) < sizeof(T) * 8;
}
struct ShiftLeft {
  template <class T>
  static T apply(T a, T b) {
    return is_inside(b) ? static_cast<T>(static_cast<uint64_t>(a) << b) : T{0};
  }
};
struct ShiftRight {
  template <class T>
  static T apply(T a, T b) {
    return is_inside(b) ? static_cast<T>(a >> b) : a < T{0} ? static_cast<T>(-1) : T{0};
  }
};

template <class T, class Op>
void run_bits(const BitsState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  zip_tile<T, T>(s.broadcast, s.tiles, tile, buffers, [](T a, T b) { return Op::apply(a, b); });
}
template <class T>
void run_bit_not(const BitsState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) y[i] = static_cast<T>(~x[i]);
}
void run_bits_copy(const BitsState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const int64_t begin = s.tiles.begin(tile), count = s.tiles.end(tile) - begin;
  if (count > 0 && buffers[0].data != buffers.back().data) {
    std::memcpy(buffers.back().data + begin, buffers[0].data + begin, static_cast<size_t>(count));
  }
}

bool accepts_bits(const Call& call) {
  return is_plain_integer(call.inputs[0]) && is_plain_integer(call.inputs[1]) && is_plain_integer(call.outputs[0]) &&
         same_dtype(call.inputs[0], call.inputs[1]) && same_dtype(call.inputs[0], call.outputs[0]);
}
bool accepts_bit_not(const Call& call) {
  return is_plain_integer(call.inputs[0]) && is_plain_integer(call.outputs[0]) &&
         same_dtype(call.inputs[0], call.outputs[0]);
}
bool accepts_bit_cast(const Call& call) {
  return !call.inputs[0].quant && !call.outputs[0].quant &&
         bit_width(call.inputs[0].dtype) == bit_width(call.outputs[0].dtype);
}

template <class Op>
Prepared prepare_bits(const Call& call, Weights&) {
  BitsState s;
  s.broadcast = Broadcast(call.outputs[0].shape, {&call.inputs[0].shape, &call.inputs[1].shape});
  visit(IntegerTypes{}, call.outputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_bits<T, Op>; });
  s.tiles = {s.broadcast.total};
  return make_tiled(std::move(s));
}
Prepared prepare_shift(const Call& call, Weights& weights) {
  const bool left = string_attribute(call.node.attributes, "direction", "LEFT") == "LEFT";
  return left ? prepare_bits<ShiftLeft>(call, weights) : prepare_bits<ShiftRight>(call, weights);
}
Prepared prepare_bit_not(const Call& call, Weights&) {
  BitsState s;
  visit_size(whole_bytes(call.outputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_bit_not<T>; });
  s.tiles = {element_count(call.outputs[0].shape)};
  return make_tiled(std::move(s), 0, 0);
}
Prepared prepare_bit_cast(const Call& call, Weights&) {
  BitsState s;
  s.body = run_bits_copy;
  s.tiles = {byte_size(call.outputs[0].dtype, element_count(call.outputs[0].shape)), 4 * kTileElements};
  return make_tiled(std::move(s), 0, 0);
}

constexpr Kernel kBitsKernels[] = {
    {"BitwiseAnd", "bitwise_and_reference", 0, accepts_bits, prepare_bits<BitAnd>, run_body<BitsState>},
    {"BitwiseOr", "bitwise_or_reference", 0, accepts_bits, prepare_bits<BitOr>, run_body<BitsState>},
    {"BitwiseXor", "bitwise_xor_reference", 0, accepts_bits, prepare_bits<BitXor>, run_body<BitsState>},
    {"BitwiseNot", "bitwise_not_reference", 0, accepts_bit_not, prepare_bit_not, run_body<BitsState>},
    {"BitShift", "bit_shift_reference", 0, accepts_bits, prepare_shift, run_body<BitsState>},
    {"BitCast", "bit_cast_reference", 0, accepts_bit_cast, prepare_bit_cast, run_body<BitsState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_bits_kernels() { return reference::kBitsKernels; }

}  // namespace openrknn
