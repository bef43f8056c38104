// Cast between any two dtypes, and Convert between float formats (codes: convert_quantized.cpp). convert.h says what
// happens to a number; the bits of ONNX's defined cases. To 4 bits: floats truncate, then the low bits stay, as in the
// standard's own cases.
#include <bit>

#include "core/kernels/reference/convert.h"
#include "core/kernels/reference/packed4.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct CastState {
  Body<CastState> body = nullptr;
  DType from = DType::Float32, to = DType::Float32;
  Tiles tiles;
};

template <class From, class To>
void run_cast(const CastState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const From* x = input<From>(buffers, 0);
  To* y = output<To>(buffers);
  const int64_t end = s.tiles.end(tile);  // a local copy: stores of bytes cannot change it
  for (int64_t i = s.tiles.begin(tile); i < end; ++i) {
    if constexpr (std::is_same_v<From, To>)
      y[i] = x[i];
    else if constexpr (std::is_same_v<From, bool>)  // there are no vectors of bool
      y[i] = convert_number<To>(std::bit_cast<uint8_t>(x[i]));
    else
      y[i] = convert_number<To>(x[i]);
  }
}
template <class To>
void run_from_packed4(const CastState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  To* y = output<To>(buffers);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    y[i] = convert_number<To>(load_packed4(buffers[0].data, i, is_signed(s.from)));
  }
}
template <class From>
void run_to_packed4(const CastState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const From* x = input<From>(buffers, 0);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    store_packed4(buffers.back().data, i, convert_number<int64_t>(x[i]));
  }
}
/// Between the two 4-bit types, and from one to itself: the bits stay.
void run_cast_copy(const CastState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    store_packed4(buffers.back().data, i, load_packed4(buffers[0].data, i, false));
  }
}

bool plain(const Operand& operand) { return !operand.quant; }
bool accepts_cast(const Call& call) { return plain(call.inputs[0]) && plain(call.outputs[0]); }
bool accepts_convert(const Call& call) {
  return is_floating(call.inputs[0].dtype) && is_floating(call.outputs[0].dtype);
}

Prepared prepare_cast(const Call& call, Weights&) {
  CastState s;
  s.from = call.inputs[0].dtype;
  s.to = call.outputs[0].dtype;
  if (is_packed4(s.from) && is_packed4(s.to)) s.body = run_cast_copy;
  visit(AllTypes{}, s.from, [&]<class From>(Tag<From>) {
    if (is_packed4(s.to)) s.body = run_to_packed4<From>;
    visit(AllTypes{}, s.to, [&]<class To>(Tag<To>) { s.body = run_cast<From, To>; });
  });
  if (is_packed4(s.from)) visit(AllTypes{}, s.to, [&]<class To>(Tag<To>) { s.body = run_from_packed4<To>; });
  s.tiles = {element_count(call.outputs[0].shape)};
  return make_tiled(std::move(s), 0, same_dtype(call.inputs[0], call.outputs[0]) ? 0 : -1);
}

constexpr Kernel kCastKernels[] = {
    {"Cast", "cast_reference", 0, accepts_cast, prepare_cast, run_body<CastState>},
    {"Convert", "convert_float_reference", 0, accepts_convert, prepare_cast, run_body<CastState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_cast_kernels() { return reference::kCastKernels; }

}  // namespace openrknn
