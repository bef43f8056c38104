// Softmax on codes (docs/arithmetic.md): the terms are 2^30 · exp(code - largest code) as integers, so that their sum
// is exact in any order; one division and one rounding give the result.
#include "core/kernels/math.h"
#include "core/kernels/reference/axis_split.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace {

using namespace reference;

constexpr double kOne = 1 << 30;

struct SoftmaxState {
  CodeParams x, y;
  int64_t extent = 1, inner = 1;
  std::vector<int32_t> terms;  // Int8: of the 256 distances from the largest code
  Tiles tiles;
  Body<SoftmaxState> body = nullptr;

  float exponential(int32_t distance) const { return math::exp(static_cast<float>(-distance * x.scale)); }
  int32_t term(int32_t distance) const {
    return static_cast<int32_t>(std::nearbyint(static_cast<double>(exponential(distance)) * kOne));
  }
  int32_t result(int32_t term, double sum) const { return y.code(static_cast<double>(term) / sum); }
};

/// One vector: `step` between its elements.
template <class Code>
int32_t largest_of(const Code* x, int64_t extent, int64_t step) {
  int32_t largest = x[0];
  for (int64_t i = 1; i < extent; ++i) largest = std::max<int32_t>(largest, x[i * step]);
  return largest;
}

/// Real arithmetic: terms not rounded, added as doubles.
template <class Code>
void ideal_vector(const SoftmaxState& s, const Code* x, Code* y, std::byte*) {
  const int32_t largest = largest_of(x, s.extent, s.inner);
  double sum = 0;
  for (int64_t i = 0; i < s.extent; ++i) sum += static_cast<double>(s.exponential(largest - x[i * s.inner]));
  for (int64_t i = 0; i < s.extent; ++i) {
    y[i * s.inner] = static_cast<Code>(s.y.code(static_cast<double>(s.exponential(largest - x[i * s.inner])) / sum));
  }
}

/// Int16: scratch holds the terms.
void wide_vector(const SoftmaxState& s, const int16_t* x, int16_t* y, std::byte* scratch) {
  auto* terms = reinterpret_cast<int32_t*>(scratch);
  const int32_t largest = largest_of(x, s.extent, s.inner);
  int64_t sum = 0;
  for (int64_t i = 0; i < s.extent; ++i) sum += terms[i] = s.term(largest - x[i * s.inner]);
  for (int64_t i = 0; i < s.extent; ++i) {
    y[i * s.inner] = static_cast<int16_t>(s.result(terms[i], static_cast<double>(sum)));
  }
}

/// Counted from 0 on: SSE2 compares no signed bytes.
struct ByteRange {
  int32_t low = 0, high = 0;

