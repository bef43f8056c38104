// Weights and geometry of quantized layers, which torch keeps in objects of their own.
#pragma once

#include <span>

#include "compiler/importers/torchscript/operators.h"
#include "compiler/importers/torchscript/python.h"

namespace openrknn::torchscript {

struct PackedWeights {
  TensorRef weight;  ///< of the archive, with its coding
  Value bias;
  Ints stride = {}, padding = {}, dilation = {}, output_padding = {};
  int64_t groups = 1;
  bool is_transposed = false;
};

/// From an object of the archive, or one that the functions below made. Throws Error.
PackedWeights packed_linear(const Call&, size_t argument);
PackedWeights packed_convolution(const Call&, size_t argument);

/// quantized::conv2d_prepack and the others, which modules call when they are loaded.
std::span<const PythonRow> python_packing();

}  // namespace openrknn::torchscript
