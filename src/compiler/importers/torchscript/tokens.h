// The words of TorchScript's code, with indentation as Python counts it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/importers/torchscript/value.h"

namespace openrknn::torchscript {

struct Token {
  enum class Kind : uint8_t { Word, Number, Text, Sign, NewLine, Indent, Dedent, End };
  Kind kind = Kind::End;
  std::string text;
  Value number = {};
  int64_t line = 0;
};

/// Throws Error (ImportBadFile) with entry and line.
std::vector<Token> tokens_of(std::string_view text, const Location& where);

}  // namespace openrknn::torchscript
