// What is wrong with a dataset, told in one message of bearable length.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compiler/dataset/samples.h"
#include "core/base/error.h"

namespace openrknn {

/// Keeps the first twenty problems and counts the rest.
class Problems {
 public:
  explicit Problems(std::string dataset) : dataset_(std::move(dataset)) {}
  void add(Code, Location, std::string problem, std::string fix = {});
  void add(Diagnostic);
  void throw_if_any() const;

 private:
  std::string dataset_;
  std::vector<Diagnostic> shown_;
  int64_t hidden_ = 0;
};

/// "1 input ('image')", "2 inputs ('ids', 'mask')"
std::string inputs_in_words(const std::vector<SampleSpec>&);
/// Throws Error (InvalidArgument) unless 0 <= index < count.
void require_index(int64_t index, int64_t count);

/// The same error, told of a place in the dataset; `what` (a path) is quoted before the problem.
std::vector<Diagnostic> told_of(const Location&, const std::string& what, const Error&);

/// load(), with errors told of a place in the dataset.
template <class Load>
Tensor load_at(const Location& where, const std::string& what, const Load& load) {
  try {
    return load();
  } catch (const Error& error) {
    throw Error(told_of(where, what, error));
  }
}

}  // namespace openrknn
