// The classes and functions of an archive's code, read when they are first asked for.
#pragma once

#include <map>
#include <string>

#include "compiler/importers/torchscript/archive.h"
#include "compiler/importers/torchscript/code.h"

namespace openrknn::torchscript {

class Library {
 public:
  explicit Library(const Archive& archive) : archive_(archive) {}
  /// By their whole name: "__torch__.torch.nn.modules.conv.Conv2d". Null if there is none. Throws Error
  /// (ImportBadFile).
  const Class* find_class(const std::string& name);
  const Function* find_function(const std::string& name);
  /// The method a model is run by. Of overloaded forms (nn.LSTM on its own) the first is that of plain tensors.
  const Function* find_forward(const Value& module);
  static const Function* find_method(const Class&, std::string_view name);

 private:
  const Program* program_of(const std::string& name);  // of the file the name is in
  const Archive& archive_;
  std::map<std::string, Program> programs_;
};

}  // namespace openrknn::torchscript
