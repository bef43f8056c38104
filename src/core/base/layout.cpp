#include "core/base/layout.h"

#include <cstring>
#include <numeric>

namespace openrknn {
namespace {

// A dimension of the copy: its extent and how far one step goes in input and output, in elements.
struct Axis {
  int64_t extent, in_stride, out_stride;
};

template <class T>
void copy_plane(const T* in, T* out, const Axis& rows, const Axis& columns) {
  // Blocks keep both sides in cache when one of them is walked across its lines.
  constexpr int64_t kBlock = 32;
  for (int64_t r0 = 0; r0 < rows.extent; r0 += kBlock) {
    const int64_t r1 = r0 + kBlock < rows.extent ? r0 + kBlock : rows.extent;
    for (int64_t c0 = 0; c0 < columns.extent; c0 += kBlock) {
      const int64_t c1 = c0 + kBlock < columns.extent ? c0 + kBlock : columns.extent;
      for (int64_t r = r0; r < r1; ++r) {
        const T* source = in + r * rows.in_stride;
        T* target = out + r * rows.out_stride;
        for (int64_t c = c0; c < c1; ++c) target[c * columns.out_stride] = source[c * columns.in_stride];
      }
    }
  }
}

// Copies `axes` (outermost first); the last two form planes.
template <class T>
void copy_strided(const T* in, T* out, std::vector<Axis> axes) {
  while (axes.size() < 2) axes.insert(axes.begin(), Axis{1, 0, 0});
  const Axis columns = axes.back();
  const Axis rows = axes[axes.size() - 2];
  axes.resize(axes.size() - 2);
  std::vector<int64_t> index(axes.size(), 0);
  for (;;) {
    if (columns.in_stride == 1 && columns.out_stride == 1) {
      for (int64_t r = 0; r < rows.extent; ++r) {
        std::memcpy(out + r * rows.out_stride, in + r * rows.in_stride,
                    static_cast<size_t>(columns.extent) * sizeof(T));
      }
    } else {
      copy_plane(in, out, rows, columns);
    }
    size_t d = axes.size();
    while (d-- > 0) {
      in += axes[d].in_stride;
      out += axes[d].out_stride;
      if (++index[d] < axes[d].extent) break;
      in -= axes[d].in_stride * axes[d].extent;
      out -= axes[d].out_stride * axes[d].extent;
      index[d] = 0;
    }
    if (d == static_cast<size_t>(-1)) return;
  }
}

struct Bytes16 {
  uint64_t low, high;
};

}  // namespace

std::vector<int> physical_order(Layout layout, int64_t rank) {
  std::vector<int> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  if (layout == Layout::ChannelsLast && rank >= 3) {
    order.erase(order.begin() + 1);
    order.push_back(1);
  }
  return order;
}

Shape physical_shape(const Shape& logical, Layout layout) {
  return permute(logical, physical_order(layout, static_cast<int64_t>(logical.size())));
}

CubeLayout cube_layout(int64_t n, int64_t c, int64_t h, int64_t w, int64_t c1, int64_t c2) {
  return {.n = n,
          .c = c,
          .h = h,
          .w = w,
          .c1 = c1,
          .c2 = c2,
          .line_stride = w * c2,
          .surface_stride = h * w * c2,
          .batch_stride = c1 * h * w * c2};
}

void copy_permuted(std::span<const std::byte> in, const Shape& in_shape, const std::vector<int>& order,
                   int64_t element_bytes, std::span<std::byte> out) {
  const Shape in_strides = strides_of(in_shape);
  std::vector<Axis> axes;
  const Shape out_shape = permute(in_shape, order);
  const Shape out_strides = strides_of(out_shape);
  for (size_t i = 0; i < order.size(); ++i) {
    if (out_shape[i] == 0) return;
    if (out_shape[i] == 1) continue;
    const int64_t in_stride = in_strides[static_cast<size_t>(order[i])];
    // Dimensions that stay neighbours are one dimension.
    if (!axes.empty() && axes.back().in_stride == in_stride * out_shape[i]) {
      axes.back() = {axes.back().extent * out_shape[i], in_stride, out_strides[i]};
    } else {
      axes.push_back({out_shape[i], in_stride, out_strides[i]});
    }
  }
  // The input's fastest dimension becomes the rows of the plane, so that a transpose walks two fast dimensions.
  if (axes.size() >= 2 && axes.back().in_stride != 1) {
    for (size_t i = 0; i + 1 < axes.size(); ++i) {
      if (axes[i].in_stride == 1) {
        std::swap(axes[i], axes[axes.size() - 2]);
        break;
      }
    }
  }
  const auto copy = [&]<class T>(T) {
    copy_strided(reinterpret_cast<const T*>(in.data()), reinterpret_cast<T*>(out.data()), axes);
  };
  switch (element_bytes) {
    case 1:
      return copy(uint8_t{});
    case 2:
      return copy(uint16_t{});
    case 4:
      return copy(uint32_t{});
    case 8:
      return copy(uint64_t{});
    case 16:
      return copy(Bytes16{});
    default: {
      // Any other size: treat the element as a last dimension of bytes.
      for (Axis& axis : axes) axis = {axis.extent, axis.in_stride * element_bytes, axis.out_stride * element_bytes};
      axes.push_back({element_bytes, 1, 1});
      copy(uint8_t{});
    }
  }
}

void nchw_to_cube(const std::byte* in, const CubeLayout& cube, int64_t element_bytes, const std::byte* fill,
                  std::byte* out) {
  for (int64_t n = 0; n < cube.n; ++n) {
    for (int64_t c = 0; c < cube.c1 * cube.c2; ++c) {
      std::byte* target =
          out + (n * cube.batch_stride + c / cube.c2 * cube.surface_stride + c % cube.c2) * element_bytes;
      for (int64_t y = 0; y < cube.h; ++y) {
        for (int64_t x = 0; x < cube.w; ++x) {
          const std::byte* source =
              c < cube.c ? in + (((n * cube.c + c) * cube.h + y) * cube.w + x) * element_bytes : fill;
          std::memcpy(target + (y * cube.line_stride + x * cube.c2) * element_bytes, source,
                      static_cast<size_t>(element_bytes));
        }
      }
    }
  }
}

void cube_to_nchw(const std::byte* in, const CubeLayout& cube, int64_t element_bytes, std::byte* out) {
  for (int64_t n = 0; n < cube.n; ++n) {
    for (int64_t c = 0; c < cube.c; ++c) {
      const std::byte* source =
          in + (n * cube.batch_stride + c / cube.c2 * cube.surface_stride + c % cube.c2) * element_bytes;
      std::byte* target = out + (n * cube.c + c) * cube.h * cube.w * element_bytes;
      for (int64_t y = 0; y < cube.h; ++y) {
        for (int64_t x = 0; x < cube.w; ++x) {
          std::memcpy(target + (y * cube.w + x) * element_bytes,
                      source + (y * cube.line_stride + x * cube.c2) * element_bytes,
                      static_cast<size_t>(element_bytes));
        }
      }
    }
  }
}

}  // namespace openrknn
