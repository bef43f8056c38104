// Diagnostics: what is wrong, where, and how to mend it. One exception type carries them.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace openrknn {

/// Stable diagnostic numbers (E0103). The table is core/base/diagnostic_codes.inc; numbers are never reused.
enum class Code : uint16_t {
#define OPENRKNN_CODE(number, identifier, slug) identifier = number,
#include "core/base/diagnostic_codes.inc"
#undef OPENRKNN_CODE
};
struct CodeInfo {
  Code code;
  std::string_view identifier;  ///< ImportUnsupportedOp
  std::string_view slug;        ///< import.unsupported-op
};
const std::vector<CodeInfo>& all_codes();
/// "E0103 import.unsupported-op"
std::string to_string(Code);

enum class Severity : uint8_t { Error, Warning, Note };

struct Location {
  std::string file, node, tensor;
  int64_t line = 0;
};

/// where: problem (what is wrong, got X, expected Y); fix (how to mend it, may be empty).
struct Diagnostic {
  Code code;
  Severity severity = Severity::Error;
  Location where;
  std::string problem, fix;
};
/// "dataset.txt:3: E0301 dataset.file-missing: no such file 'a.jpg'; paths are relative to the dataset file"
std::string to_string(const Diagnostic&);

struct Error : std::runtime_error {
  explicit Error(std::vector<Diagnostic>);
  std::vector<Diagnostic> diagnostics;  ///< at least one
  Code code() const { return diagnostics.front().code; }
};

/// Write the location as Location{.file = …}: bare braces are ambiguous.
[[noreturn]] void fail(Code, Location where, std::string problem, std::string fix = {});
[[noreturn]] void fail(Code, std::string problem, std::string fix = {});

/// Collects the problems of one input so that they are reported together.
class Diagnostics {
 public:
  void add(Diagnostic);
  void add(Code, Location, std::string problem, std::string fix = {});
  bool empty() const { return list_.empty(); }
  void throw_if_any();  ///< throws Error with everything collected
  const std::vector<Diagnostic>& list() const { return list_; }

 private:
  std::vector<Diagnostic> list_;
};

}  // namespace openrknn
