// The coded weights of a build's layers. With a pool they are searched in parallel, before anybody asks for them; what
// is found depends on the layer alone.
#pragma once

#include "compiler/quantize/constants.h"
#include "compiler/quantize/range_classes.h"

namespace openrknn {

/// Weights that a float16 layer keeps as codes.
struct HalfLayer {
  Coded weights;
  int64_t overflowing = 0;  ///< of the numbers they stand for, in float16
  double worst = 0;
  bool is_worth_coding = false;
};

class LayerWeights {
 public:
  /// What it is given must outlive it.
  LayerWeights(const Graph& golden, const PrecisionMap&, const QuantizeOptions&);
  /// Of all layers whose weights the model does not give.
  void search(const RangeClasses&, const GivenParameters&, ThreadPool&);

  /// Of a layer on codes; once for each.
  CodedLayer take(NodeId, double input_scale);
  /// A weight-only build's layer that a rule asks to be float16 keeps its weights so as well.
  bool may_code_half(NodeId id) const { return options_.coded_weights && !precision_.at(id).asked; }
  HalfLayer take_half(NodeId);

 private:
  CodedLayer integer_layer(NodeId, double input_scale) const;
  HalfLayer half_layer(NodeId) const;
  bool is_worth_coding(const Tensor& real, const Coded&) const;

  const Graph& golden_;
  const PrecisionMap& precision_;
  const QuantizeOptions& options_;
  std::map<std::pair<NodeId, double>, CodedLayer> layers_;  // by input scale
  std::map<NodeId, HalfLayer> halves_;
};

}  // namespace openrknn
