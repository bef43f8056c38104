#include "compiler/importers/torchscript/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

constexpr int64_t kMostSteps = 1'000'000;

using Kind = Expression::Kind;

}  // namespace

Interpreter::Nest::Nest(Interpreter& owner) : run(owner) {
  constexpr int kMostDepth = 600;
  if (++run.depth_ > kMostDepth) {
    --run.depth_;
    run.refuse("calls lie in each other too deep");
  }
}

Interpreter::Interpreter(const Archive& archive, Library& library, LayerBuilder& builder, Value constants)
    : library_(library), builder_(builder), constants_(std::move(constants)), file_(archive.file()) {
  place.file = file_;
}

Location Interpreter::where() const {
  if (frames_.empty()) return place;
  return Location{.file = file_ + ":" + frames_.back().function->entry, .line = frames_.back().line};
}

void Interpreter::refuse(std::string problem, std::string fix) const {
  fail(Code::ImportBadFile, where(), std::move(problem), std::move(fix));
}

void Interpreter::spend(int64_t steps) {
  steps_ += steps;
  if (steps_ > kMostSteps)
    refuse(fmt::format("the code runs for more than {} steps", kMostSteps),
           "a loop may have no end, or too many rounds");
}

void Interpreter::collect(const std::function<void()>& work) {
  try {
    work();
  } catch (const Stopped&) {
    // What the code's way depends on failed: that is among the problems.
  } catch (const Error& error) {
    for (Diagnostic problem : error.diagnostics) {
      if (problem.where.file.empty()) problem.where = where();
      builder_.problems.add(std::move(problem));
    }
  }
  report_unsupported();
  builder_.finish();
}

Value Interpreter::call(const Function& function, std::vector<Value> arguments, const ObjectRef& self) {
  const Nest nest(*this);
  spend();
  Frame frame{.function = &function,
              .path = self != nullptr   ? self->path
                      : frames_.empty() ? ""
                                        : frames_.back().path,
              .line = function.line};
  for (size_t i = 0; i < function.parameters.size(); ++i)
    frame.variables.insert_or_assign(function.parameters[i].name, i < arguments.size() ? arguments[i] : Value());
  frames_.push_back(std::move(frame));
  run(function.body);
  Value result = std::move(frames_.back().result);
  frames_.pop_back();
  return result;
}

void Interpreter::run(const std::vector<Statement>& block) {
  for (const Statement& statement : block) {
    run(statement);
    if (frames_.back().has_returned) return;
  }
}

void Interpreter::run(const Statement& statement) {
  const Nest nest(*this);
  spend();
  frames_.back().line = statement.line;
  switch (statement.kind) {
    case Statement::Kind::Pass:
      return;
    case Statement::Kind::With:
      return run(statement.body);  // torch.no_grad() and the like
    case Statement::Kind::Evaluate:
      evaluate(statement.value);
      return;
    case Statement::Kind::Return: {
      Value result = evaluate(statement.value);
      frames_.back().result = std::move(result);
      frames_.back().has_returned = true;
      return;
    }
    case Statement::Kind::If:
      return run(condition(statement.value) ? statement.body : statement.otherwise);
    case Statement::Kind::While:
    case Statement::Kind::For:
      return run_loop(statement);
    case Statement::Kind::Assign: {
      if (statement.unpacks)
        return unpack(statement, evaluate(statement.value, [&] {
                        std::vector<std::string> names;
                        for (const Expression& target : statement.targets) names.push_back(target.text);
                        return names;
                      }()));
      const Expression& target = statement.targets.front();
      std::vector<std::string> names;
      if (target.kind == Kind::Name) names.push_back(target.text);
      return assign(target, evaluate(statement.value, names));
    }
  }
}

void Interpreter::run_loop(const Statement& statement) {
  if (statement.kind == Statement::Kind::While) {
    while (!frames_.back().has_returned && condition(statement.value)) {
      spend();
      run(statement.body);
    }
    return;
  }
  const Expression& over = statement.value;
  const bool is_range =
      over.kind == Kind::Call && over.children[0].kind == Kind::Name && over.children[0].text == "range";
  if (!is_range || over.children.size() != 2) refuse("a loop over something else than range(n)");
  const Value count = evaluate(over.children[1]);
  if (count.is<Unknown>()) throw Stopped();
  const auto* rounds = count.as<int64_t>();
  if (rounds == nullptr) refuse(fmt::format("a loop of {} rounds, expected a number", kind_of(count)));
  for (int64_t i = 0; i < *rounds && !frames_.back().has_returned; ++i) {
    spend();
    assign(statement.targets.front(), i);
    run(statement.body);
  }
}

bool Interpreter::condition(const Expression& expression) {
  const Value value = evaluate(expression);
  if (value.is<Unknown>()) throw Stopped();
  return truth(*this, value);
}

