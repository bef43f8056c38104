// What an archive tells before its code is run: the arguments of forward, its weights, the operators its code names.
#include <fmt/format.h>

#include <set>

#include "compiler/importers/importer.h"
#include "compiler/importers/torchscript/exported.h"
#include "compiler/importers/torchscript/formats.h"
#include "compiler/importers/torchscript/library.h"
#include "compiler/importers/torchscript/pickle.h"

namespace openrknn {
namespace torchscript {
namespace {

using Kind = Expression::Kind;

/// "torch.relu" and "ops.quantized.conv2d" as operators are called; nothing for other names.
std::string operator_of(const Expression& callee) {
  const std::string name = type_text(callee);
  if (name.starts_with("torch.")) return "aten::" + name.substr(6);
  const size_t dot = name.find('.', 4);
  if (name.starts_with("ops.") && dot != std::string::npos && !name.starts_with("ops.prim."))
    return name.substr(4, dot - 4) + "::" + name.substr(dot + 1);
  return {};
}

class Counter {
 public:
  explicit Counter(ModelOutline& outline) : outline_(outline) {}

  void count(const std::vector<Statement>& block) {
    for (const Statement& statement : block) {
      count(statement.value);
      for (const Expression& target : statement.targets) count(target);
      count(statement.body);
      count(statement.otherwise);
    }
  }

  /// Of a module and those within it: tensors are shared, and counted once.
  void count_weights(const Value& value, int depth) {
    if (const auto* tensor = value.as<TensorRef>(); tensor != nullptr && (*tensor)->content) {
      if (seen_.insert(tensor->get()).second) outline_.weights += (*tensor)->content->size();
    }
    const auto* object = value.as<ObjectRef>();
    if (object == nullptr || depth > 100) return;
    for (const auto& [name, inner] : (*object)->attributes) count_weights(inner, depth + 1);
  }

 private:
  void count(const Expression& expression) {
    if (expression.kind == Kind::Call) {
      if (const std::string op = operator_of(expression.children[0]); !op.empty()) ++outline_.operators[op];
    }
    for (const Expression& child : expression.children) count(child);
  }

  ModelOutline& outline_;
  std::set<const TensorBox*> seen_;
};

}  // namespace

ModelOutline outline_of(const Archive& archive) {
  refuse_other_archives(archive);
  ModelOutline outline;
  Counter counter(outline);
  const Value root = read_pickle(archive, "data.pkl", "data");
  counter.count_weights(root, 0);
  for (const std::string& entry : archive.names()) {
    if (!entry.starts_with("code/") || !entry.ends_with(".py")) continue;
    const Program program = parse_code(archive.text(entry), archive.file(), entry);
    for (const Function& function : program.functions) counter.count(function.body);
    for (const Class& each : program.classes)
      for (const Function& method : each.methods) counter.count(method.body);
  }
  Library library(archive);
  const Function* forward = library.find_forward(root);
  for (size_t i = 1; forward != nullptr && i < forward->parameters.size(); ++i) {
    const Parameter& parameter = forward->parameters[i];
    outline.arguments.push_back(fmt::format("{}: {}{}", parameter.name, type_text(parameter.type),
                                            parameter.has_default ? ", may be left out" : ""));
  }
  return outline;
}

}  // namespace torchscript

std::optional<ModelOutline> outline_torchscript(const std::filesystem::path& path) {
  const torchscript::Archive archive(MappedFile::open(path));
  if (torchscript::is_exported(archive)) return std::nullopt;  // its shapes are open where the user left them so
  return torchscript::outline_of(archive);
}

}  // namespace openrknn
