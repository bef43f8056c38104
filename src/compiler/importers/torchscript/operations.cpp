// Operators of torch while the code runs: arguments by name, nodes, views and what is written through them.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/torchscript/interpreter.h"
#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

/// Where and how numbers lie, who may draw them: nothing of it matters in a graph.
constexpr std::string_view kIgnored[] = {"layout",       "pin_memory", "device",    "memory_format",
                                         "non_blocking", "copy",       "generator", "requires_grad"};

std::string unique(std::map<std::string, int64_t>& names, const std::string& name) {
  const int64_t count = names[name]++;
  return count == 0 ? name : unique(names, fmt::format("{}_{}", name, count));
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return words;
}

/// The argument that holds a tensor in place of what was there.
std::vector<Value> with_first(std::vector<Value> arguments, ValueId value) {
  arguments[0] = box(value);
  return arguments;
}

}  // namespace

void collect_tensors(const Value& value, std::vector<TensorRef>& tensors, bool& has_unknown) {
  if (const auto* tensor = value.as<TensorRef>()) tensors.push_back(*tensor);
  if (value.is<Unknown>()) has_unknown = true;
  if (const auto* dictionary = value.as<DictionaryRef>(); dictionary != nullptr && (*dictionary)->depth <= 4)
    for (const auto& [key, item] : (*dictionary)->items) collect_tensors(item, tensors, has_unknown);
  const auto* sequence = value.sequence();
  if (sequence == nullptr || (*sequence)->depth > 4) return;
  for (const Value& item : (*sequence)->items) collect_tensors(item, tensors, has_unknown);
}

Origin Interpreter::origin(const std::string& op) {
  std::string name = op.substr(op.rfind(':') + 1);
  name.erase(0, std::min(name.find_first_not_of('_'), name.size()));
  const std::string path = frames_.empty() ? "" : frames_.back().path;
  return Origin{
      .op = op, .node = unique(node_names_, path.empty() ? name : path + "." + name), .tensor = {}, .where = where()};
}

/// A variable's name with the module's path; that of the layer for temporaries (_0), which mean nothing.
std::string Interpreter::tensor_name(const std::string& name, const std::string& node) {
  const std::string path = frames_.empty() ? "" : frames_.back().path;
  if (name.empty() || name[0] == '_') return unique(tensor_names_, node);
  return unique(tensor_names_, path.empty() ? name : path + "." + name);
}

Value Interpreter::call_operator(const std::string& name, std::vector<Value> arguments,
                                 const std::vector<std::string>& keywords,
                                 const std::vector<std::string>& wanted_names) {
  spend(1 + static_cast<int64_t>(arguments.size()));
  if (std::ranges::any_of(arguments, [](const Value& value) { return value.is<Unknown>(); })) return Unknown{};
  if (const PythonFunction function = find_python_function(name, arguments)) return function(*this, arguments);
  const OperatorRow* row = find_operator(name);
  const bool in_place = row == nullptr && name.ends_with('_') && !name.ends_with("__");
  if (in_place) row = find_operator(std::string_view(name).substr(0, name.size() - 1));
  if (row == nullptr || !row->refused.empty()) {
    Refused& refused = refused_[name];
    if (refused.count++ == 0) refused.where = where();
    refused.reason = row == nullptr ? "is not supported" : row->refused;
    return Unknown{};
  }
  const std::vector<std::string_view> parameters = words_of(row->parameters);
  std::vector<Value> bound;
  for (size_t i = 0; i < arguments.size(); ++i) {
    size_t slot = i;
    if (i < keywords.size() && !keywords[i].empty()) {
      slot = static_cast<size_t>(std::ranges::find(parameters, keywords[i]) - parameters.begin());
      if (slot == parameters.size()) {
        if (std::ranges::find(kIgnored, keywords[i]) != std::end(kIgnored)) continue;
        refuse(fmt::format("{} has no argument '{}' that is known here", name, keywords[i]));
      }
    }
    if (bound.size() <= slot) bound.resize(slot + 1);
    bound[slot] = std::move(arguments[i]);
  }
  return translate(*row, name, std::move(bound), in_place, wanted_names);
}

