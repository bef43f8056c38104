// One function an operator, and the table of them (docs/operators.md, TensorFlow). Tensors are NHWC where the operator
// says so.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/importers/nhwc_operators.h"
#include "compiler/importers/tensorflow/graph_def.h"

namespace openrknn::tensorflow {

using Ints = std::vector<int64_t>;
using Results = std::vector<Placed>;  ///< one an output; those behind the last are none that anything may read

/// Numbers drawn anew in each run: what is known of them is where they lie. Dropout compares them with a probability.
struct Random {
  double least = 0, most = 1;  ///< least <= x < most
};

struct Network {
  LayerBuilder& builder;
  ImageLayout& layout;
  const SourceGraph& source;
  std::map<ValueId, Random> random;
};

class Layer : public NhwcLayer {
 public:
  Layer(Network& network_at_work, const SourceNode& source_node, std::vector<Placed> operands)
      : NhwcLayer(network_at_work.builder, network_at_work.layout, source_node.op),
        network(network_at_work),
        node(source_node),
        inputs(std::move(operands)) {}
  Network& network;
  const SourceNode& node;
  std::vector<Placed> inputs;

  Placed input(size_t i) const;
  Shape shape(size_t i = 0) const { return shape_of(input(i)); }
  int64_t rank(size_t i = 0) const { return static_cast<int64_t>(shape(i).size()); }
  ValueId in_source_form(size_t i = 0) const { return layout().source(input(i)); }
  DType dtype(size_t i = 0) const { return builder().graph[input(i).id].dtype; }

  bool is_nchw() const { return node.text("data_format", "NHWC") == "NCHW"; }
  /// The input as [N, C, H, W], and what is one as the source has it.
  ValueId image(size_t i = 0) const;
  Placed as_image(ValueId y) const { return {y, is_nchw() ? ImageForm::Source : ImageForm::ChannelsFirst}; }
  /// Two numbers of an attribute that has one a dimension: of height and width.
  std::pair<int64_t, int64_t> spatial(std::string_view key, int64_t fallback) const;
  std::pair<int64_t, int64_t> spatial(const Ints& all, std::string_view key) const;

  /// Content of an input that is known, in the source's order.
  std::optional<Tensor> content(size_t i) const;
  Ints ints(size_t i, std::string_view what) const { return whole_numbers(content(i), what); }
  int64_t one_int(size_t i, std::string_view what) const { return whole_number(content(i), what); }
  ValueId weights(size_t i, std::string_view part, const std::vector<int>& order) const;

  void require_inputs(size_t least, size_t most) const;
};

struct LayerRow {
  std::string_view op;
  Results (*translate)(const Layer&) = nullptr;
  std::string_view refused = {};  ///< why it is not read; empty: it is
};
std::vector<LayerRow> layer_rows();

std::span<const LayerRow> rows_of_products();      // products.cpp: convolutions, matrices, pooling
std::span<const LayerRow> rows_of_functions();     // functions.cpp: number by number
std::span<const LayerRow> rows_of_arithmetic();    // arithmetic.cpp: of several inputs
std::span<const LayerRow> rows_of_shapes();        // shapes.cpp: shapes, order, parts
std::span<const LayerRow> rows_of_lookups();       // lookups.cpp: elements by indices
std::span<const LayerRow> rows_of_reductions();    // reductions.cpp
std::span<const LayerRow> rows_of_quantization();  // quantization.cpp: FakeQuant

}  // namespace openrknn::tensorflow
