// The second operand of a product as the loops read it: panels of two vectors of columns, k by k.
#include <algorithm>
#include <cstring>

#include "core/kernels/fast/product.h"

namespace openrknn::fast {
namespace {

/// Column `column` of the panel, member `member` of a group of k.
int64_t place_in_panel(const Gemm& gemm, int64_t column, int64_t member) {
  const int64_t vector = column / gemm.lanes, lane = column % gemm.lanes;
  return vector * gemm.lanes * gemm.group +
         (gemm.interleaved ? lane * gemm.group + member : member * gemm.lanes + lane);
}

/// Names all that shapes the packed bytes.
std::string key_of(const Product& p, const ProductPart& part, const std::string& key) {
  const Gemm& gemm = *p.gemm;
  std::string text = key;
  for (const int64_t number : {p.groups, p.out_channels, static_cast<int64_t>(gemm.lanes),
                               static_cast<int64_t>(gemm.group), static_cast<int64_t>(gemm.weight_bytes)}) {
    text += ' ' + std::to_string(number);
  }
  text += std::string(gemm.interleaved ? " i" : " k") + (p.merged ? 'm' : 's');
  for (const int64_t tap : part.taps) text += ' ' + std::to_string(tap);
  return text;
}

}  // namespace

void pack_weights(Product& p, Weights& cache, const std::string& key, const WeightAt& weight) {
  const Gemm& gemm = *p.gemm;
  for (ProductPart& part : p.parts) {
    part.weights = cache.get(key_of(p, part, key), [&] {
      std::vector<std::byte> bytes(static_cast<size_t>(p.groups * p.panels() * p.panel_bytes(part) + 64));
      const int64_t width_taps = static_cast<int64_t>(part.width.offsets.size());
      const int64_t length = p.run_length(part), runs = p.runs(part), channels = p.group_channels();
      for (int64_t g = 0; g < p.groups; ++g) {
        for (int64_t column = 0; column < p.group_columns(); ++column) {
          const int64_t panel = column / p.panel_columns(), in_panel = column % p.panel_columns();
          const int64_t columns = p.group_columns() - panel * p.panel_columns();
          const int64_t step = (columns > gemm.lanes ? 2 : 1) * gemm.lanes * gemm.group;  // elements of one group of k
          const int64_t first = place_in_panel(gemm, in_panel, 0);
          const int64_t member_step = gemm.interleaved ? 1 : gemm.lanes;
          std::byte* base = bytes.data() + (g * p.panels() + panel) * p.panel_bytes(part);
          int64_t group_of_k = 0;
          for (int64_t run = 0; run < runs; ++run) {
            // Counted along, not divided: there are millions of weights.
            int64_t grid = p.merged ? run * width_taps : run, channel = 0, at = group_of_k * step + first, member = 0;
            for (int64_t k = 0; k < length; ++k) {
              const float value = weight(g, column, part.taps[static_cast<size_t>(grid)], channel);
              const int64_t element = at + member * member_step;
              if (++channel == channels) {
                channel = 0;
                ++grid;
              }
              if (++member == gemm.group) {
                member = 0;
                at += step;
              }
              const int code = static_cast<int>(value);
              if (gemm.weight_bytes == 4) reinterpret_cast<float*>(base)[element] = value;
              if (gemm.weight_bytes == 2) reinterpret_cast<int16_t*>(base)[element] = static_cast<int16_t>(code);
              if (gemm.weight_bytes == 1) reinterpret_cast<int8_t*>(base)[element] = static_cast<int8_t>(code);
            }
            group_of_k += (length + gemm.group - 1) / gemm.group;
          }
        }
      }
      return bytes;
    });
  }
}

void pack_computed(const Product& p, const ProductPart& part, const std::byte* b, int64_t first_panel, std::byte* to,
                   int32_t* offsets) {
  const int64_t depth = p.in_channels, n = p.out_channels, width = p.panel_columns();
  const int64_t bytes = bit_width(p.b) / 8, end = std::min(first_panel + part.tile_panels, p.panels());
  for (int64_t panel = first_panel; panel < end; ++panel, to += p.panel_bytes(part), offsets += width) {
    const int64_t columns = std::min(width, n - panel * width);
    const int64_t vectors = columns > p.gemm->lanes ? 2 : 1;
    const std::byte* from = b + panel * width * bytes;
    if (p.b == DType::Int8) {
      p.gemm->pack_codes(reinterpret_cast<const int8_t*>(from), n, depth, vectors, to, offsets);
      // The columns' sums become what they add to each output. Columns beyond the last hold anything: nobody reads
      // them.
      const int32_t* fixed = part.offset.data() + panel * width;
      for (int64_t c = 0; c < vectors * p.gemm->lanes; ++c) offsets[c] = fixed[c] - p.padding * offsets[c];
      continue;
    }
    float* out = reinterpret_cast<float*>(to);
    for (int64_t k = 0; k < depth; ++k, out += vectors * p.gemm->lanes, from += n * bytes) {
      if (p.b == DType::Float16) {
        p.loops->half_to_float(reinterpret_cast<const uint16_t*>(from), out, columns);
      } else {
        std::memcpy(out, from, static_cast<size_t>(columns) * sizeof(float));
      }
    }
  }
}

}  // namespace openrknn::fast
