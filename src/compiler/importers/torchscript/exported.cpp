// torch/_export/serde/schema.py tells the fields (schema version 8).
#include "compiler/importers/torchscript/exported.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "compiler/importers/finite.h"
#include "compiler/importers/torchscript/operators.h"
#include "compiler/importers/torchscript/outputs.h"
#include "compiler/importers/torchscript/pickle.h"
#include "compiler/importers/torchscript/stored_tensor.h"

namespace openrknn::torchscript {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kProgram = "models/model.json", kWeights = "data/weights/", kConstants = "data/constants/";

class ExportedImport {
 public:
  ExportedImport(const Archive& archive, const ImportOptions& options)
      : archive_(archive),
        options_(options),
        library_(archive),
        builder_(archive.file()),
        run_(archive, library_, builder_, None{}) {}

  Graph graph() {
    program_ = parse(std::string(kProgram));
    try {
      const Json& module = program_.at("graph_module");
      graph_ = &module.at("graph");
      read_inputs(module.at("signature"));
      run_.collect([&] {
        for (const Json& node : graph_->at("nodes")) run_node(node);
      });
      std::vector<Value> results;
      for (const Json& spec : module.at("signature").at("output_specs"))
        if (spec.contains("user_output")) results.push_back(value(spec.at("user_output").at("arg")));
      add_outputs(run_, make_tuple(std::move(results)), options_, archive_.file());
    } catch (const Json::exception& error) {
      refuse(fmt::format("the program is not as torch.export writes it: {}", error.what()));
    }
    builder_.graph.remove_unused();
    require_finite(builder_.graph, archive_.file());
    return std::move(builder_.graph);
  }

 private:
  [[noreturn]] void refuse(std::string problem, Code code = Code::ImportBadFile) const {
    fail(code, Location{.file = archive_.file(), .node = std::string(kProgram)}, std::move(problem));
  }

  Json parse(const std::string& entry) const {
    const std::string_view text = archive_.text(entry);
    // A parser that calls itself for each level would end the process on a text of brackets.
    int64_t depth = 0, deepest = 0;
    for (const char c : text) {
      depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
      deepest = std::max(deepest, depth);
    }
    if (deepest > 200) refuse("the program's lists lie in each other more than 200 deep");
    Json parsed = Json::parse(text, nullptr, false);
    if (parsed.is_discarded()) refuse(fmt::format("'{}' is no JSON", entry));
    return parsed;
  }

  /// Numbers of export's own list of types (schema.py: ScalarType) are one above torch's, with exceptions.
  static int64_t torch_type(int64_t number) {
    if (number == 12) return 11;  // bool
    if (number == 13) return 15;  // bfloat16
    return number - 1;
  }

  static int64_t extent_of(const Json& extent) {
    return extent.contains("as_int") ? extent.at("as_int").get<int64_t>() : -1;
  }
  static Shape shape_of(const Json& extents) {
    Shape shape;
    for (const Json& extent : extents) shape.push_back(extent_of(extent));
    return shape;
  }

  Value stored(std::string_view folder, const std::string& name) {
    const std::string config =
        std::string(folder) + (folder == kWeights ? "model_weights_config.json" : "model_constants_config.json");
    if (!configs_.contains(config)) configs_.emplace(config, parse(config).at("config"));
    const Json& row = configs_.at(config).at(name);
    if (row.value("use_pickle", false))
      refuse(fmt::format("the tensor '{}' is pickled, which is not read", name), Code::ImportUnsupportedType);
    const Json& meta = row.at("tensor_meta");
    const StoredTensor place{.entry = std::string(folder) + row.at("path_name").get<std::string>(),
                             .dtype = stored_type(meta.at("dtype").get<int64_t>()),
                             .dims = shape_of(meta.at("sizes")),
                             .strides = shape_of(meta.at("strides")),
                             .offset = extent_of(meta.at("storage_offset"))};
    auto made = std::make_shared<TensorBox>();
    made->name = name;
    made->content =
        read_tensor(archive_, place, [&](std::string problem, Code code) { refuse(std::move(problem), code); });
    return made;
  }

