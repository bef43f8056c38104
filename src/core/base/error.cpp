#include "core/base/error.h"

#include <fmt/format.h>

namespace openrknn {
namespace {

std::string joined(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (!text.empty()) text += '\n';
    text += to_string(diagnostic);
  }
  return text;
}

}  // namespace

const std::vector<CodeInfo>& all_codes() {
  static const std::vector<CodeInfo> codes = {
#define OPENRKNN_CODE(number, identifier, slug) {Code::identifier, #identifier, slug},
#include "core/base/diagnostic_codes.inc"
#undef OPENRKNN_CODE
  };
  return codes;
}

std::string to_string(Code code) {
  for (const CodeInfo& info : all_codes()) {
    if (info.code == code) return fmt::format("E{:04} {}", static_cast<int>(code), info.slug);
  }
  return fmt::format("E{:04}", static_cast<int>(code));
}

std::string to_string(const Diagnostic& diagnostic) {
  const Location& where = diagnostic.where;
  std::string text;
  if (!where.file.empty()) text += where.file;
  if (where.line > 0) text += fmt::format(":{}", where.line);
  if (!where.node.empty()) text += fmt::format("{}node '{}'", text.empty() ? "" : ", ", where.node);
  if (!where.tensor.empty()) text += fmt::format("{}tensor '{}'", text.empty() ? "" : ", ", where.tensor);
  if (!text.empty()) text += ": ";
  text += to_string(diagnostic.code) + ": " + diagnostic.problem;
  if (!diagnostic.fix.empty()) text += "; " + diagnostic.fix;
  return text;
}

Error::Error(std::vector<Diagnostic> list) : std::runtime_error(joined(list)), diagnostics(std::move(list)) {
  if (diagnostics.empty()) diagnostics.push_back({Code::Internal, Severity::Error, {}, "error without diagnostic", {}});
}

void fail(Code code, Location where, std::string problem, std::string fix) {
  throw Error({Diagnostic{code, Severity::Error, std::move(where), std::move(problem), std::move(fix)}});
}
void fail(Code code, std::string problem, std::string fix) { fail(code, {}, std::move(problem), std::move(fix)); }

void Diagnostics::add(Diagnostic diagnostic) { list_.push_back(std::move(diagnostic)); }
void Diagnostics::add(Code code, Location where, std::string problem, std::string fix) {
  list_.push_back({code, Severity::Error, std::move(where), std::move(problem), std::move(fix)});
}
void Diagnostics::throw_if_any() {
  if (!list_.empty()) throw Error(list_);
}

}  // namespace openrknn
