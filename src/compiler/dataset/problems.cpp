#include "compiler/dataset/problems.h"

#include <fmt/format.h>

namespace openrknn {
namespace {

constexpr size_t kMostShown = 20;

// Trouble with a file that the dataset names is trouble with the dataset.
Code dataset_code(Code code) {
  switch (code) {
    case Code::FileNotFound:
    case Code::FileUnreadable:
      return Code::DatasetFileMissing;
    case Code::BadNpy:
      return Code::DatasetBadArray;
    default:
      return code;
  }
}

}  // namespace

void Problems::add(Code code, Location where, std::string problem, std::string fix) {
  add({code, Severity::Error, std::move(where), std::move(problem), std::move(fix)});
}

void Problems::add(Diagnostic diagnostic) {
  if (shown_.size() < kMostShown) {
    shown_.push_back(std::move(diagnostic));
  } else {
    ++hidden_;
  }
}

void Problems::throw_if_any() const {
  if (shown_.empty()) return;
  std::vector<Diagnostic> all = shown_;
  if (hidden_ > 0) {
    all.push_back(
        {shown_.front().code, Severity::Note, {.file = dataset_}, fmt::format("and {} more problems", hidden_), {}});
  }
  throw Error(std::move(all));
}

std::string inputs_in_words(const std::vector<SampleSpec>& specs) {
  std::string names;
  for (const SampleSpec& spec : specs) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", spec.port.name);
  return fmt::format("{} input{} ({})", specs.size(), specs.size() == 1 ? "" : "s", names);
}

void require_index(int64_t index, int64_t count) {
  if (index >= 0 && index < count) return;
  fail(Code::InvalidArgument, fmt::format("sample {} of {} was asked for", index, count));
}

std::vector<Diagnostic> told_of(const Location& where, const std::string& what, const Error& error) {
  std::vector<Diagnostic> all = error.diagnostics;
  for (Diagnostic& diagnostic : all) {
    diagnostic.code = dataset_code(diagnostic.code);
    diagnostic.where = where;
    if (!what.empty()) diagnostic.problem = fmt::format("'{}': {}", what, diagnostic.problem);
  }
  return all;
}

}  // namespace openrknn