  DType stored_type(int64_t number) const {
    constexpr DType kTypes[] = {DType::UInt8, DType::Int8,    DType::Int16,   DType::Int32,
                                DType::Int64, DType::Float16, DType::Float32, DType::Float64};
    if (number >= 1 && number <= 8) return kTypes[number - 1];
    if (number == 12) return DType::Bool;
    if (number == 13) return DType::BFloat16;
    refuse(fmt::format("tensors of type {} are not read", number), Code::ImportUnsupportedType);
  }

  void read_inputs(const Json& signature) {
    size_t given = 0;
    for (const Json& spec : signature.at("input_specs")) {
      const auto put = [&](const Json& of, Value content) {
        values_[of.at("arg").at("name").get<std::string>()] = std::move(content);
      };
      if (spec.contains("parameter")) {
        const Json& row = spec.at("parameter");
        put(row, stored(kWeights, row.at("parameter_name").get<std::string>()));
      } else if (spec.contains("buffer")) {
        const Json& row = spec.at("buffer");
        const bool is_kept = row.value("persistent", true);
        put(row, stored(is_kept ? kWeights : kConstants, row.at("buffer_name").get<std::string>()));
      } else if (spec.contains("tensor_constant")) {
        const Json& row = spec.at("tensor_constant");
        put(row, stored(kConstants, row.at("tensor_constant_name").get<std::string>()));
      } else if (spec.contains("user_input")) {
        add_input(spec.at("user_input").at("arg"), given);
      } else if (!spec.contains("constant_input")) {
        refuse("the program has inputs that are no tensors", Code::ImportUnsupportedType);
      }
    }
    if (given < options_.input_shapes.size())
      fail(Code::ImportBadCrop, Location{.file = archive_.file()},
           fmt::format("{} input shapes are given, there are {} inputs", options_.input_shapes.size(), given));
  }

  /// Shapes are in the file, but for those that were exported as open.
  void add_input(const Json& argument, size_t& given) {
    if (!argument.contains("as_tensor")) return;  // None and numbers are in the graph already
    const std::string name = argument.at("as_tensor").at("name").get<std::string>();
    if (const auto frozen = options_.constants.find(name); frozen != options_.constants.end()) {
      auto constant = std::make_shared<TensorBox>();
      constant->content = is_floating(frozen->second.dtype()) ? cast(frozen->second, DType::Float32) : frozen->second;
      values_[name] = constant;
      return;
    }
    const Json& meta = graph_->at("tensor_values").at(name);
    Shape shape = shape_of(meta.at("sizes"));
    if (given < options_.input_shapes.size() && !options_.input_shapes[given].empty())
      shape = options_.input_shapes[given];
    ++given;
    if (std::ranges::any_of(shape, [](int64_t extent) { return extent < 1; })) {
      builder_.problems.add(Code::ImportUnknownDimension, Location{.file = archive_.file(), .tensor = name},
                            fmt::format("the file leaves dimensions of the input '{}' open", name),
                            "give its shape: input_size_list in load_pytorch, input_shapes in import_model");
      values_[name] = Unknown{};
      return;
    }
    const DType type = dtype_of_number(torch_type(meta.at("dtype").get<int64_t>()));
    values_[name] = box(builder_.add_input(run_.name_input(name), type, std::move(shape)));
  }

  Value named(const Json& name) const {
    const auto found = values_.find(name.get<std::string>());
    if (found == values_.end()) refuse(fmt::format("'{}' is read, which nothing gives", name.get<std::string>()));
    return found->second;
  }

  Value list_of_values(const Json& items) const {
    std::vector<Value> list;
    for (const Json& item : items) list.push_back(item.contains("name") ? named(item.at("name")) : value(item));
    return make_list(std::move(list));
  }

  template <class T>
  static Value list_of_numbers(const Json& items) {
    std::vector<Value> list;
    for (const Json& item : items) list.push_back(item.get<T>());
    return make_list(std::move(list));
  }

  /// JSON has no numbers for what is infinite or none: they are texts.
  static double number(const Json& content) {
    if (!content.is_string()) return content.get<double>();
    const std::string text = content.get<std::string>();
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    return text.starts_with("-") ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }

