#include "compiler/importers/torchscript/library.h"

#include <algorithm>

namespace openrknn::torchscript {
namespace {

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

const Program* Library::program_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return nullptr;
  std::string entry = "code/" + name.substr(0, dot);
  std::ranges::replace(entry, '.', '/');
  entry += ".py";
  const auto known = programs_.find(entry);
  if (known != programs_.end()) return &known->second;
  if (!archive_.has(entry)) return nullptr;
  return &programs_.emplace(entry, parse_code(archive_.text(entry), archive_.file(), entry)).first->second;
}

const Class* Library::find_class(const std::string& name) {
  const Program* program = program_of(name);
  if (program == nullptr) return nullptr;
  const auto found = std::ranges::find(program->classes, last_part(name), &Class::name);
  return found == program->classes.end() ? nullptr : &*found;
}

const Function* Library::find_function(const std::string& name) {
  const Program* program = program_of(name);
  if (program == nullptr) return nullptr;
  const auto found = std::ranges::find(program->functions, last_part(name), &Function::name);
  return found == program->functions.end() ? nullptr : &*found;
}

const Function* Library::find_forward(const Value& module) {
  const ObjectRef* object = module.as<ObjectRef>();
  const Class* owner = object == nullptr ? nullptr : find_class((*object)->type);
  if (owner == nullptr) return nullptr;
  const Function* forward = find_method(*owner, "forward");
  return forward != nullptr ? forward : find_method(*owner, "forward__0");
}

const Function* Library::find_method(const Class& owner, std::string_view name) {
  const auto found = std::ranges::find(owner.methods, name, &Function::name);
  return found == owner.methods.end() ? nullptr : &*found;
}

}  // namespace openrknn::torchscript