Value Interpreter::translate(const OperatorRow& row, const std::string& name, std::vector<Value> arguments,
                             bool in_place, const std::vector<std::string>& wanted_names) {
  std::vector<TensorRef> read;
  bool has_unknown = false;
  for (const Value& argument : arguments) collect_tensors(argument, read, has_unknown);
  if (has_unknown) return Unknown{};
  spend(static_cast<int64_t>(read.size()));
  std::vector<ValueId> reads;
  for (const TensorRef& tensor : read) reads.push_back(id(tensor));
  const std::optional<Coding> coding = read.empty() ? std::nullopt : read.front()->coding;
  const TensorRef* target = arguments.empty() ? nullptr : arguments[0].as<TensorRef>();
  if (in_place && target == nullptr) refuse(fmt::format("{} is called without a tensor to write to", name));
  const bool reshapes = in_place && row.view != View::None;
  Origin made = origin(name);
  const std::string node = made.node;
  std::vector<TensorRef> given;
  Value result;
  const auto work = [&] {
    const Call call{.run = *this, .op = name, .arguments = arguments};
    result = row.translate(call);
    std::vector<TensorRef> all;
    collect_tensors(result, all, has_unknown);
    std::vector<ValueId> ids;
    for (const TensorRef& tensor : all) {
      if (std::ranges::find(read, tensor) != read.end()) continue;  // it is one of the arguments
      call.checked(builder_.shape(tensor->id));
      if (coding && !row.has_own_codes && is_floating(call.dtype(tensor->id))) {
        tensor->coding = coding_after(name, *coding);
        tensor->id = coded_numbers(call, tensor->id, *tensor->coding);
      }
      given.push_back(tensor);
      ids.push_back(tensor->id);
    }
    if (in_place && !reshapes) {
      const TensorRef* value = result.as<TensorRef>();
      if (value == nullptr) call.refuse("what is written in place is no tensor");
      const ValueId before = id(*target);
      ValueId after = call.cast(id(*value), call.dtype(before));
      if (call.shape(after) != call.shape(before))
        call.refuse(fmt::format("{} is written into {}", to_string(call.shape(after)), to_string(call.shape(before))));
      if ((*target)->base) {
        write(*target, after);
        return std::vector<ValueId>();
      }
      ids.assign(1, after);
    }
    return ids;
  };
  const auto name_of = [&](size_t i, size_t count) {
    return tensor_name(i < wanted_names.size() ? wanted_names[i] : "",
                       count == 1 ? node : fmt::format("{}:{}", node, i));
  };
  const std::optional<std::vector<ValueId>> named = builder_.layer(std::move(made), reads, work, name_of);
  if (!named) return Unknown{};
  if (in_place && !reshapes) {
    const TensorRef written = *target;
    if (!written->base) write(written, named->front());
    if (!given.empty()) written->coding = given.front()->coding;
    return written;
  }
  for (size_t i = 0; i < given.size(); ++i) given[i]->id = (*named)[i];
  if (reshapes) {
    if (given.size() == 1) show_as(*target, row, name, arguments);
    if (given.size() == 1) (*target)->id = given[0]->id;
    return *target;
  }
  if (row.view != View::None) make_views(row, name, arguments, result);
  return result;
}