void Interpreter::assign(const Expression& target, Value value) {
  if (target.kind == Kind::Name) {
    frames_.back().variables.insert_or_assign(target.text, std::move(value));
  } else if (target.kind == Kind::Attribute) {
    const Value of = evaluate(target.children[0]);
    const ObjectRef* object = of.as<ObjectRef>();
    if (object == nullptr) refuse(fmt::format("an attribute of {} is written", kind_of(of)));
    if ((*object)->depth == 0) refuse(fmt::format("an attribute of {} is written", (*object)->type));
    if (depth_of(value) > 1) refuse(fmt::format("{} is put into the attribute '{}'", kind_of(value), target.text));
    set_attribute(**object, target.text, std::move(value));
  } else if (target.kind == Kind::Subscript) {
    const Value of = evaluate(target.children[0]), index = evaluate(target.children[1]);
    call_operator("aten::_set_item", {of, index, std::move(value)}, {}, {});
  } else {
    refuse("something is assigned to what is no variable");
  }
}

void Interpreter::unpack(const Statement& statement, Value value) {
  if (value.is<Unknown>()) {
    for (const Expression& target : statement.targets) assign(target, Unknown{});
    return;
  }
  const auto* sequence = value.sequence();
  if (sequence == nullptr || (*sequence)->items.size() != statement.targets.size()) {
    refuse(fmt::format("{} of {} is unpacked into {} variables", kind_of(value),
                       sequence == nullptr ? 0 : (*sequence)->items.size(), statement.targets.size()));
  }
  const std::vector<Value> items = (*sequence)->items;
  for (size_t i = 0; i < items.size(); ++i) assign(statement.targets[i], items[i]);
}

/// Null if there is none of this name.
const Value* Interpreter::find_variable(const std::string& name) const {
  if (frames_.empty()) return nullptr;
  const auto found = frames_.back().variables.find(name);
  return found == frames_.back().variables.end() ? nullptr : &found->second;
}

Value Interpreter::evaluate_name(const Expression& expression) {
  if (const Value* variable = find_variable(expression.text)) return *variable;
  if (expression.text == "inf") return std::numeric_limits<double>::infinity();
  if (expression.text == "nan") return std::numeric_limits<double>::quiet_NaN();
  return Name{expression.text};
}

Value Interpreter::evaluate(const Expression& expression, const std::vector<std::string>& wanted_names) {
  const Nest nest(*this);
  spend();
  const auto child = [&](size_t i) { return evaluate(expression.children.at(i)); };
  switch (expression.kind) {
    case Kind::Literal:
      return expression.literal;
    case Kind::Name:
      return evaluate_name(expression);
    case Kind::Attribute:
      return attribute(child(0), expression.text);
    case Kind::Call:
      return evaluate_call(expression, wanted_names);
    case Kind::Subscript:
      return item(child(0), child(1));
    case Kind::Slice:
      return slice(child(0), child(1), child(2));
    case Kind::Ternary:
      return evaluate(expression.children[condition(expression.children[1]) ? 0 : 2], wanted_names);
    case Kind::Dict: {
      auto dictionary = std::make_shared<Dictionary>();
      for (size_t i = 0; i < expression.children.size(); i += 2) {
        Value key = child(i);
        set_item(*dictionary, std::move(key), child(i + 1));
      }
      return dictionary;
    }
    case Kind::List:
    case Kind::Tuple: {
      std::vector<Value> items;
      for (size_t i = 0; i < expression.children.size(); ++i) items.push_back(child(i));
      return expression.kind == Kind::List ? Value(make_list(std::move(items))) : Value(make_tuple(std::move(items)));
    }
  }
  return None{};
}

Value Interpreter::attribute(const Value& of, const std::string& name) {
  if (of.is<Unknown>()) return Unknown{};
  if (const Name* module = of.as<Name>()) {
    if (module->text == "CONSTANTS") {
      const auto* constants = constants_.sequence();
      const size_t index =
          name.size() > 1 && name.size() < 9 ? static_cast<size_t>(std::atoll(name.c_str() + 1)) : SIZE_MAX;
      if (constants == nullptr || index >= (*constants)->items.size())
        refuse(fmt::format("the archive has no constant '{}'", name));
      return (*constants)->items[index];
    }
    if (const Class* owner = library_.find_class(module->text); owner != nullptr && owner->base == "Enum") {
      for (const Statement& constant : owner->constants)
        if (constant.targets.front().text == name) return make_enumerated(module->text, constant.value.literal);
      refuse(fmt::format("{} has no '{}'", module->text, name));
    }
    return Name{module->text + "." + name};
  }
  if (const auto* tuple = of.sequence()) {
    const auto field = std::ranges::find((*tuple)->fields, name);
    if (field != (*tuple)->fields.end())
      return (*tuple)->items.at(static_cast<size_t>(field - (*tuple)->fields.begin()));
  }
  const ObjectRef* object = of.as<ObjectRef>();
  if (object == nullptr) refuse(fmt::format("the attribute '{}' of {} is read", name, kind_of(of)));
  if (const auto found = (*object)->attributes.find(name); found != (*object)->attributes.end()) return found->second;
  if (const Class* owner = library_.find_class((*object)->type)) {
    if (Library::find_method(*owner, name) != nullptr) return Method{*object, name};
    for (const Statement& constant : owner->constants) {
      if (constant.targets.front().text == name && constant.value.kind == Kind::Literal) return constant.value.literal;
    }
  }
  refuse(fmt::format("a {} has no '{}'", (*object)->type, name));
}

