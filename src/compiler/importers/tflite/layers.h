// One function an operator, and the table of them (docs/operators.md, TFLite). They speak of real numbers and of the
// source's dimensions; codes and layouts are the importer's and ImageLayout's.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/importers/nhwc_operators.h"
#include "compiler/importers/tflite/model.h"

namespace openrknn::tflite {

using Ints = std::vector<int64_t>;
using Results = std::vector<Placed>;  ///< one an output

/// A tensor of the file as far as it is known.
struct TensorState {
  std::optional<Tensor> content;  ///< of a constant, as the file stores it, or as it was unpacked
  Placed real;                    ///< the numbers
  Placed codes;                   ///< what they are stored as, where that is an input or output of the graph
  int32_t stored_as = kNoTensor;  ///< a constant that only unpacks another one (DEQUANTIZE, DENSIFY)
  bool failed = false;            ///< what gives it could not be translated
};

struct Network {
  LayerBuilder& builder;
  ImageLayout& layout;
  const SourceModel& model;
  std::vector<TensorState> states;  ///< by tensor
};

/// An operator while it is translated.
class Layer : public NhwcLayer {
 public:
  Layer(Network& network_at_work, const SourceOperator& source_operator, std::string_view type_name)
      : NhwcLayer(network_at_work.builder, network_at_work.layout, type_name),
        network(network_at_work),
        source(source_operator) {}
  Network& network;
  const SourceOperator& source;

  template <class Table>
  const Table* options() const {
    return options_of<Table>(network.model, source);
  }

  size_t inputs() const { return source.inputs.size(); }
  bool has(size_t i) const { return i < inputs() && source.inputs[i] != kNoTensor; }
  /// Throws Error for an input that is left out.
  const SourceTensor& input(size_t i) const;
  const SourceTensor& output(size_t i = 0) const;
  Shape shape(size_t i) const;
  int64_t rank(size_t i = 0) const { return static_cast<int64_t>(shape(i).size()); }

  /// Where the tensors and states have an input that is there: that of what it unpacks.
  size_t index(size_t i) const;
  /// The numbers of an input: of codes those they stand for.
  Placed real(size_t i) const;
  std::vector<Placed> all_real() const;
  ValueId in_source_form(size_t i) const { return layout().source(real(i)); }
  ValueId channels_first(size_t i) const;
  /// A constant input as the file stores it; none if it is computed.
  std::optional<Tensor> content(size_t i) const;
  /// Whole numbers of a constant input (sizes, axes, places). Throws Error if it is computed.
  Ints ints(size_t i, std::string_view what) const { return whole_numbers(content(i), what); }
  int64_t one_int(size_t i, std::string_view what) const { return whole_number(content(i), what); }
  /// A constant input with its dimensions in another order (and shape before that), as numbers.
  ValueId weights(size_t i, std::string_view part, const std::vector<int>& order) const;

  /// The activation that is part of many operators, by its number.
  ValueId activated(ValueId x, int activation) const;
  Placed activated(Placed x, int activation) const { return {activated(x.id, activation), x.form}; }

  void require_inputs(size_t least, size_t most) const;
  void require_rank(size_t i, int64_t least, int64_t most) const;
};

/// SAME is 0, VALID is 1. Begin and end.
std::pair<int64_t, int64_t> padding_of(const Layer&, int padding, int64_t size, Window);

struct LayerRow {
  int32_t code = 0;
  std::string_view name;
  Results (*translate)(const Layer&) = nullptr;
  std::string_view refused = {};  ///< why it is not read; empty: it is
};
/// All tables.
std::vector<LayerRow> layer_rows();
/// Of custom operators, by their own name.
std::span<const LayerRow> rows_of_custom();

std::span<const LayerRow> rows_of_products();      // products.cpp: convolutions and matrices
std::span<const LayerRow> rows_of_functions();     // functions.cpp: number by number
std::span<const LayerRow> rows_of_arithmetic();    // arithmetic.cpp: of several inputs
std::span<const LayerRow> rows_of_shapes();        // shapes.cpp: shapes and order
std::span<const LayerRow> rows_of_slices();        // slices.cpp: parts, joins, borders
std::span<const LayerRow> rows_of_lookups();       // lookups.cpp: by indices
std::span<const LayerRow> rows_of_reductions();    // reductions.cpp
std::span<const LayerRow> rows_of_sampling();      // sampling.cpp: pooling, sizes, blocks
std::span<const LayerRow> rows_of_recurrent();     // recurrent.cpp
std::span<const LayerRow> rows_of_quantization();  // quantization.cpp: what only changes the representation

}  // namespace openrknn::tflite
