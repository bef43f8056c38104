// One function a layer type, and the table of them (docs/operators.md, Caffe).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/importers/caffe/blobs.h"
#include "compiler/importers/caffe/net.h"
#include "compiler/importers/layer_builder.h"

namespace openrknn::caffe {

using Ints = std::vector<int64_t>;

/// Layers whose weights the file does not have, told together.
struct MissingWeights {
  std::vector<std::string> layers;
  void add(const std::string& layer) {
    if (layers.empty() || layers.back() != layer) layers.push_back(layer);
  }
};

/// A layer while it is translated.
struct Layer {
  LayerBuilder& builder;
  const NetLayer& source;
  const Blobs& blobs;
  MissingWeights& missing;
  std::vector<ValueId> inputs;  ///< its bottoms

  const Message& options(std::string_view message) const { return source.options.message(message); }
  const Shape& shape(size_t input = 0) const { return builder.shape(inputs[input]); }
  int64_t rank() const { return static_cast<int64_t>(shape().size()); }
  ValueId add(std::string_view op, std::vector<ValueId> operands, Attributes attributes = {}) const {
    return builder.add(op, std::move(operands), std::move(attributes));
  }
  ValueId reshape(ValueId x, Shape shape) const { return add("Reshape", {x}, {{"shape", std::move(shape)}}); }
  ValueId scalar(std::string_view part, double number) const {
    return builder.scalar(part, static_cast<float>(number));
  }

  /// The n-th blob of the layer in this shape, whatever shape the file gives it, its numbers times a factor. Without
  /// content if the file has none of the layer. Throws Error (ImportShapeMismatch) for another number of elements.
  ValueId weights(size_t n, std::string_view part, Shape, float factor = 1) const;
  /// The one number of the n-th blob; 1 if the file has none.
  float number(size_t n, std::string_view part) const;
  /// 0..rank-1 (or ..rank, where the end is meant); negative ones count from the end. Throws Error.
  int64_t axis(int64_t given, std::string_view field, bool end_is_meant = false) const;
  void require_inputs(size_t least, size_t most) const;
  void require_four_dimensions(size_t input = 0) const;
  [[noreturn]] void refuse(std::string problem, std::string fix = {}) const;
};

/// Sizes beyond any net; they keep products within 63 bits.
inline constexpr int64_t kMostExtent = 1 << 20;

using Results = std::vector<ValueId>;  ///< one a top
struct LayerRow {
  std::string_view type;
  Results (*translate)(const Layer&) = nullptr;
  std::string_view refused = {};  ///< why it is not read; empty: it is
};
/// All tables, sorted within each.
std::vector<LayerRow> layer_rows();

std::span<const LayerRow> rows_of_products();       // products.cpp: convolutions and matrices
std::span<const LayerRow> rows_of_functions();      // functions.cpp: number by number
std::span<const LayerRow> rows_of_arithmetic();     // arithmetic.cpp: of several inputs, learned factors
std::span<const LayerRow> rows_of_normalization();  // normalization.cpp
std::span<const LayerRow> rows_of_movement();       // movement.cpp: shapes and order
std::span<const LayerRow> rows_of_sampling();       // sampling.cpp: pooling and sizes
std::span<const LayerRow> rows_of_detection();      // detection.cpp: SSD
std::span<const LayerRow> rows_of_detection_output();
std::span<const LayerRow> rows_of_recurrent();  // recurrent.cpp

}  // namespace openrknn::caffe
