// One function an operator of torch, and the tables of them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/importers/torchscript/interpreter.h"

namespace openrknn::torchscript {

using Ints = std::vector<int64_t>;

/// An operator while it is translated: its arguments in the order of its row. Functions throw Error.
struct Call {
  Interpreter& run;
  std::string_view op;
  std::vector<Value> arguments;

  LayerBuilder& builder() const { return run.builder(); }

  // Arguments. None and what is not given are the same.
  const Value& at(size_t i) const;
  bool has(size_t i) const { return !at(i).is<None>(); }
  bool is_tensor(size_t i) const { return at(i).is<TensorRef>(); }
  /// A tensor; a number becomes a constant.
  ValueId tensor(size_t i) const { return tensor(at(i), i); }
  ValueId tensor(const Value&, size_t i) const;
  ValueId floating(size_t i) const { return cast(tensor(i), DType::Float32); }
  /// Of places and classes: Int64, whatever they come as.
  ValueId indices(size_t i) const { return cast(tensor(i), DType::Int64); }
  std::vector<ValueId> tensors(size_t i) const;
  int64_t integer(size_t i) const { return integer(at(i), i); }
  int64_t integer(const Value&, size_t i) const;
  int64_t integer(size_t i, int64_t otherwise) const { return has(i) ? integer(i) : otherwise; }
  double number(size_t i) const { return number(at(i), i); }
  double number(const Value&, size_t i) const;
  double number(size_t i, double otherwise) const { return has(i) ? number(i) : otherwise; }
  bool flag(size_t i, bool otherwise = false) const { return has(i) ? number(i) != 0 : otherwise; }
  std::string text(size_t i, std::string_view otherwise = "") const;
  /// One integer is a list of one.
  Ints ints(size_t i, const Ints& otherwise = {}) const;
  /// One number stands for all `count` of them, none for `otherwise`.
  Ints spread(size_t i, size_t count, int64_t otherwise) const;
  std::vector<double> numbers(size_t i) const;
  /// The numbers of a tensor that is known while the model is read. Throws Error (ImportNotConstant).
  Tensor known(size_t i) const;
  /// Extents that make a tensor. Throws Error for those that make none.
  Shape extents(size_t i) const { return checked(ints(i)); }
  Shape checked(Shape) const;

  const Shape& shape(ValueId x) const { return builder().shape(x); }
  int64_t rank(ValueId x) const { return static_cast<int64_t>(shape(x).size()); }
  int64_t extent(ValueId x, int64_t axis) const { return shape(x)[static_cast<size_t>(axis)]; }
  DType dtype(ValueId x) const { return builder().graph[x].dtype; }
  void require_rank(ValueId x, int64_t least, int64_t most) const;
  /// Counted from the front: 0..rank-1. A number has one dimension here, as for torch.
  int64_t axis(int64_t given, int64_t rank) const;
  int64_t axis_of(size_t i, ValueId x, int64_t otherwise) const { return axis(integer(i, otherwise), rank(x)); }
  /// Ascending; all if there are none.
  Ints axes_of(size_t i, ValueId x) const;