void Interpreter::make_views(const OperatorRow& row, const std::string& name, const std::vector<Value>& arguments,
                             const Value& result) {
  const TensorRef* base = arguments.empty() ? nullptr : arguments[0].as<TensorRef>();
  if (base == nullptr || (row.view == View::Dense && !(*base)->is_dense)) return;
  std::vector<TensorRef> parts;
  bool has_unknown = false;
  collect_tensors(result, parts, has_unknown);
  const OperatorRow* const of = &row;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == *base) continue;
    parts[i]->base = *base;
    parts[i]->seen = (*base)->version;
    parts[i]->is_dense = row.view == View::Strided ? false : (*base)->is_dense;
    (*base)->views.push_back(parts[i]);
    parts[i]->take = [this, of, name, arguments, i](ValueId value) {
      std::vector<TensorRef> again;
      bool ignored = false;
      collect_tensors(of->translate(Call{.run = *this, .op = name, .arguments = with_first(arguments, value)}), again,
                      ignored);
      return again.at(i)->id;
    };
    if (of->put == nullptr) continue;
    parts[i]->put = [this, of, name, arguments, i](ValueId value, ValueId part) {
      return of->put(Call{.run = *this, .op = name, .arguments = with_first(arguments, value)}, value, part, i);
    };
  }
}

/// x.squeeze_(): the tensor becomes a view of what it was, which its views look at from now on.
void Interpreter::show_as(const TensorRef& target, const OperatorRow& row, const std::string& name,
                          const std::vector<Value>& arguments) {
  auto before = std::make_shared<TensorBox>(*target);
  for (const std::weak_ptr<TensorBox>& view : before->views)
    if (const TensorRef alive = view.lock()) alive->base = before;
  target->views.clear();
  std::vector<Value> from = arguments;
  from[0] = before;
  make_views(row, name, from, target);
}

ValueId Interpreter::id(const TensorRef& tensor) {
  const Nest nest(*this);
  const auto as_layer = [&](std::string_view op, std::span<const ValueId> reads, const std::function<ValueId()>& make) {
    Origin made = origin(std::string(op));
    const std::string node = made.node;
    const std::optional<std::vector<ValueId>> results = builder_.layer(
        std::move(made), reads, [&] { return std::vector{make()}; },
        [&](size_t, size_t) { return tensor_name("", node); });
    return results ? results->front() : ValueId::None;
  };
  if (tensor->base) {
    const ValueId base = id(tensor->base);
    if (tensor->seen != tensor->base->version) {
      tensor->id = as_layer("aten::view", std::span(&base, 1), [&] { return tensor->take(base); });
      tensor->seen = tensor->base->version;
      ++tensor->version;
    }
    return tensor->id;
  }
  if (tensor->id != ValueId::None || !tensor->content) return tensor->id;
  if (tensor->coding) {
    const Call call{.run = *this, .op = "aten::dequantize", .arguments = {}};
    tensor->id = as_layer(call.op, {}, [&] { return numbers_of_codes(call, *tensor); });
  } else {
    const std::string name = tensor->name.empty() ? "constant" : tensor->name;
    tensor->id = builder_.graph.add_constant(unique(tensor_names_, name), *tensor->content);
  }
  return tensor->id;
}

std::optional<Tensor> Interpreter::content(const TensorRef& tensor) {
  if (!tensor->base && tensor->id == ValueId::None && !tensor->coding) return tensor->content;
  const ValueId value = id(tensor);
  return value == ValueId::None ? std::nullopt : builder_.graph[value].constant;
}

void Interpreter::write(const TensorRef& tensor, ValueId value) {
  const Nest nest(*this);
  if (tensor->base) {
    if (!tensor->put) refuse("a tensor is written in place through a view that cannot be written through");
    const ValueId base = id(tensor->base);
    if (base == ValueId::None) throw Stopped();
    write(tensor->base, tensor->put(base, value));
    tensor->seen = tensor->base->version;
  }
  tensor->id = value;
  tensor->content.reset();
  ++tensor->version;
}

void Interpreter::report_unsupported() {
  for (const auto& [name, refused] : refused_) {
    builder_.problems.add(
        Code::ImportUnsupportedOp, refused.where,
        fmt::format("{}: {} ({} call{})", name, refused.reason, refused.count, refused.count == 1 ? "" : "s"));
  }
}

}  // namespace openrknn::torchscript
