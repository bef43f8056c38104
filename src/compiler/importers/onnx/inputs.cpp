#include "compiler/importers/onnx/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/importers/onnx/crop.h"
#include "compiler/importers/onnx/tensor.h"

namespace openrknn::onnx {
namespace {

/// Largest extent a caller or a file may ask for; the product is checked apart.
constexpr int64_t kLargestExtent = int64_t{1} << 32;

using Symbols = std::map<std::string, int64_t, std::less<>>;

const ValueInfo* find_info(const GraphProto& graph, Bytes name) {
  for (const std::vector<ValueInfo>* list : {&graph.inputs, &graph.values, &graph.outputs}) {
    for (const ValueInfo& info : *list) {
      if (info.name == name) return &info;
    }
  }
  return nullptr;
}

/// What the file knows about one future input.
struct Declared {
  DType dtype = DType::Float32;
  std::optional<std::vector<Dimension>> shape;
};

std::string text_of(const std::vector<Dimension>& shape) {
  std::string text;
  for (const Dimension& d : shape) {
    text += text.empty() ? "" : ", ";
    text += !d.symbol.empty() ? std::string(d.symbol) : d.value && *d.value > 0 ? std::to_string(*d.value) : "?";
  }
  return "[" + text + "]";
}

class Planner {
 public:
  Planner(const GraphProto& graph, const ImportOptions& options, const InferTensor& infer, const std::string& file,
          Diagnostics& problems)
      : graph_(graph), options_(options), infer_(infer), file_(file), problems_(problems) {}

  Declared declared(Bytes name) {
    Declared result;
    if (const ValueInfo* info = find_info(graph_, name)) {
      if (!info->other_kind.empty()) {
        add(Code::ImportUnsupportedType, name,
            fmt::format("input '{}' is a {}, expected a tensor", name, info->other_kind));
        return result;
      }
      if (info->type != ElementType::Undefined) {
        if (const std::optional<DType> dtype = ir_dtype(info->type)) {
          result.dtype = *dtype;
        } else {
          add(Code::ImportUnsupportedType, name,
              fmt::format("input '{}' has element type {}, which is not supported: {}", name,
                          openrknn::onnx::name(info->type), type_refusal(info->type)));
        }
      }
      result.shape = info->shape;
      return result;
    }
    for (const TensorProto& tensor : graph_.initializers) {
      if (tensor.name != name) continue;
      result.dtype = ir_dtype(tensor.type).value_or(DType::Float32);
      result.shape.emplace();
      for (const int64_t extent : tensor.dims) result.shape->push_back({extent, {}});
      return result;
    }
    if (const auto inferred = infer_(name)) {
      result.dtype = inferred->first;
      result.shape.emplace();
      for (const int64_t extent : inferred->second) result.shape->push_back({extent, {}});
    }
    return result;
  }

  /// Symbols that the shapes given for other inputs fix.
  void learn(const Declared& input, const Shape& given) {
    if (!input.shape || input.shape->size() != given.size()) return;
    for (size_t d = 0; d < given.size(); ++d) {
      const Bytes symbol = (*input.shape)[d].symbol;
      if (!symbol.empty() && given[d] >= 0) learned_.emplace(symbol, given[d]);
    }
  }

  std::optional<Shape> resolve(Bytes name, const Declared& input, const Shape* given) {
    if (!input.shape && given == nullptr) {
      add(Code::ImportUnknownDimension, name, fmt::format("the file does not say the shape of input '{}'", name),
          fmt::format(
              "give it: inputs=['{}'], input_size_list=[[1, 3, 224, 224]] (input_shapes=… in openrknn.import_model)",
              name));
      return std::nullopt;
    }
    if (given != nullptr && input.shape && input.shape->size() != given->size()) {
      add(Code::ImportShapeMismatch, name,
          fmt::format("input '{}' was given shape {}, but the model has {}", name, to_string(*given),
                      text_of(*input.shape)),
          fmt::format("give {} numbers", input.shape->size()));
      return std::nullopt;
    }
    const size_t rank = given != nullptr ? given->size() : input.shape->size();
    Shape shape;
    std::vector<std::string> missing;
    for (size_t d = 0; d < rank; ++d) {
      const Dimension declared = input.shape ? (*input.shape)[d] : Dimension{};
      std::optional<int64_t> extent;
      if (given != nullptr && (*given)[d] >= 0) {
        extent = (*given)[d];  // may overrule a number in the file, as for the batch
      } else if (const auto fixed = options_.dimensions.find(std::string(declared.symbol));
                 !declared.symbol.empty() && fixed != options_.dimensions.end()) {
        extent = fixed->second;
      } else if (const auto other = learned_.find(declared.symbol);
                 !declared.symbol.empty() && other != learned_.end()) {
        extent = other->second;
      } else if (declared.value && *declared.value > 0) {
        extent = *declared.value;
      }
      if (!extent) {
        missing.push_back(declared.symbol.empty() ? fmt::format("dimension {} (unnamed)", d)
                                                  : fmt::format("'{}'", declared.symbol));
        if (!declared.symbol.empty()) missing_symbols_.emplace(declared.symbol, 1);
      }
      shape.push_back(extent.value_or(1));
    }
    if (!missing.empty()) {
      std::string list, symbols, example;
      for (const std::string& m : missing) list += (list.empty() ? "" : ", ") + m;
      for (size_t d = 0; d < rank; ++d) {
        const Dimension& dimension = (*input.shape)[d];
        if (!dimension.symbol.empty() && missing_symbols_.contains(dimension.symbol)) {
          const std::string entry = fmt::format("\"{}\": …", dimension.symbol);
          if (symbols.find(entry) == std::string::npos) symbols += (symbols.empty() ? "" : ", ") + entry;
        }
      }
      const std::string by_name = symbols.empty() ? "" : fmt::format(", or dimensions={{{}}}", symbols);
      add(Code::ImportUnknownDimension, name,
          fmt::format("input '{}' has shape {}: {} must be fixed", name, text_of(*input.shape), list),
          fmt::format("give the whole shape, {} numbers, in input_size_list of load_onnx (in openrknn.import_model: "
                      "input_shapes{})",
                      rank, by_name));
      return std::nullopt;
    }
    try {
      element_count(shape);
    } catch (const Error&) {
      add(Code::ImportShapeMismatch, name,
          fmt::format("input '{}' has an impossible shape {}", name, to_string(shape)));
      return std::nullopt;
    }
    if (std::any_of(shape.begin(), shape.end(), [](int64_t extent) { return extent > kLargestExtent; })) {
      add(Code::ImportShapeMismatch, name,
          fmt::format("input '{}' has an impossible shape {}", name, to_string(shape)));
      return std::nullopt;
    }
    return shape;
  }

