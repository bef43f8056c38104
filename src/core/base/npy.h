// numpy's .npy files (format versions 1.0, 2.0, 3.0).
#pragma once

#include <filesystem>
#include <memory>

#include "core/base/file.h"
#include "core/base/tensor.h"

namespace openrknn {

/// Reads an array of float16/32/64, int/uint 8..64 or bool, little or big endian, C or Fortran order, into a dense
/// row-major tensor. Throws Error (BadNpy) naming the file for anything else, truncation or a header over 1 MiB.
Tensor read_npy(const std::filesystem::path&);
Tensor parse_npy(std::span<const std::byte>, const std::string& name);
/// What such a file holds, from its header; the data is not read, but must be there in full. Throws like read_npy.
struct NpyInfo {
  DType dtype;
  Shape shape;
};
NpyInfo inspect_npy(const std::filesystem::path&);
/// Version 1.0, C order. BFloat16 is written as uint16, 4-bit types as int8/uint8.
std::string to_npy(const Tensor&);
/// What stands before the elements in such a file; no 4-bit types.
std::string npy_header(DType, const Shape&);

}  // namespace openrknn
