// Which tensors share one scale and zero point, and which range each such class has (operators that only move or choose
// numbers tie their tensors together).
#pragma once

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "compiler/quantize/quantize.h"

namespace openrknn {

/// The dtype a real value is stored in: that of its producer; a graph input is codes if a node reads it so.
DType storage_of(const Graph& golden, const PrecisionMap&, ValueId);
/// What integer nodes compute in. Nodes of indices and shapes have Int32 and Int64.
inline bool is_code_type(DType dtype) { return dtype == DType::Int8 || dtype == DType::Int16; }
inline bool computes_codes(const PrecisionMap& precision, NodeId id) {
  const auto row = precision.find(id);
  return row != precision.end() && is_code_type(row->second.dtype);
}

/// Union-find over the values of the golden graph that have a form in codes.
class RangeClasses {
 public:
  /// Throws Error (QuantizeNoStatistics) listing every tensor calibration did not see.
  /// `given` must outlive it: what a model that comes quantized says of its tensors goes before what was seen.
  RangeClasses(const Graph& golden, const PrecisionMap&, const Calibration&, const RangeSpec&,
               const GivenParameters& given = {});

  /// Parameters of the value's form in codes.
  const QuantParams& params(ValueId) const;
  /// The input keeps parameters of its own and is converted to those of the node's output.
  bool requantized(NodeId node, size_t input) const { return requantized_.contains({node, input}); }

 private:
  void add_members();
  void join_moves();
  void join_choices(NodeId);
  bool joins_given(ValueId output, ValueId input) const;
  void contribute_constants(NodeId);
  Statistics seen_in(const Tensor& constant);

  size_t root(ValueId) const;
  void join(ValueId a, ValueId b);
  bool is_member(ValueId id) const { return member_[static_cast<size_t>(id)]; }
  bool adds_to_range(ValueId) const;
  bool keeps_params(NodeId) const;  // an integer node whose output has the parameters of its input
  double tolerated_width(ValueId, NodeId choice) const;
  double chosen_width(const Statistics&) const;

  const Graph& golden_;
  const PrecisionMap& precision_;
  const RangeSpec& spec_;
  std::vector<bool> member_;
  std::vector<Statistics> own_;  // by value: what it contributes; natural range applied
  mutable std::vector<size_t> parent_;
  mutable std::vector<std::optional<double>> own_width_;
  std::vector<Statistics> range_;           // by root
  std::vector<const QuantParams*> given_;   // by root; null: none
  std::vector<std::vector<ValueId>> list_;  // by root
  std::set<std::pair<NodeId, size_t>> requantized_;
  std::unique_ptr<BucketCounter> counter_;                  // of constants
  mutable std::vector<std::optional<QuantParams>> params_;  // by root, once all classes stand
};

}  // namespace openrknn