  void check_dimension_names() {
    std::vector<Bytes> known;
    for (const std::vector<ValueInfo>* list : {&graph_.inputs, &graph_.values, &graph_.outputs}) {
      for (const ValueInfo& info : *list) {
        for (const Dimension& d : info.shape.value_or(std::vector<Dimension>{})) {
          if (!d.symbol.empty() && std::find(known.begin(), known.end(), d.symbol) == known.end())
            known.push_back(d.symbol);
        }
      }
    }
    for (const auto& [symbol, extent] : options_.dimensions) {
      if (std::find(known.begin(), known.end(), symbol) == known.end()) {
        add(Code::ImportUnknownDimension, {},
            fmt::format("the model has no dimension named '{}'{}", symbol, near_matches(symbol, known)),
            known.empty() ? "it has no symbolic dimensions"
                          : fmt::format("its symbolic dimensions are {}", quoted_list(known)));
      } else if (extent < 0 || extent > kLargestExtent) {
        add(Code::ImportUnknownDimension, {}, fmt::format("dimension '{}' was given as {}", symbol, extent),
            "give a positive number");
      }
    }
  }

  void add(Code code, Bytes tensor, std::string problem, std::string fix = {}) {
    Location where;
    where.file = file_;
    where.tensor = std::string(tensor);
    problems_.add(code, where, std::move(problem), std::move(fix));
  }

 private:
  const GraphProto& graph_;
  const ImportOptions& options_;
  const InferTensor& infer_;
  const std::string& file_;
  Diagnostics& problems_;
  Symbols learned_, missing_symbols_;
};

}  // namespace

std::vector<InputPlan> plan_inputs(const GraphProto& graph, const std::vector<Bytes>& names,
                                   const std::function<bool(Bytes)>& is_needed, const ImportOptions& options,
                                   const InferTensor& infer, const std::string& file, Diagnostics& problems) {
  Planner planner(graph, options, infer, file, problems);
  planner.check_dimension_names();
  const auto aligned = [&](size_t count, std::string_view what) {
    if (count == 0 || count == names.size()) return;
    planner.add(Code::InvalidArgument, {},
                fmt::format("{} {} for {} input{} ({})", count, what, names.size(), names.size() == 1 ? "" : "s",
                            quoted_list(names)),
                "give one entry per input, in that order");
  };
  aligned(options.input_shapes.size(), "input shapes");
  aligned(options.initial_values.size(), "initial values");
  for (const auto& [name, value] : options.constants) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      planner.add(Code::InvalidArgument, name, fmt::format("the model has no input '{}' to freeze", name),
                  fmt::format("its inputs are {}", quoted_list(names)));
    }
  }
  const auto frozen_value = [&](size_t i) -> const Tensor* {
    if (i < options.initial_values.size() && options.initial_values[i]) return &*options.initial_values[i];
    const auto found = options.constants.find(std::string(names[i]));
    return found != options.constants.end() ? &found->second : nullptr;
  };

  std::vector<Shape> shapes = options.input_shapes;
  const auto given_shape = [&](size_t i) -> const Shape* {
    return i < shapes.size() && !shapes[i].empty() ? &shapes[i] : nullptr;
  };
  std::vector<std::optional<Declared>> declared(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    if (!is_needed(names[i])) continue;
    declared[i] = planner.declared(names[i]);
    // Scripts leave the batch of images out: [3, 224, 224].
    const bool image = declared[i]->shape && declared[i]->shape->size() == 4;
    if (image && i < shapes.size() && shapes[i].size() == 3) shapes[i].insert(shapes[i].begin(), 1);
    if (const Shape* shape = given_shape(i)) planner.learn(*declared[i], *shape);
  }
  std::vector<InputPlan> plans;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!declared[i]) continue;
    InputPlan plan;
    plan.name = std::string(names[i]);
    plan.dtype = declared[i]->dtype;
    if (const Tensor* given = frozen_value(i)) {
      const Tensor& value = *given;
      const Shape frozen = value.shape();
      const std::optional<Shape> shape =
          planner.resolve(names[i], *declared[i], frozen.empty() ? given_shape(i) : &frozen);
      if (!shape) continue;
      if (*shape != frozen) {
        planner.add(Code::ImportShapeMismatch, names[i],
                    fmt::format("the initial value of '{}' has shape {}, expected {}", names[i], to_string(frozen),
                                to_string(*shape)));
        continue;
      }
      plan.frozen = cast(value, plan.dtype);
      plan.shape = frozen;
    } else {
      const std::optional<Shape> shape = planner.resolve(names[i], *declared[i], given_shape(i));
      if (!shape) continue;
      plan.shape = *shape;
    }
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace openrknn::onnx
