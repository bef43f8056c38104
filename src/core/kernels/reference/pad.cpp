// Pad: constant, reflect, edge, wrap; negative pads crop. Copies elements of any dtype. Codes are padded with the code
// that stands for `value`: FixedPoint::low if lower() stored one, else the nearest code, half to even.
#include <cmath>

#include "core/kernels/reference/convert.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

/// Consecutive outputs along the last padded dimension that read consecutive inputs, or the fill value (source -1).
struct Segment {
  int64_t begin, count, source;
};

struct PadState {
  Body<PadState> body = nullptr;
  // Dimensions before the last padded one: which input index each output index reads, -1: outside.
  std::vector<std::vector<int64_t>> outer_sources;
  Shape outer_in;
  std::vector<Segment> segments;
  int64_t row_in = 0, row_out = 0, inner = 1;  // elements; inner: one step of the last padded dimension
  uint64_t fill = 0;                           // the bytes of the fill element
  Tiles tiles;                                 // rows
};

enum class Mode { Constant, Reflect, Edge, Wrap };

int64_t source_index(int64_t i, int64_t extent, Mode mode) {
  if (i >= 0 && i < extent) return i;
  if (extent == 0 || mode == Mode::Constant) return -1;
  if (mode == Mode::Edge) return i < 0 ? 0 : extent - 1;
  if (mode == Mode::Wrap) return (i % extent + extent) % extent;
  if (extent == 1) return 0;
  const int64_t period = 2 * (extent - 1), folded = (i % period + period) % period;
  return folded < extent ? folded : period - folded;
}

template <class T>
void run_pad_rows(const PadState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  const T fill = static_cast<T>(s.fill);
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    int64_t rest = row, source_row = 0, stride = 1;
    bool inside = true;
    for (size_t d = s.outer_sources.size(); d-- > 0;) {
      const std::vector<int64_t>& sources = s.outer_sources[d];
      const int64_t source = sources[static_cast<size_t>(rest % static_cast<int64_t>(sources.size()))];
      rest /= static_cast<int64_t>(sources.size());
      inside &= source >= 0;
      source_row += source * stride;
      stride *= s.outer_in[d];
    }
    T* to = y + row * s.row_out;
    if (!inside) {
      std::fill_n(to, s.row_out, fill);
      continue;
    }
    for (const Segment& segment : s.segments) {
      T* target = to + segment.begin * s.inner;
      if (segment.source < 0) {
        std::fill_n(target, segment.count * s.inner, fill);
      } else {
        std::memcpy(target, x + source_row * s.row_in + segment.source * s.inner,
                    static_cast<size_t>(segment.count * s.inner) * sizeof(T));
      }
    }
  }
}

uint64_t fill_bytes(const Call& call) {
  const Operand& y = call.outputs[0];
  double value = float_attribute(call.node.attributes, "value", 0.0);
  if (y.quant) {
    const double code = std::nearbyint(value / y.quant->scale[0]) + y.quant->zero_point[0];
    value = std::clamp(code, static_cast<double>(lowest_code(y.dtype)), static_cast<double>(highest_code(y.dtype)));
    if (call.node.fixed && !call.ideal) value = call.node.fixed->low;
  }
  uint64_t bytes = 0;
  visit(AllTypes{}, y.dtype, [&]<class T>(Tag<T>) {
    const T element = convert_number<T>(value);
    std::memcpy(&bytes, &element, sizeof element);
  });
  return bytes;
}

bool accepts_pad(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return same_dtype(x, y) && one_of(AllTypes{}, x.dtype) && same_quant(x, y) &&
         (!x.quant || (x.quant->scale.size() == 1 && one_of(Types<int8_t, uint8_t, int16_t, uint16_t>{}, x.dtype)));
}

Prepared prepare_pad(const Call& call, Weights&) {
  const Shape &in = call.inputs[0].shape, &out = call.outputs[0].shape;
  const std::vector<int64_t> pads = ints_attribute(call.node.attributes, "pads");
  const std::string name = string_attribute(call.node.attributes, "mode", "constant");
  const Mode mode = name == "reflect" ? Mode::Reflect
                    : name == "edge"  ? Mode::Edge
                    : name == "wrap"  ? Mode::Wrap
                                      : Mode::Constant;
  size_t last = in.size();  // one past the last padded dimension
  while (last > 0 && pads[last - 1] == 0 && pads[in.size() + last - 1] == 0) --last;
  PadState s;
  for (size_t d = last; d < in.size(); ++d) s.inner *= in[d];
  s.row_in = s.row_out = s.inner;
  if (last == 0) s.segments = {{0, 1, 0}};  // nothing padded: one row
  for (size_t d = 0; d < last; ++d) {
    std::vector<int64_t> sources(static_cast<size_t>(out[d]));
    for (int64_t o = 0; o < out[d]; ++o) sources[static_cast<size_t>(o)] = source_index(o - pads[d], in[d], mode);
    if (d + 1 < last) {
      s.outer_sources.push_back(std::move(sources));
      s.outer_in.push_back(in[d]);
      continue;
    }
    s.row_in *= in[d];
    s.row_out *= out[d];
    for (int64_t o = 0; o < out[d]; ++o) {
      const int64_t source = sources[static_cast<size_t>(o)];
      const Segment* before = s.segments.empty() ? nullptr : &s.segments.back();
      if (before &&
          (source < 0 ? before->source < 0 : before->source >= 0 && before->source + before->count == source)) {
        ++s.segments.back().count;
      } else {
        s.segments.push_back({o, 1, source});
      }
    }
  }
  s.fill = fill_bytes(call);
  visit_size(whole_bytes(call.outputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_pad_rows<T>; });
  s.tiles = tile_rows(s.row_out == 0 ? 0 : element_count(out) / s.row_out, s.row_out);
  return make_tiled(std::move(s));
}

constexpr Kernel kPadKernels[] = {{"Pad", "pad_reference", 0, accepts_pad, prepare_pad, run_body<PadState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_pad_kernels() { return reference::kPadKernels; }

}  // namespace openrknn