Value Interpreter::item(const Value& of, const Value& index) {
  if (of.is<Unknown>() || index.is<Unknown>()) return Unknown{};
  return call_operator("aten::__getitem__", {of, index}, {}, {});
}

Value Interpreter::slice(const Value& of, const Value& begin, const Value& end) {
  if (of.is<Unknown>() || begin.is<Unknown>() || end.is<Unknown>()) return Unknown{};
  return call_operator("aten::slice", {of, begin, end}, {}, {});
}

Value Interpreter::evaluate_call(const Expression& expression, const std::vector<std::string>& wanted_names) {
  const Expression& callee = expression.children[0];
  // The first argument of these is a type.
  const bool is_typed = callee.kind == Kind::Name && (callee.text == "annotate" || callee.text == "unchecked_cast" ||
                                                      callee.text == "uninitialized");
  if (is_typed && find_variable(callee.text) == nullptr) {
    if (callee.text == "uninitialized") return None{};
    if (expression.children.size() != 3) refuse(fmt::format("{} without a type and a value", callee.text));
    return evaluate(expression.children[2], wanted_names);
  }
  const Value target = evaluate(callee);
  std::vector<Value> arguments;
  for (size_t i = 1; i < expression.children.size(); ++i) arguments.push_back(evaluate(expression.children[i]));
  if (!frames_.empty()) frames_.back().line = expression.line;
  if (target.is<Unknown>()) return Unknown{};
  if (const auto* method = target.as<Method>()) return call_method(*method, std::move(arguments), expression.keywords);
  const auto* name = target.as<Name>();
  if (name == nullptr) refuse(fmt::format("{} is called", kind_of(target)));
  return call_name(name->text, std::move(arguments), expression.keywords, wanted_names);
}

std::vector<Value> Interpreter::bind(const Function& function, std::vector<Value> arguments,
                                     const std::vector<std::string>& keywords) {
  std::vector<Value> bound(function.parameters.size());
  std::vector<bool> is_given(bound.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    size_t slot = i;
    if (i < keywords.size() && !keywords[i].empty()) {
      const auto found = std::ranges::find(function.parameters, keywords[i], &Parameter::name);
      slot = static_cast<size_t>(found - function.parameters.begin());
    }
    if (slot >= bound.size()) refuse(fmt::format("{} is called with arguments it has not", function.name));
    bound[slot] = std::move(arguments[i]);
    is_given[slot] = true;
  }
  for (size_t i = 0; i < bound.size(); ++i) {
    if (is_given[i]) continue;
    if (!function.parameters[i].has_default)
      refuse(fmt::format("{} is called without its argument '{}'", function.name, function.parameters[i].name));
    bound[i] = evaluate(function.parameters[i].value);
  }
  return bound;
}

Value Interpreter::call_method(const Method& method, std::vector<Value> arguments,
                               const std::vector<std::string>& keywords) {
  const Class* owner = library_.find_class(method.self->type);
  const Function* function = owner == nullptr ? nullptr : Library::find_method(*owner, method.name);
  if (function == nullptr) refuse(fmt::format("a {} has no method '{}'", method.self->type, method.name));
  arguments.insert(arguments.begin(), method.self);
  std::vector<std::string> names = keywords;
  names.insert(names.begin(), "");
  return call(*function, bind(*function, std::move(arguments), names), method.self);
}

Value Interpreter::call_name(const std::string& name, std::vector<Value> arguments,
                             const std::vector<std::string>& keywords, const std::vector<std::string>& wanted_names) {
  if (name.ends_with(".__new__")) {
    auto made = std::make_shared<Object>();
    made->type = name.substr(0, name.size() - std::string_view(".__new__").size());
    return made;
  }
  if (name.starts_with("__torch__.")) {
    if (const Function* function = library_.find_function(name))
      return call(*function, bind(*function, std::move(arguments), keywords), nullptr);
    if (const Class* made = library_.find_class(name); made != nullptr && made->base == "NamedTuple") {
      Tuple tuple = make_tuple(std::move(arguments));
      tuple.at->fields = made->fields;
      return tuple;
    }
    refuse(fmt::format("'{}' is called, which is no function or named tuple of the archive", name));
  }
  if (name == "getattr") {
    if (arguments.size() != 2 || !arguments[1].is<std::string>()) refuse("getattr without an object and a name");
    return attribute(arguments[0], *arguments[1].as<std::string>());
  }
  if (name.starts_with("torch."))
    return call_operator("aten::" + name.substr(6), std::move(arguments), keywords, wanted_names);
  if (name.starts_with("ops.")) {
    const size_t dot = name.find('.', 4);
    if (dot != std::string::npos)
      return call_operator(name.substr(4, dot - 4) + "::" + name.substr(dot + 1), std::move(arguments), keywords,
                           wanted_names);
  }
  // int(x), bool(x), str(x), …
  return call_operator("aten::" + name, std::move(arguments), keywords, wanted_names);
}

}  // namespace openrknn::torchscript
