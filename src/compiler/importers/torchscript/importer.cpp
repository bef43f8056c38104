// The flow: the archive's pickle as objects, its code run on tensors of known shapes.
#include "compiler/importers/torchscript/importer.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/finite.h"
#include "compiler/importers/torchscript/exported.h"
#include "compiler/importers/torchscript/formats.h"
#include "compiler/importers/torchscript/operators.h"
#include "compiler/importers/torchscript/outputs.h"
#include "compiler/importers/torchscript/pickle.h"

namespace openrknn {
namespace torchscript {
namespace {

bool is_tensor_type(const std::string& type) { return type == "Tensor" || type == "Optional[Tensor]"; }

class ScriptImport {
 public:
  ScriptImport(const Archive& archive, const ImportOptions& options)
      : archive_(archive),
        options_(options),
        library_(archive),
        builder_(archive.file()),
        run_(archive, library_, builder_, read_pickle(archive, "constants.pkl", "constants")) {}

  Graph graph() {
    const Value root = read_pickle(archive_, "data.pkl", "data");
    const Function* forward = library_.find_forward(root);
    if (forward == nullptr || forward->parameters.empty())
      fail(Code::ImportBadFile, where(), "the archive's model has no method forward");
    const ObjectRef& module = *root.as<ObjectRef>();
    Value result = Unknown{};
    run_.collect([&] {
      prepare(module, "", 0);
      result = run_.call(*forward, arguments(*forward, module), module);
    });
    add_outputs(run_, result, options_, archive_.file());
    builder_.graph.remove_unused();
    require_finite(builder_.graph, archive_.file());
    return std::move(builder_.graph);
  }

 private:
  Location where() const { return Location{.file = archive_.file()}; }

  /// Modules learn where they stand, and those with a state of their own form are given it by their code.
  void prepare(const ObjectRef& module, const std::string& path, int depth) {
    module->path = path;
    if (depth > 100) return;
    const std::map<std::string, Value, std::less<>> attributes = module->attributes;
    for (const auto& [name, value] : attributes) {
      const auto* inner = value.as<ObjectRef>();
      if (inner != nullptr && (*inner)->path.empty())
        prepare(*inner, path.empty() ? name : path + "." + name, depth + 1);
    }
    const auto state = attributes.find(kPackedState);
    const Class* owner = state == attributes.end() ? nullptr : library_.find_class(module->type);
    const Function* setter = owner == nullptr ? nullptr : Library::find_method(*owner, "__setstate__");
    if (setter != nullptr) run_.call(*setter, {module, state->second}, module);
  }

  std::optional<Tensor> frozen(const std::string& name, size_t i) const {
    if (const auto found = options_.constants.find(name); found != options_.constants.end()) return found->second;
    return i < options_.initial_values.size() ? options_.initial_values[i] : std::nullopt;
  }

  static Value number_of(const std::string& type, const Tensor& content) {
    const double number = content.size() == 1 ? to_doubles(content)[0] : 0;
    if (type == "bool") return number != 0;
    if (type == "float") return number;
    return whole_number(number);
  }

  std::vector<Value> arguments(const Function& forward, const ObjectRef& module) {
    std::vector<Value> values{module};
    check_names(forward);
    size_t given = 0;
    Diagnostics problems;
    for (size_t i = 1; i < forward.parameters.size(); ++i) {
      const Parameter& parameter = forward.parameters[i];
      const std::string type = type_text(parameter.type);
      const Location at{.file = archive_.file(), .tensor = parameter.name};
      values.emplace_back();
      if (const std::optional<Tensor> content = frozen(parameter.name, i - 1)) {
        if (is_tensor_type(type)) {
          auto constant = std::make_shared<TensorBox>();
          constant->content = is_floating(content->dtype()) ? cast(*content, DType::Float32) : *content;
          constant->name = parameter.name;
          values.back() = constant;
        } else {
          values.back() = number_of(type, *content);
        }
      } else if (is_tensor_type(type) && given < options_.input_shapes.size()) {
        const Shape& shape = options_.input_shapes[given++];
        if (shape.empty() || std::ranges::any_of(shape, [](int64_t extent) { return extent < 1; })) {
          problems.add(Code::ImportUnknownDimension, at,
                       fmt::format("the input '{}' has the shape {}", parameter.name, to_string(shape)),
                       "give every extent of it");
          continue;
        }
        values.back() = box(builder_.add_input(run_.name_input(parameter.name), DType::Float32, shape));
      } else if (parameter.has_default) {
        values.back() = run_.default_of(parameter);
      } else if (is_tensor_type(type)) {
        ++given;
        problems.add(Code::ImportUnknownDimension, at,
                     fmt::format("a TorchScript file says no shape of the input '{}'", parameter.name),
                     "give it: input_size_list=[[1, 3, 224, 224]] in load_pytorch, input_shapes in import_model, "
                     "--input-size-list in openrknn");
      } else if (type == "int" || type == "float" || type == "bool") {
        problems.add(
            Code::ImportUnknownDimension, at,
            fmt::format("the argument '{}' of forward is of type {} and no tensor", parameter.name, type),
            fmt::format(
                "give its number: initial_values={{'{0}': …}} in import_model, --initial-value {0}=… in openrknn",
                parameter.name));
      } else {
        problems.add(Code::ImportUnsupportedType, at,
                     fmt::format("the argument '{}' of forward is of type {}, expected Tensor, int, float or bool",
                                 parameter.name, type),
                     "wrap the model in one whose forward takes tensors");
      }
    }
    if (given < options_.input_shapes.size())
      problems.add(Code::ImportBadCrop, where(),
                   fmt::format("{} input shapes are given, there are {} inputs", options_.input_shapes.size(), given));
    problems.throw_if_any();
    return values;
  }

  /// inputs= may name forward's arguments in their order; it does not cut the model.
  void check_names(const Function& forward) const {
    for (size_t i = 0; i < options_.inputs.size(); ++i) {
      if (i + 1 < forward.parameters.size() && forward.parameters[i + 1].name == options_.inputs[i]) continue;
      fail(Code::ImportBadCrop, Location{.file = archive_.file(), .tensor = options_.inputs[i]},
           fmt::format("inputs names '{}', which is not argument {} of forward", options_.inputs[i], i + 1),
           "leave inputs out, or trace the part of the model that is wanted");
    }
  }

  const Archive& archive_;
  const ImportOptions& options_;
  Library library_;
  LayerBuilder builder_;
  Interpreter run_;
};

}  // namespace

Graph import_archive(const Archive& archive, const ImportOptions& options) {
  if (is_exported(archive)) return import_exported(archive, options);
  refuse_other_archives(archive);
  return ScriptImport(archive, options).graph();
}

Graph import_file(const std::shared_ptr<const MappedFile>& file, const ImportOptions& options) {
  refuse_other_files(*file);
  return import_archive(Archive(file), options);
}

}  // namespace torchscript

Graph import_torchscript(const std::filesystem::path& path, const ImportOptions& options) {
  return torchscript::import_file(MappedFile::open(path), options);
}

std::vector<SourceOperator> torchscript_operators() {
  std::vector<SourceOperator> operators;
  for (const torchscript::OperatorRow& row : torchscript::operator_rows())
    operators.push_back({.op = row.op, .refused = row.refused});
  return operators;
}

}  // namespace openrknn
