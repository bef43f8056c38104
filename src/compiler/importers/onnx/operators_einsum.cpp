#include "compiler/importers/einsum.h"
#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

class Here final : public EinsumGraph {
 public:
  explicit Here(Translation& translation) : t_(translation) {}
  ValueId emit(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) override {
    return t_.emit(op, std::move(inputs), std::move(attributes));
  }
  Shape shape_of(ValueId id) const override { return t_.shape_of(id); }
  DType dtype_of(ValueId id) const override { return t_.dtype_of(id); }
  [[noreturn]] void fail(std::string problem) const override { t_.fail(Code::ImportShapeMismatch, std::move(problem)); }

 private:
  Translation& t_;
};

void einsum_operator(Translation& t) {
  Here here(t);
  std::vector<ValueId> operands;
  for (size_t i = 0; i < t.input_count(); ++i) operands.push_back(t.input(i));
  t.forward(einsum(here, t.text("equation", ""), operands));
}

constexpr OperatorRow kEinsumRows[] = {{"Einsum", 12, 28, einsum_operator}};

}  // namespace

std::span<const OperatorRow> einsum_operators() { return kEinsumRows; }

}  // namespace openrknn::onnx
