// Words of the graph's text form (docs/graph_text.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace openrknn {

struct TextToken {
  enum Kind : uint8_t {
    Word,    ///< keyword, op, number or bare name
    String,  ///< "…", escapes resolved
    Value,   ///< %name or %"…", without the %
    Symbol,  ///< one of ( ) [ ] { } , = : ? @
    End,
  };
  Kind kind = End;
  std::string text;
  int64_t line = 0;
};

/// Throws Error (GraphTextSyntax) with the line.
std::vector<TextToken> split_text(std::string_view);

/// True if the name can be written without quotes.
bool is_bare_name(std::string_view);
/// The name as it stands in the text: bare if possible, else quoted.
std::string quote_name(std::string_view);
std::string quote_string(std::string_view);

}  // namespace openrknn
