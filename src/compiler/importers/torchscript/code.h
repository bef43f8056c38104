// TorchScript's serialized code: a small part of Python's grammar, as trees.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/importers/torchscript/value.h"

namespace openrknn::torchscript {

struct Expression {
  enum class Kind : uint8_t { Literal, Name, Attribute, Call, Subscript, Slice, List, Tuple, Dict, Ternary };
  Kind kind = Kind::Literal;
  Value literal = {};
  std::string text = {};  ///< the name, or that of the attribute
  /// Attribute: of what. Call: callee, arguments. Subscript: of what, index. Slice: begin, end. Dict: key, value, ….
  /// Ternary: value, condition, other value.
  std::vector<Expression> children = {};
  std::vector<std::string> keywords = {};  ///< Call: one an argument, empty for positional ones
  int64_t line = 0;
};

struct Statement {
  enum class Kind : uint8_t { Assign, Evaluate, If, While, For, With, Return, Pass };
  Kind kind = Kind::Pass;
  std::vector<Expression> targets = {};  ///< several: what is assigned is unpacked
  bool unpacks = false;
  Expression value = {};  ///< assigned, evaluated, the condition, the loop's sequence, returned
  std::vector<Statement> body = {}, otherwise = {};
  int64_t line = 0;
};

struct Parameter {
  std::string name;
  Expression type;
  bool has_default = false;
  Expression value = {};
};
struct Function {
  std::string name, entry;
  std::vector<Parameter> parameters;
  std::vector<Statement> body;
  int64_t line = 0;
};
struct Class {
  std::string name, base;
  std::vector<std::string> fields;  ///< annotated names in order
  std::vector<Statement> constants;
  std::vector<Function> methods;
};
struct Program {
  std::vector<Function> functions;
  std::vector<Class> classes;
};

/// Throws Error (ImportBadFile) with entry and line.
Program parse_code(std::string_view text, const std::string& file, const std::string& entry);
/// "Optional[Tensor]"
std::string type_text(const Expression&);

}  // namespace openrknn::torchscript