  ByteRange(const int8_t* x, int64_t count) {
    uint8_t least = 255, most = 0;
    for (int64_t i = 0; i < count; ++i) {
      const auto counted = static_cast<uint8_t>(x[i] + 128);
      least = std::min(least, counted);
      most = std::max(most, counted);
    }
    low = least - 128;
    high = most - 128;
  }
};
/// results[d] for distances up to `farthest`, and up to 15 beyond; those past the first that is the code of 0 are it
/// too.
void fill_results(const SoftmaxState& s, int32_t farthest, double sum, int8_t (&results)[256]) {
  constexpr int kTogether = 16;
  const CodeParams y = s.y;  // a local copy: stores of bytes cannot change it
  const auto zero = static_cast<int8_t>(y.code(0));
  for (int begin = 0; begin <= farthest; begin += kTogether) {
    const int32_t* terms = s.terms.data() + begin;
    int32_t codes[kTogether];
    for (int i = 0; i < kTogether; ++i) codes[i] = y.code(static_cast<double>(terms[i]) / sum);
    for (int i = 0; i < kTogether; ++i) results[begin + i] = static_cast<int8_t>(codes[i]);
    if (results[begin + kTogether - 1] != zero) continue;
    std::fill(results + begin + kTogether, results + 256, zero);
    return;
  }
}
/// Int8: terms from the table; results, too, are a function of the distance, computed once a vector and no further than
/// the smallest code, or than where they have become the code of 0 (terms fall with distance).
void narrow_vector(const SoftmaxState& s, const int8_t* x, int8_t* y, std::byte*) {
  const int64_t extent = s.extent, step = s.inner;  // local copies: stores of bytes cannot change them
  int32_t largest, farthest = 255;
  if (step == 1) {
    const ByteRange range(x, extent);
    largest = range.high;
    farthest = range.high - range.low;
  } else {
    largest = largest_of(x, extent, step);
  }
  const int32_t* terms = s.terms.data() + largest;  // of code c at [-c]
  int64_t sums[4] = {};                             // chains of additions, side by side
  int64_t i = 0;
  for (; i + 4 <= extent; i += 4) {
    for (int64_t chain = 0; chain < 4; ++chain) sums[chain] += terms[-x[(i + chain) * step]];
  }
  for (; i < extent; ++i) sums[0] += terms[-x[i * step]];
  const auto sum = static_cast<double>(sums[0] + sums[1] + sums[2] + sums[3]);
  constexpr int64_t kWorthATable = 32;
  if (extent < kWorthATable) {
    for (i = 0; i < extent; ++i) y[i * step] = static_cast<int8_t>(s.result(terms[-x[i * step]], sum));
    return;
  }
  int8_t results[256];
  fill_results(s, farthest, sum, results);
  for (i = 0; i < extent; ++i) y[i * step] = results[largest - x[i * step]];
}

template <class Code, void (*kVector)(const SoftmaxState&, const Code*, Code*, std::byte*)>
void run_vectors(const SoftmaxState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  for (int64_t vector = s.tiles.begin(tile); vector < s.tiles.end(tile); ++vector) {
    const int64_t at = vector / s.inner * s.extent * s.inner + vector % s.inner;
    kVector(s, input<Code>(buffers, 0) + at, output<Code>(buffers) + at, scratch);
  }
}

bool accepts_quantized_softmax(const Call& call) {
  return is_coded_as(call.inputs[0], call.outputs[0]) && !call.inputs[0].shape.empty() &&
         (call.ideal || call.law != nullptr);
}

Prepared prepare_quantized_softmax(const Call& call, Weights&) {
  const Shape& shape = call.inputs[0].shape;
  const AxisSplit split =
      split_at(shape, int_attribute(call.node.attributes, "axis", static_cast<int64_t>(shape.size()) - 1));
  SoftmaxState state;
  state.x = CodeParams(call.inputs[0]);
  state.y = CodeParams(call.outputs[0]);
  state.extent = split.extent;
  state.inner = split.inner;
  if (call.inputs[0].dtype == DType::Int8) {
    for (int32_t distance = 0; distance < 256; ++distance) state.terms.push_back(state.term(distance));
    state.body = call.ideal ? run_vectors<int8_t, ideal_vector<int8_t>> : run_vectors<int8_t, narrow_vector>;
  } else {
    state.body = call.ideal ? run_vectors<int16_t, ideal_vector<int16_t>> : run_vectors<int16_t, wide_vector>;
  }
  state.tiles = tile_rows(split.outer * state.inner, state.extent);
  const int64_t scratch = state.extent * static_cast<int64_t>(sizeof(int32_t));
  return make_tiled(std::move(state), scratch);
}

constexpr Kernel kSoftmaxQuantizedKernels[] = {{.op = "Softmax",
                                                .name = "softmax_codes_reference",
                                                .accepts = accepts_quantized_softmax,
                                                .prepare = prepare_quantized_softmax,
                                                .run = run_body<SoftmaxState>}};

}  // namespace

std::span<const Kernel> softmax_quantized_kernels() { return kSoftmaxQuantizedKernels; }

}  // namespace openrknn
