// What needs no node: Python's numbers, lists and texts, and questions about tensors.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "compiler/importers/torchscript/interpreter.h"

namespace openrknn::torchscript {

/// Which calls of a name are meant, as torch has operators of the same names.
enum class When : uint8_t {
  Plain,  ///< no argument is a tensor
  Always,
  Holder,  ///< the first argument is a list, a tuple, a dict or a text
};
struct PythonRow {
  std::string_view name;
  Value (*function)(Interpreter&, const std::vector<Value>&) = nullptr;
  When when = When::Plain;
};
std::span<const PythonRow> python_numbers();
std::span<const PythonRow> python_lists();
std::span<const PythonRow> python_questions();

/// Of a bool, an integer, or a tensor of one number that is known. Throws Error.
int64_t integer_of(Interpreter&, const Value&);
double number_of(Interpreter&, const Value&);

}  // namespace openrknn::torchscript
