// Channel by channel convolution: vectors run along the channels, a handful of neighbouring pixels share each weight.
//
// Every output has one accumulator and sees its taps ascending. Codes are computed in floats too: a product of two
// 9-bit integers and the sum of up to 256 of them are exact there.
#pragma once

#include "core/kernels/fast/activation_loops.h"
#include "core/kernels/fast/requantize_loops.h"

namespace openrknn::fast {

template <class Isa_>
struct FloatElement {
  using Isa = Isa_;
  using Type = float;
  OPENRKNN_INLINE static Floats<Isa> read(const DepthwiseLine&, const float* from) { return load<Floats<Isa>>(from); }
};
template <class Isa_>
struct HalfElement {
  using Isa = Isa_;
  using Type = uint16_t;
  OPENRKNN_INLINE static Floats<Isa> read(const DepthwiseLine&, const uint16_t* from) {
    return Floats<Isa>(Isa::load_half(from));
  }
};
template <class Isa_>
struct CodeElement {
  using Isa = Isa_;
  using Type = int8_t;
  OPENRKNN_INLINE static Floats<Isa> read(const DepthwiseLine& line, const int8_t* from) {
    const auto wide = Isa::load_codes(from);
    return Floats<Isa>(__builtin_convertvector(wide, typename Floats<Isa>::Raw)) - Floats<Isa>(line.input_zero_point);
  }
};

/// Codes of windows that lie inside the input: what the zero point adds to them is in whole_offset.
template <class Isa_>
struct WholeCodeElement {
  using Isa = Isa_;
  using Type = int8_t;
  OPENRKNN_INLINE static Floats<Isa> read(const DepthwiseLine&, const int8_t* from) {
    return Floats<Isa>(__builtin_convertvector(Isa::load_codes(from), typename Floats<Isa>::Raw));
  }
};

template <class Isa, int kPixels>
OPENRKNN_INLINE void finish_pixels(const DepthwiseLine& line, Floats<Isa> (&sums)[kPixels], float* out, int64_t c) {
  using V = Floats<Isa>;
  const Function function = line.activation.function;
  const int64_t count = line.channels - c;
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) {
    if (function == Function::Relu)
      sums[p] = select(sums[p] < V(0.0f), V(0.0f), sums[p]);
    else if (function == Function::Clip)
      sums[p] = clip(sums[p], V(line.activation.low), V(line.activation.high));
  }
  if (function > Function::Clip) {
    float values[kPixels][V::kLanes];
    for (int p = 0; p < kPixels; ++p) store(values[p], sums[p]);
    apply_activation<Isa>(line.activation, values[0], values[0], kPixels * V::kLanes);
    for (int p = 0; p < kPixels; ++p) sums[p] = load<V>(values[p]);
  }
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) {
    if (count >= V::kLanes)
      store(out + p * line.channels, sums[p]);
    else
      store_first(out + p * line.channels, sums[p], count);
  }
}

template <class Element, int kPixels>
OPENRKNN_INLINE void finish_pixels(const DepthwiseLine& line, Floats<typename Element::Isa> (&sums)[kPixels],
                                   int64_t pixel, int64_t c) {
  using Isa = typename Element::Isa;
  using V = Floats<Isa>;
  if constexpr (sizeof(typename Element::Type) == 1) {
    constexpr bool kWhole = __is_same(Element, WholeCodeElement<Isa>);
    const Ints<Isa> offset = load<Ints<Isa>>((kWhole ? line.whole_offset : line.requantize.offset) + c);
    Ints<Isa> codes[kPixels];  // all before any store: the compiler cannot know that stores leave the parameters alone
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) {
      codes[p] = Ints<Isa>(__builtin_convertvector(sums[p].raw, typename Ints<Isa>::Raw)) + offset;
    }
    int8_t* out = static_cast<int8_t*>(line.out) + pixel * line.channels + c;
    const int64_t count = line.channels - c;
    if (!is_plain(line.requantize)) {
      for (int p = 0; p < kPixels; ++p) {
        store_requantized<Isa>(line.requantize, codes[p], c, out + p * line.channels, count);
      }
      return;
    }
    const FloatStage<Isa> stage(line.requantize.floats);
    const V channel = load<V>(line.requantize.floats.channel + c);
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) codes[p] = stage.template codes<false, true>(codes[p], channel);
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) store_codes<Isa>(out + p * line.channels, codes[p], count);
    return;
  }
  if (line.bias) {
    const V bias = load<V>(line.bias + c);
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) sums[p] = sums[p] + bias;
  }
  if constexpr (sizeof(typename Element::Type) == 4) {
    finish_pixels<Isa>(line, sums, static_cast<float*>(line.out) + pixel * line.channels + c, c);
  } else {
    float values[kPixels][V::kLanes];
    for (int p = 0; p < kPixels; ++p) store(values[p], sums[p]);
    apply_activation<Isa>(line.activation, values[0], values[0], kPixels * V::kLanes);
    const int64_t count = line.channels - c < V::kLanes ? line.channels - c : V::kLanes;
    for (int p = 0; p < kPixels; ++p) {
      float_to_half<Isa>(values[p], static_cast<uint16_t*>(line.out) + (pixel + p) * line.channels + c, count);
    }
  }
}

