// What an operator function sees: one ONNX node, the values it reads, and the graph it writes into.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/importers/onnx/builder.h"

namespace openrknn::onnx {

class Translation {
 public:
  Translation(Builder&, Scope&, const NodeProto&, std::string node_name, int32_t origin);

  std::string_view op() const { return node_.op; }
  int64_t opset() const { return opset_; }

  // Inputs. Indices are those of the ONNX node; a left-out optional input has has() == false.
  size_t input_count() const { return node_.inputs.size(); }
  bool has(size_t input) const;
  ValueId input(size_t) const;           ///< throws if it is left out
  std::vector<ValueId> inputs() const;   ///< all, none left out
  ValueId optional_input(size_t) const;  ///< None if left out
  const Shape& shape(size_t input) const { return shape_of(this->input(input)); }
  DType dtype(size_t input) const { return dtype_of(this->input(input)); }
  int64_t rank(size_t input) const { return static_cast<int64_t>(open_shape(input).size()); }
  /// Refuses extents that depend on data: what is worked out from a shape while importing needs all of it.
  const Shape& shape_of(ValueId) const;
  /// -1 where the extent depends on data.
  const Shape& open_shape_of(ValueId) const;
  const Shape& open_shape(size_t input) const { return open_shape_of(this->input(input)); }
  DType dtype_of(ValueId) const;
  /// Content, if it is known while importing; else null.
  const Tensor* constant(ValueId) const;
  const Tensor* constant(size_t input) const { return constant(this->input(input)); }
  /// Content that must be known. Throws Error (ImportNotConstant) saying what computes it at run time.
  const Tensor& known(size_t input, std::string_view meaning) const;
  std::vector<int64_t> known_ints(size_t input, std::string_view meaning) const;
  std::vector<double> known_doubles(size_t input, std::string_view meaning) const;
  int64_t known_int(size_t input, std::string_view meaning) const;

  // Attributes, function arguments resolved. Throw Error (ImportUnsupportedAttribute) if of another type.
  bool has_attribute(std::string_view name) const;
  int64_t integer(std::string_view name, int64_t fallback) const;
  int64_t required_integer(std::string_view name) const;
  double real(std::string_view name, double fallback) const;
  std::string text(std::string_view name, std::string_view fallback) const;
  std::vector<int64_t> integers(std::string_view name) const;  ///< empty if absent
  std::vector<double> reals(std::string_view name) const;
  const AttributeProto* attribute(std::string_view name, AttributeKind) const;
  const AttributeProto* any_attribute(std::string_view name) const;
  Tensor tensor(const AttributeProto&) const;
  /// 0..rank-1, or an error naming the attribute.
  int64_t axis(int64_t value, int64_t rank, std::string_view name = "axis") const;
  std::vector<int64_t> axes(std::vector<int64_t> values, int64_t rank) const;  ///< normalised, sorted, distinct

  // Outputs.
  size_t output_count() const { return node_.outputs.size(); }
  bool output_used(size_t) const;  ///< somebody reads it, or it is an output of the graph

  // Writing. emit() gives an intermediate value, the others the node's own outputs.
  ValueId emit(std::string_view op, std::vector<ValueId> inputs, Attributes = {});
  /// As emit(), for operators with several outputs: intermediates for those that somebody reads, None for the others.
  std::vector<ValueId> emit_many(std::string_view op, std::vector<ValueId> inputs, Attributes, size_t count);
  ValueId add_constant(Tensor, std::string_view what);
  ValueId scalar(double value, DType);  ///< a constant of shape []
  void produce(std::string_view op, std::vector<ValueId> inputs, Attributes = {});
  void forward(ValueId, size_t output = 0);
  void produce_constant(Tensor, size_t output = 0);
  /// `element` in every place of `shape`: a constant if that is small, else an Expand.
  void produce_filled(const Tensor& element, const Shape& shape, size_t output = 0);

  // Frequent intermediates; they give back `value` itself when there is nothing to do.
  ValueId reshape(ValueId, Shape);
  ValueId transpose(ValueId, std::vector<int64_t> order);
  ValueId cast(ValueId, DType);
  /// Reshape to the input's dimensions named, in that order; kOne stands for an extent of 1.
  void produce_rearranged(ValueId, const std::vector<int64_t>& dimensions);
  static constexpr int64_t kOne = -1;
  ValueId list(const std::vector<int64_t>& values, std::string_view what);  ///< a constant 1-D tensor
  /// The last step of a translation that only changes the shape.
  void produce_reshaped(ValueId, Shape);

  [[noreturn]] void fail(Code, std::string problem, std::string fix = {}) const;
  /// "attribute" with a value this importer has no translation for.
  [[noreturn]] void unsupported(std::string problem, std::string fix = {}) const {
    fail(Code::ImportUnsupportedAttribute, std::move(problem), std::move(fix));
  }

  Builder& builder() { return builder_; }
  Scope& scope() { return scope_; }
  const NodeProto& node() const { return node_; }
  int32_t origin() const { return origin_; }

 private:
  std::vector<ValueId> output_targets(std::string_view op);

  Builder& builder_;
  Scope& scope_;
  const NodeProto& node_;
  std::string name_;
  int32_t origin_;
  int64_t opset_;
  std::vector<ValueId> inputs_;
};

}  // namespace openrknn::onnx
