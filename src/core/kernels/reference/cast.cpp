// Cast between any two dtypes of whole bytes, and Convert between float formats (codes: convert_quantized.cpp).
// convert.h says what happens to a number; the bits of ONNX's defined cases.
#include "core/kernels/reference/convert.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct CastState {
  Body<CastState> body = nullptr;
  Tiles tiles;
};

template <class From, class To>
void run_cast(const CastState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const From* x = input<From>(buffers, 0);
  To* y = output<To>(buffers);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    if constexpr (std::is_same_v<From, To>)
      y[i] = x[i];
    else
      y[i] = convert_number<To>(x[i]);
  }
}

bool plain(const Operand& operand) { return one_of(AllTypes{}, operand.dtype) && !operand.quant; }
bool accepts_cast(const Call& call) { return plain(call.inputs[0]) && plain(call.outputs[0]); }
bool accepts_convert(const Call& call) {
  return is_floating(call.inputs[0].dtype) && is_floating(call.outputs[0].dtype);
}

Prepared prepare(const Call& call, Weights&) {
  CastState s;
  visit(AllTypes{}, call.inputs[0].dtype, [&]<class From>(Tag<From>) {
    visit(AllTypes{}, call.outputs[0].dtype, [&]<class To>(Tag<To>) { s.body = run_cast<From, To>; });
  });
  s.tiles = {element_count(call.outputs[0].shape)};
  const int64_t tiles = s.tiles.count();
  return make_prepared(std::move(s), tiles, 0, same_dtype(call.inputs[0], call.outputs[0]) ? 0 : -1);
}

constexpr Kernel kRows[] = {
    {"Cast", "cast_reference", 0, accepts_cast, prepare, run_body<CastState>},
    {"Convert", "convert_float_reference", 0, accepts_convert, prepare, run_body<CastState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_cast_kernels() { return reference::kRows; }

}  // namespace openrknn