  ValueId add(std::string_view node, std::vector<ValueId> inputs, Attributes attributes = {}) const {
    return builder().add(node, std::move(inputs), std::move(attributes));
  }
  ValueId reshape(ValueId x, Shape to) const;
  ValueId transpose(ValueId x, Ints order) const;
  ValueId cast(ValueId x, DType to) const;
  /// start and end counted and clamped as Python does.
  ValueId slice(ValueId x, int64_t axis, int64_t start, int64_t end, int64_t step = 1) const;
  ValueId expand(ValueId x, const Shape& to) const;
  ValueId concat(std::vector<ValueId> parts, int64_t axis) const;
  /// An image without a batch as one of one, beside the layer's node; and back.
  ValueId with_batch(ValueId x) const;
  ValueId without_batch(ValueId x) const;
  /// What is not zero; bools as they are.
  ValueId as_bool(ValueId x) const;
  /// Of floats, without what is behind the point.
  ValueId truncated(ValueId x) const;
  ValueId constant(std::string_view part, Tensor content) const;
  ValueId scalar(double value, DType = DType::Float32) const;
  ValueId list_constant(std::string_view part, const Ints&) const;
  [[noreturn]] void refuse(std::string problem, std::string fix = {}) const;
};

/// The order that takes back a transposition.
Ints inverse(const Ints& order);

Value box(ValueId);
Value list_of(const std::vector<ValueId>&);
Value tuple_of(const std::vector<ValueId>&);

/// The node's function of one number, of floats; integers are cast.
template <const char* Node>
Value function_of_floats(const Call& call) {
  return box(call.add(Node, {call.floating(0)}));
}
/// Functions that are there for numbers and for codes.
inline constexpr char kHardSwish[] = "HardSwish", kSigmoid[] = "Sigmoid";

/// What torch computes in: the operands' highest kind (bool, integer, float), its width from tensors with dimensions,
/// else from those without, else from numbers.
DType result_type(const Call&, std::span<const Value> operands);
/// Operands i and j as tensors of one dtype.
std::pair<ValueId, ValueId> promoted(const Call&, size_t i, size_t j, bool to_float = false);

/// What an operator's result has to do with its first argument.
enum class View : uint8_t {
  None,     ///< numbers of its own
  Same,     ///< the argument's, in the same order: it is as dense as that
  Dense,    ///< the argument's if that is dense, else a copy (reshape, contiguous)
  Strided,  ///< the argument's in another order or not all of them
};

struct OperatorRow {
  std::string_view op;
  std::string_view parameters;  ///< names in order; later ones may be left out
  Value (*translate)(const Call&) = nullptr;
  View view = View::None;
  /// The base with the part that was written: of result number `index`. Null: writing to it is refused.
  ValueId (*put)(const Call&, ValueId base, ValueId part, size_t index) = nullptr;
  std::string_view refused = {};  ///< why it is not read; empty: it is
  /// It says itself how its result is coded. Else what reads a quantized tensor gives one of the same parameters.
  bool has_own_codes = false;
};
/// By "aten::conv2d"; null if there is none.
const OperatorRow* find_operator(std::string_view name);
std::vector<OperatorRow> operator_rows();

std::span<const OperatorRow> rows_of_arithmetic();
std::span<const OperatorRow> rows_of_comparison();
std::span<const OperatorRow> rows_of_functions();
std::span<const OperatorRow> rows_of_activations();
std::span<const OperatorRow> rows_of_convolution();
std::span<const OperatorRow> rows_of_pooling();
std::span<const OperatorRow> rows_of_sampling();
std::span<const OperatorRow> rows_of_products();
std::span<const OperatorRow> rows_of_attention();
std::span<const OperatorRow> rows_of_normalization();
std::span<const OperatorRow> rows_of_shapes();
std::span<const OperatorRow> rows_of_parts();
std::span<const OperatorRow> rows_of_indexing();
std::span<const OperatorRow> rows_of_reduction();
std::span<const OperatorRow> rows_of_sources();
std::span<const OperatorRow> rows_of_recurrent();
std::span<const OperatorRow> rows_of_quantized();

// What quantized operators need of others.
/// Numbers coded by these parameters: a pair of QuantizeLinear and DequantizeLinear, whose result is marked as such.
/// The numbers of a tensor of the archive that is coded.
ValueId numbers_of_codes(const Call&, const TensorBox&);
Value coded(const Call&, ValueId numbers, const Coding&);
ValueId coded_numbers(const Call&, ValueId numbers, const Coding&);
/// How an operator codes its result that reads numbers coded thus.
Coding coding_after(std::string_view op, const Coding& before);

/// Python's function of this name, which needs no node (python.h). Null if the name is none for these arguments.
using PythonFunction = Value (*)(Interpreter&, const std::vector<Value>&);
PythonFunction find_python_function(std::string_view name, std::span<const Value> arguments);

}  // namespace openrknn::torchscript