/// Three neighbouring taps of one line, kPixels outputs kStride apart: an input that several outputs see is read once.
/// Each output still sees its taps ascending.
template <class Element, int kPixels, int kStride>
OPENRKNN_INLINE void add_three_taps(const DepthwiseLine& line, const typename Element::Type* in, const float* weights,
                                    Floats<typename Element::Isa> (&sums)[kPixels]) {
  using V = Floats<typename Element::Isa>;
  const V first = load<V>(weights), second = load<V>(weights + line.padded_channels),
          third = load<V>(weights + 2 * line.padded_channels);
#pragma GCC unroll 20
  for (int i = 0; i < (kPixels - 1) * kStride + 3; ++i) {
    const V x = Element::read(line, in + i * line.channels);
    if (i % kStride == 0 && i / kStride < kPixels) sums[i / kStride] = fma(x, first, sums[i / kStride]);
    if (i >= 1 && (i - 1) % kStride == 0 && (i - 1) / kStride < kPixels) {
      sums[(i - 1) / kStride] = fma(x, second, sums[(i - 1) / kStride]);
    }
    if (i >= 2 && (i - 2) % kStride == 0) sums[(i - 2) / kStride] = fma(x, third, sums[(i - 2) / kStride]);
  }
}

/// kPixels outputs from `pixel` on, all of whose taps first_tap … end_tap-1 lie inside the line.
template <class Element, int kPixels>
OPENRKNN_INLINE void depthwise_pixels(const DepthwiseLine& line, int64_t pixel, int64_t first_tap, int64_t end_tap) {
  using Isa = typename Element::Isa;
  using V = Floats<Isa>;
  using Type = typename Element::Type;
  const int64_t step = line.stride * line.channels;
  const int64_t origin = (pixel * line.stride - line.pad) * line.channels;
  const bool three = kPixels > 1 && first_tap == 0 && end_tap == 3 && line.dilation == 1 && line.stride <= 2;
  for (int64_t c = 0; c < line.channels; c += V::kLanes) {
    V sums[kPixels];
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) sums[p] = V(0.0f);
    for (int64_t l = 0; l < line.line_count; ++l) {
      const Type* in = static_cast<const Type*>(line.lines[l]) + origin + c;
      if (three) {
        if (line.stride == 1)
          add_three_taps<Element, kPixels, 1>(line, in, line.weights[l] + c, sums);
        else
          add_three_taps<Element, kPixels, 2>(line, in, line.weights[l] + c, sums);
        continue;
      }
      for (int64_t tap = first_tap; tap < end_tap; ++tap) {
        const V weight = load<V>(line.weights[l] + tap * line.padded_channels + c);
        const Type* from = in + tap * line.dilation * line.channels;
#pragma GCC unroll 8
        for (int p = 0; p < kPixels; ++p) sums[p] = fma(Element::read(line, from + p * step), weight, sums[p]);
      }
    }
    finish_pixels<Element, kPixels>(line, sums, pixel, c);
  }
}

/// Whole: the element of pixels all of whose taps lie inside the input.
template <class Element, class Whole = Element>
void run_depthwise(const DepthwiseLine& line) {
  const int64_t reach = (line.taps - 1) * line.dilation;
  int64_t pixel = 0;
  while (pixel < line.out_width) {
    // Input position of the first tap; `inside`: how many outputs from here on see all of their taps.
    const int64_t start = pixel * line.stride - line.pad;
    const int64_t last = line.in_width - 1 - reach - start;
    int64_t inside = start >= 0 && last >= 0 ? last / line.stride + 1 : 0;
    if (inside > line.out_width - pixel) inside = line.out_width - pixel;
    for (; inside >= 8; inside -= 8, pixel += 8) depthwise_pixels<Whole, 8>(line, pixel, 0, line.taps);
    for (; inside >= 4; inside -= 4, pixel += 4) depthwise_pixels<Whole, 4>(line, pixel, 0, line.taps);
    for (; inside >= 1; inside -= 1, pixel += 1) depthwise_pixels<Whole, 1>(line, pixel, 0, line.taps);
    if (pixel == line.out_width) return;
    int64_t first = 0, end = line.taps;
    const int64_t at = pixel * line.stride - line.pad;
    while (first < end && at + first * line.dilation < 0) ++first;
    while (end > first && at + (end - 1) * line.dilation >= line.in_width) --end;
    depthwise_pixels<Element, 1>(line, pixel, first, end);
    ++pixel;
  }
}

template <class Isa>
void run_depthwise_codes(const DepthwiseLine& line) {
  if (line.whole_offset) return run_depthwise<CodeElement<Isa>, WholeCodeElement<Isa>>(line);
  run_depthwise<CodeElement<Isa>>(line);
}

}  // namespace openrknn::fast
