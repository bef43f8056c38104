// Channel by channel convolution of codes, where one instruction multiplies four bytes a lane: four kernel rows of a
// column at a time. Input lines are interleaved to groups of four first, a part of a line that stays in the first-level
// cache; each group then serves all outputs whose windows see it.
#pragma once

#include "core/kernels/fast/requantize_loops.h"

namespace openrknn::fast {

/// `count` groups of padding.
template <class Isa>
OPENRKNN_INLINE std::byte* pad_groups(int32_t group, int64_t count, std::byte* to) {
  for (int64_t i = 0; i < count; i += Isa::kBytes / 4) store(to + i * 4, Ints<Isa>(group));
  return to + count * 4;
}

/// Writes whole vectors: what lies behind is written later.
template <class Isa>
void stage_groups(const DepthwiseDot& d, int64_t channel, int64_t first, int64_t columns) {
  const int64_t left = first < 0 ? (-first < columns ? -first : columns) : 0;
  const int64_t behind = first + columns - d.in_width;
  const int64_t right = behind < 0 ? 0 : behind < columns - left ? behind : columns - left;
  const int64_t inside = columns - left - right;
  for (int64_t g = 0; g < d.groups; ++g) {
    const int8_t* lines[4];
    for (int i = 0; i < 4; ++i) lines[i] = d.lines[4 * g + i] + (first + left) * d.channels + channel;
    std::byte* to = pad_groups<Isa>(d.padding, left * d.pitch, d.staging + g * d.group_bytes);
    // Columns are apart only where a block is less than all channels.
    const int64_t stretches = d.pitch == d.channels ? 1 : inside;
    const int64_t length = d.pitch == d.channels ? inside * d.channels : d.pitch;
    for (int64_t i = 0; i < stretches; ++i, to += length * 4) {
      for (int64_t at = 0; at < length; at += Isa::kBytes) {
        Isa::interleave(lines[0] + at, lines[1] + at, lines[2] + at, lines[3] + at, to + at * 4);
      }
      for (const int8_t*& line : lines) line += d.channels;
    }
    pad_groups<Isa>(d.padding, right * d.pitch, to);
  }
}

/// A curved output stage of eight pixels.
template <class Isa>
OPENRKNN_INLINE void curve_pixels(const DepthwiseDot& d, const Ints<Isa> (&sums)[8], int64_t c, int8_t* out) {
  constexpr int kLanes = Isa::kBytes / 4;
  const FloatStage<Isa> stage(d.requantize.floats);
  const Floats<Isa> channel = load<Floats<Isa>>(d.requantize.floats.channel + c);
  typename Ints<Isa>::Raw values[8];
#pragma GCC unroll 8
  for (int p = 0; p < 8; ++p) values[p] = stage.template codes<false>(sums[p], channel).raw;
  int8_t codes[8 * kLanes];
  Isa::curve_codes(d.requantize.curve, values, codes);
  for (int p = 0; p < 8; ++p) copy_codes<Isa>(codes + p * kLanes, out + p * d.channels + c, d.channels - c);
}

/// kPixels outputs; `staged` is where the first of them begins. kWide: weights w of nine bits, as w >> 1 and w & 1.
template <class Isa, int kPixels, bool kWide>
OPENRKNN_INLINE void dot_pixels(const DepthwiseDot& d, const std::byte* staged, int64_t c, int8_t* out) {
  using V = Ints<Isa>;
  const Requantize& q = d.requantize;
  const V offset = load<V>(q.offset + c);
  V sums[kPixels], halves[kPixels];
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) {
    sums[p] = offset;
    halves[p] = V(0);
  }
  const std::byte* weights = d.weights + c * 4;
  const int64_t tap_step = d.dilation * d.pitch * 4, step = d.stride * d.pitch * 4;
  for (int64_t g = 0; g < d.groups; ++g) {
    const std::byte* from = staged + g * d.group_bytes;
    for (int64_t tap = 0; tap < d.taps; ++tap, weights += d.padded_channels * 4, from += tap_step) {
      const V weight = load<V>(weights);
      V half;
      if constexpr (kWide) {
        weights += d.padded_channels * 4;
        half = load<V>(weights);
      }
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p) {
        const V codes = load<V>(from + p * step);
        sums[p] = V(Isa::dot(sums[p].raw, weight.raw, codes.raw));
        if constexpr (kWide) halves[p] = V(Isa::dot(halves[p].raw, half.raw, codes.raw));
      }
    }
  }
  if constexpr (kWide) {
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) sums[p] = sums[p] + halves[p] + halves[p];
  }
  const int64_t count = d.channels - c;
  if constexpr (Isa::kCurves && kPixels == 8) {
    if (q.lookup && q.floats.channel) return curve_pixels<Isa>(d, sums, c, out);
  }
  if (!is_plain(q)) {
    for (int p = 0; p < kPixels; ++p) store_requantized<Isa>(q, sums[p], c, out + p * d.channels + c, count);
    return;
  }
  const FloatStage<Isa> stage(q.floats);
  const Floats<Isa> channel = load<Floats<Isa>>(q.floats.channel + c);
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) sums[p] = stage.template codes<false, true>(sums[p], channel);
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) store_codes<Isa>(out + p * d.channels + c, sums[p], count);
}

/// All pixels of a segment, for a vector of channels. The last block reaches back to pixels that are done already.
template <class Isa, int kPixels, bool kWide>
[[gnu::noinline]] void dot_segment(const DepthwiseDot& d, const std::byte* staged, int64_t c, int64_t pixels,
                                   int8_t* out) {
  for (int64_t p = 0; p < pixels; p += kPixels) {
    if (p + kPixels > pixels) p = pixels - kPixels;
    dot_pixels<Isa, kPixels, kWide>(d, staged + p * d.stride * d.pitch * 4, c, out + p * d.channels);
  }
}

template <class Isa, bool kWide>
void run_depthwise_dot(const DepthwiseDot& d) {
  constexpr int kLanes = Isa::kBytes / 4;
  for (int64_t block = 0; block < d.channels; block += d.pitch) {
    const int64_t end = d.channels - block < d.pitch ? d.channels : block + d.pitch;
    for (int64_t pixel = 0; pixel < d.out_width; pixel += d.segment) {
      const int64_t pixels = d.out_width - pixel < d.segment ? d.out_width - pixel : d.segment;
      stage_groups<Isa>(d, block, pixel * d.stride - d.pad, (pixels - 1) * d.stride + (d.taps - 1) * d.dilation + 1);
      for (int64_t c = block; c < end; c += kLanes) {
        const std::byte* staged = d.staging + (c - block) * 4;
        int8_t* out = d.out + pixel * d.channels;
        if (pixels >= 8)
          dot_segment<Isa, 8, kWide>(d, staged, c, pixels, out);
        else if (pixels >= 4)
          dot_segment<Isa, 4, kWide>(d, staged, c, pixels, out);
        else
          dot_segment<Isa, 1, kWide>(d, staged, c, pixels, out);
      }
    }
  }
}

template <class Isa>
void run_depthwise_dot(const DepthwiseDot& d) {
  return d.wide ? run_depthwise_dot<Isa, true>(d) : run_depthwise_dot<Isa, false>(d);
}

}  // namespace openrknn::fast
