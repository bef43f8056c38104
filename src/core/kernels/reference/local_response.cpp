// LRN: x / (bias + alpha/size * sum of squares)^beta, the sum over `size` neighbouring channels.
// Float rule (docs/arithmetic.md): one float32 accumulator per output, from +0, channels inside the input ascending,
// every operation rounded, none fused. b^0.5 is IEEE's square root, b^0.75 = sqrt(b) * sqrt(sqrt(b)), any other beta
// power().
#include <cmath>

#include "core/kernels/reference/power.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct LocalResponseState {
  Body<LocalResponseState> body = nullptr;
  int64_t channels = 1, before = 0, after = 0;  // neighbours on each side
  float scale = 0, beta = 0.75f, bias = 1;
  Tiles tiles;
  int64_t squares_at = 0, bases_at = 0;
};

template <class T>
void run_local_response(const LocalResponseState& s, std::span<const Buffer> buffers, int64_t tile,
                        std::byte* scratch) {
  float* squares = scratch_at<float>(scratch, s.squares_at);
  float* bases = scratch_at<float>(scratch, s.bases_at);
  for (int64_t pixel = s.tiles.begin(tile); pixel < s.tiles.end(tile); ++pixel) {
    const T* x = input<T>(buffers, 0) + pixel * s.channels;
    T* y = output<T>(buffers) + pixel * s.channels;
    load_floats(x, squares, s.channels);
    for (int64_t c = 0; c < s.channels; ++c) squares[c] *= squares[c];
    std::fill_n(bases, s.channels, 0.0f);
    for (int64_t k = -s.before; k <= s.after; ++k) {
      const int64_t begin = std::max<int64_t>(0, -k), end = std::min(s.channels, s.channels - k);
      for (int64_t c = begin; c < end; ++c) bases[c] += squares[c + k];
    }
    for (int64_t c = 0; c < s.channels; ++c) bases[c] = s.bias + s.scale * bases[c];
    if (s.beta == 0.75f) {
      for (int64_t c = 0; c < s.channels; ++c) {
        const float root = std::sqrt(bases[c]);
        bases[c] = root * std::sqrt(root);
      }
    } else if (s.beta == 0.5f) {
      for (int64_t c = 0; c < s.channels; ++c) bases[c] = std::sqrt(bases[c]);
    } else if (s.beta != 1.0f) {
      for (int64_t c = 0; c < s.channels; ++c) bases[c] = power(bases[c], s.beta);
    }
    for (int64_t c = 0; c < s.channels; ++c) y[c] = static_cast<T>(static_cast<float>(x[c]) / bases[c]);
  }
}

bool accepts_local_response(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return x.layout == Layout::ChannelsLast && y.layout == Layout::ChannelsLast && same_dtype(x, y) && is_float(x);
}
Prepared prepare_local_response(const Call& call, Weights&) {
  const Attributes& attributes = call.node.attributes;
  const Shape& x = call.inputs[0].shape;
  LocalResponseState s;
  s.channels = x.back();
  // Neighbours beyond the first and last channel add nothing.
  const int64_t size = int_attribute(attributes, "size", 1);
  s.before = std::min((size - 1) / 2, s.channels);
  s.after = std::min(size - 1 - (size - 1) / 2, s.channels);
  s.scale = static_cast<float>(float_attribute(attributes, "alpha", double{1e-4f})) / static_cast<float>(size);
  s.beta = static_cast<float>(float_attribute(attributes, "beta", 0.75));
  s.bias = static_cast<float>(float_attribute(attributes, "bias", 1.0));
  ScratchLayout scratch;
  s.squares_at = scratch.add<float>(s.channels);
  s.bases_at = scratch.add<float>(s.channels);
  s.tiles = tile_rows(s.channels == 0 ? 0 : element_count(x) / s.channels, s.channels);
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_local_response<T>; });
  return make_tiled(std::move(s), scratch.bytes());
}

constexpr Kernel kLocalResponseKernels[] = {
    {"LRN", "lrn_reference", 0, accepts_local_response, prepare_local_response, run_body<LocalResponseState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_local_response_kernels() { return reference::kLocalResponseKernels; }

}  // namespace openrknn
