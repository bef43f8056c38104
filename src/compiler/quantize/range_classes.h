// Which tensors share one scale and zero point, and which range each such class has (operators that only move or choose
// numbers tie their tensors together). A tensor that Int8 and Int16 nodes touch has a form in either type, each in a
// class of its own: members of a class are of one type.
#pragma once

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "compiler/quantize/quantize.h"

namespace openrknn {

/// The dtype a real value is stored in: that of its producer; a graph input is codes if a node reads it so, Int16 if
/// any reads it as Int16.
DType storage_of(const Graph& golden, const PrecisionMap&, ValueId);
/// What integer nodes compute in. Nodes of indices and shapes have Int32 and Int64.
inline bool computes_codes(const PrecisionMap& precision, NodeId id) {
  const auto row = precision.find(id);
  return row != precision.end() && is_code_type(row->second.dtype);
}

/// A Convert of the model's own that need not read its input in the type it gives.
bool reads_as_stored(const Graph& golden, NodeId);

/// Union-find over the forms in codes that values of the golden graph have.
class RangeClasses {
 public:
  /// Throws Error (QuantizeNoStatistics) listing every tensor calibration did not see.
  /// `given` must outlive it: what a model that comes quantized says of a tensor goes before what was seen, for the
  /// form of the type it says it of.
  /// With a pool ranges are searched in parallel.
  RangeClasses(const Graph& golden, const PrecisionMap&, const Calibration&, const RangeSpec&, const AskedRanges&,
               const GivenParameters& given = {}, ThreadPool* pool = nullptr);

  /// Parameters of the value's form in codes of this type.
  const QuantParams& params(ValueId, DType codes) const;
  /// How codes of this type are chosen.
  const RangeSpec& spec(DType codes) const { return codes == DType::Int16 ? wide_spec_ : narrow_spec_; }
  /// The input keeps parameters of its own and is converted to those of the node's output.
  bool requantized(NodeId node, size_t input) const { return requantized_.contains({node, input}); }

 private:
  struct Form {
    ValueId value;
    DType codes;
  };
  static size_t index_of(Form form) {
    return 2 * static_cast<size_t>(form.value) + (form.codes == DType::Int16 ? 1 : 0);
  }
  static Form form_of(size_t index) {
    return {ValueId{static_cast<int32_t>(index / 2)}, index % 2 == 1 ? DType::Int16 : DType::Int8};
  }
  void add_members(const GivenParameters&);
  void join_moves();
  void join_choices(NodeId);
  bool joins_given(Form output, Form input) const;
  void contribute_constants(NodeId);
  Statistics seen_in(const Tensor& constant);

  DType codes_of(NodeId id) const { return precision_.at(id).dtype; }
  size_t root(Form) const;
  void join(Form a, Form b);
  bool is_member(Form form) const { return member_[index_of(form)]; }
  bool adds_to_range(Form) const;
  /// A node of this type whose output has the parameters of its input.
  bool keeps_params(NodeId, DType codes) const;
  bool is_read_besides(Form, NodeId choice) const;
  double tolerated_width(Form, NodeId choice);
  std::optional<std::pair<double, double>> asked_range(size_t root) const;
  bool is_searched(const Statistics&) const;
  double chosen_width(const Statistics&, DType codes) const;
  double own_width(Form);
  void search_own_ranges(ThreadPool&);
  void choose_all(ThreadPool&);
  QuantParams chosen(size_t root) const;

  const Graph& golden_;
  const PrecisionMap& precision_;
  const AskedRanges& asked_;
  RangeSpec narrow_spec_, wide_spec_;
  std::vector<bool> member_;     // by form, like all that follows
  std::vector<Statistics> own_;  // what it contributes; natural range applied
  mutable std::vector<size_t> parent_;
  std::vector<std::optional<QuantParams>> own_params_;  // of own_, where they have been asked for
  std::vector<Statistics> range_;                       // by root
  std::vector<const QuantParams*> given_;               // by root; null: none
  std::vector<std::vector<Form>> list_;                 // by root
  std::set<std::pair<NodeId, size_t>> requantized_;
  std::unique_ptr<BucketCounter> counter_;                  // of constants
  mutable std::vector<std::optional<QuantParams>> params_;  // by root, once all classes stand
};

}  // namespace openrknn