  /// One of schema.py's Argument: an object of one field, which says its kind.
  Value value(const Json& argument) const {
    if (argument.size() != 1) refuse("an argument of several kinds");
    const std::string kind = argument.begin().key();
    const Json& content = argument.begin().value();
    if (kind == "as_none") return None{};
    if (kind == "as_tensor" || kind == "as_sym_int_name") return named(content.at("name"));
    if (kind == "as_name") return named(content);
    if (kind == "as_int") return content.get<int64_t>();
    if (kind == "as_float") return number(content);
    if (kind == "as_bool") return content.get<bool>();
    if (kind == "as_string") return content.get<std::string>();
    if (kind == "as_scalar_type") return torch_type(content.get<int64_t>());
    if (kind == "as_ints") return list_of_numbers<int64_t>(content);
    if (kind == "as_floats") {
      std::vector<Value> list;
      for (const Json& item : content) list.push_back(number(item));
      return make_list(std::move(list));
    }
    if (kind == "as_bools") return list_of_numbers<bool>(content);
    if (kind == "as_strings") return list_of_numbers<std::string>(content);
    if (kind == "as_tensors" || kind == "as_optional_tensors" || kind == "as_sym_ints") return list_of_values(content);
    if (kind == "as_sym_int" || kind == "as_sym_bool" || kind == "as_sym_float" || kind == "as_optional_tensor")
      return value(content);
    if (kind == "as_memory_format" || kind == "as_layout" || kind == "as_device") return None{};
    refuse(fmt::format("arguments of the kind '{}' are not read", kind), Code::ImportUnsupportedType);
  }

  /// "torch.ops.aten.conv2d.default" is aten::conv2d; "_operator.mul" a function of Python.
  std::string operator_of(const std::string& target) const {
    if (target.starts_with("_operator.")) return "aten::" + target.substr(10);
    constexpr std::string_view kOps = "torch.ops.";
    const size_t space = kOps.size(), name = target.find('.', space);
    if (!target.starts_with(kOps) || name == std::string::npos) return target;
    const std::string op = target.substr(name + 1, target.find('.', name + 1) - name - 1);
    return target.substr(space, name - space) + "::" + (op == "sym_size" ? "size" : op);
  }

  void run_node(const Json& node) {
    const std::string target = node.at("target").get<std::string>();
    std::vector<Value> arguments;
    std::vector<std::string> keywords;
    for (const Json& input : node.at("inputs")) {
      arguments.push_back(value(input.at("arg")));
      const bool is_keyword = input.value("kind", 1) == 2;
      keywords.push_back(is_keyword ? input.at("name").get<std::string>() : "");
    }
    std::vector<std::string> names;
    for (const Json& output : node.at("outputs")) collect_names(output, names);
    run_.place = Location{.file = archive_.file(), .node = node.value("name", names.empty() ? target : names.front())};
    Value result = run_.call_operator(operator_of(target), std::move(arguments), keywords, names);
    const auto* sequence = result.sequence();
    const bool is_one = names.size() == 1 && (sequence == nullptr || !node.at("outputs")[0].contains("as_tensors"));
    for (size_t i = 0; i < names.size(); ++i) {
      if (result.is<Unknown>() || is_one) {
        values_[names[i]] = result;
      } else {
        if (sequence == nullptr || i >= (*sequence)->items.size())
          refuse(fmt::format("'{}' is a result that is not there", names[i]));
        values_[names[i]] = (*sequence)->items[i];
      }
    }
  }

  void collect_names(const Json& output, std::vector<std::string>& names) const {
    for (const char* list : {"as_tensors", "as_optional_tensors"})
      if (output.contains(list))
        for (const Json& item : output.at(list)) names.push_back(item.value("name", ""));
    if (output.contains("as_tensor")) names.push_back(output.at("as_tensor").at("name").get<std::string>());
    for (const char* symbol : {"as_sym_int", "as_sym_bool", "as_sym_float"})
      if (output.contains(symbol)) names.push_back(output.at(symbol).value("as_name", ""));
  }

  const Archive& archive_;
  const ImportOptions& options_;
  Library library_;
  LayerBuilder builder_;
  Interpreter run_;
  Json program_;
  const Json* graph_ = nullptr;  ///< of the program
  std::map<std::string, Json> configs_;
  std::map<std::string, Value> values_;
};

}  // namespace

bool is_exported(const Archive& archive) { return archive.has(kProgram); }

Graph import_exported(const Archive& archive, const ImportOptions& options) {
  return ExportedImport(archive, options).graph();
}

}  // namespace openrknn::torchscript
