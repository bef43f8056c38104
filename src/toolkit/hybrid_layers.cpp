#include "toolkit/hybrid_layers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "compiler/analysis/analyze.h"
#include "compiler/quantize/precision_rules.h"
#include "compiler/vendor_names.h"
#include "core/base/text.h"

namespace openrknn {
namespace {

// ---- what a build does

std::vector<ValueId> real_results(const Graph& golden) {
  std::vector<ValueId> values;
  for (const NodeId id : golden.order()) {
    for (const ValueId output : golden[id].outputs) {
      if (output != ValueId::None && is_real(golden, output)) values.push_back(output);
    }
  }
  return values;
}

// ---- paths

std::set<NodeId> downstream(const Graph& golden, ValueId from) {
  std::set<NodeId> found;
  std::vector<ValueId> open = {from};
  while (!open.empty()) {
    const ValueId value = open.back();
    open.pop_back();
    for (const NodeId user : golden.users(value)) {
      if (!found.insert(user).second) continue;
      for (const ValueId output : golden[user].outputs) {
        if (output != ValueId::None) open.push_back(output);
      }
    }
  }
  return found;
}

std::set<NodeId> upstream(const Graph& golden, ValueId to) {
  std::set<NodeId> found;
  std::vector<ValueId> open = {to};
  while (!open.empty()) {
    const NodeId producer = golden[open.back()].producer;
    open.pop_back();
    if (producer == NodeId::None || !found.insert(producer).second) continue;
    for (const ValueId input : golden[producer].inputs) {
      if (input != ValueId::None) open.push_back(input);
    }
  }
  return found;
}

using List = std::vector<ArgumentValue>;

/// Two names; also [["a", "b"]] written as ["a", "b"].
std::vector<std::pair<std::string, std::string>> pairs_of(const ArgumentValue& given, Diagnostics& problems) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto* list = std::get_if<List>(&given.data);
  const auto text = [](const ArgumentValue& item) { return std::get_if<std::string>(&item.data); };
  const bool flat = list != nullptr && list->size() == 2 && text((*list)[0]) != nullptr && text((*list)[1]) != nullptr;
  const List items = flat ? List{given} : list != nullptr ? *list : List{given};
  for (const ArgumentValue& item : items) {
    const auto* pair = std::get_if<List>(&item.data);
    if (pair != nullptr && pair->size() == 2 && text((*pair)[0]) != nullptr && text((*pair)[1]) != nullptr) {
      pairs.emplace_back(*text((*pair)[0]), *text((*pair)[1]));
    } else {
      problems.add(Code::ConfigBadValue, {},
                   fmt::format("custom_hybrid: got {}, expected [name of a tensor, name of a tensor]", to_string(item)),
                   "write custom_hybrid=[['from', 'to'], ...] with names of the .model file");
    }
  }
  return pairs;
}

// ---- an edited file

bool same(double a, double b, double scale) { return std::abs(a - b) <= 1e-6 * std::abs(scale) + 1e-30; }

std::string joined(const std::vector<std::string>& names) {
  constexpr size_t kMost = 8;
  const std::vector<std::string> first(names.begin(),
                                       names.begin() + static_cast<std::ptrdiff_t>(std::min(kMost, names.size())));
  return fmt::format("'{}'{}", fmt::join(first, "', '"),
                     names.size() > kMost ? fmt::format(" and {} more", names.size() - kMost) : "");
}

class Comparison {
 public:
  Comparison(const Graph& golden, const std::string& file) : golden_(golden), file_(file) {}

  HybridEdits compare(const HybridConfig& edited, const HybridConfig& written) {
    require_same_tensors(edited, written);
    for (const CustomLayer& layer : edited.layers) take_layer(layer);
    for (const TensorParameters& tensor : edited.parameters) take_parameters(tensor, *written_.at(tensor.name));
    problems_.throw_if_any();
    return std::move(edits_);
  }

 private:
  Location at(int64_t line) const { return Location{.file = file_, .line = line}; }

  /// Files that do not belong together are told at once: nothing else in them means anything.
  void require_same_tensors(const HybridConfig& edited, const HybridConfig& written) {
    for (const TensorParameters& tensor : written.parameters) written_[tensor.name] = &tensor;
    std::set<std::string_view> names;
    std::vector<std::string> strange, missing;
    for (const TensorParameters& tensor : edited.parameters) {
      names.insert(tensor.name);
      if (!written_.contains(tensor.name)) strange.push_back(tensor.name);
    }
    for (const TensorParameters& tensor : written.parameters) {
      if (!names.contains(tensor.name)) missing.push_back(tensor.name);
    }
    const auto tell = [&](const std::vector<std::string>& list, std::string_view what) {
      if (list.empty()) return;
      problems_.add(Code::ConfigBadValue, at(0), fmt::format("quantize_parameters {} {}", what, joined(list)),
                    "pass the three files of one hybrid_quantization_step1, and leave names as they are");
    };
    tell(strange, "holds tensors the model does not have:");
    tell(missing, "lacks tensors of the model:");
    problems_.throw_if_any();
  }

  void take_layer(const CustomLayer& layer) {
    const std::string name = layer_named(golden_, layer.name);
    const std::string dtype = lower_case(layer.dtype);
    constexpr std::pair<std::string_view, DType> kTypes[] = {
        {"int8", DType::Int8}, {"int16", DType::Int16}, {"float16", DType::Float16}};
    const auto* const type =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& row) { return row.first == dtype; });
    if (name.empty()) {
      const ValueId value = golden_.find(layer.name);
      problems_.add(Code::QuantizeUnknownLayer, at(layer.line),
                    fmt::format("Invalid operands name '{}' in custom_quantize_layers!", layer.name),
                    value != ValueId::None
                        ? "it is an input or a constant of the model; name the output tensor of a layer"
                        : "names are the keys of quantize_parameters and the tensors of the .model file");
    }
    if (type == std::end(kTypes)) {
      problems_.add(Code::ConfigBadValue, at(layer.line),
                    fmt::format("custom_quantize_layers['{}']: got dtype '{}', expected int8, int16 or float16",
                                layer.name, layer.dtype),
                    "write one of the three");
    }
    if (name.empty() || type == std::end(kTypes)) return;
    edits_.rules.push_back({.kind = PrecisionRule::Kind::Tensor,
                            .pattern = name,
                            .dtype = type->second,
                            .source = fmt::format("custom_quantize_layers: {}: {}", layer.name, dtype)});
  }

  void take_parameters(const TensorParameters& tensor, const TensorParameters& before) {
    const auto refuse = [&](std::string_view key, std::string fix) {
      problems_.add(Code::ConfigBadValue, at(tensor.line),
                    fmt::format("The quantize_parameters['{}']['{}'] is not allowed to be modified!", tensor.name, key),
                    std::move(fix));
    };
    const double step = before.scale.empty() ? 0 : before.scale[0];
    const auto differs = [&](const std::vector<double>& a, const std::vector<double>& b, double scale) {
      return !a.empty() && (a.size() != b.size() || !same(a[0], b[0], scale));
    };
    if (differs(tensor.scale, before.scale, step)) {
      refuse("scale", "edit min and max instead: the scale follows from them");
    }
    if (!tensor.zero_point.empty() && tensor.zero_point != before.zero_point) {
      refuse("zero_point", "edit min and max instead: the zero point follows from them");
    }
    if (!tensor.dtype.empty() && tensor.dtype != before.dtype) {
      refuse("dtype", fmt::format("write `    {}: {}` under custom_quantize_layers", tensor.name, tensor.dtype));
    }
    if (!tensor.qtype.empty() && tensor.qtype != "asymmetric_quantized" && tensor.qtype != "asym") {
      refuse("qtype", "leave it at asymmetric_quantized");
    }
    const double width = before.max.empty() || before.min.empty() ? 0 : before.max[0] - before.min[0];
    const bool low = differs(tensor.min, before.min, width), high = differs(tensor.max, before.max, width);
    if (low || high) take_range(tensor, before, low, high);
  }

  void take_range(const TensorParameters& tensor, const TensorParameters& before, bool low, bool high) {
    const auto one = [](const std::vector<double>& values) { return values.size() == 1; };
    const bool has_both = one(before.min) && one(before.max) && (!low || one(tensor.min)) && (!high || one(tensor.max));
    const double lowest = low && has_both ? tensor.min[0] : has_both ? before.min[0] : 0;
    const double highest = high && has_both ? tensor.max[0] : has_both ? before.max[0] : 0;
    if (!has_both || !(lowest < highest)) {
      problems_.add(
          Code::ConfigBadValue, at(tensor.line),
          fmt::format("quantize_parameters['{}']: min {} and max {} are no range", tensor.name, lowest, highest),
          "give one number each, min below max");
      return;
    }
    const auto tell = [&](std::string_view key, double from, double to) {
      edits_.warnings.push_back(
          fmt::format("The quantize_parameters['{}']['{}'] is changed from {} to {}!", tensor.name, key, from, to));
    };
    if (low) tell("min", before.min[0], lowest);
    if (high) tell("max", before.max[0], highest);
    edits_.ranges[tensor.name] = {lowest, highest};
  }

  const Graph& golden_;
  const std::string& file_;
  std::map<std::string_view, const TensorParameters*> written_;
  HybridEdits edits_;
  Diagnostics problems_;
};

}  // namespace

std::vector<TensorParameters> tensor_parameters(const Compiled& compiled) {
  const Graph &golden = compiled.golden, &built = compiled.model.variants.front();
  std::vector<ValueId> values;
  for (const ValueId input : golden.inputs) {
    if (is_real(golden, input)) values.push_back(input);
  }
  for (const ValueId result : real_results(golden)) values.push_back(result);
  std::vector<TensorParameters> list;
  for (const ValueId id : values) {
    const Value& value = built[id];
    TensorParameters& tensor = list.emplace_back(TensorParameters{.name = golden[id].name});
    tensor.dtype = numpy_name(value.dtype);
    if (const auto seen = compiled.recipe.calibration.find(golden[id].name);
        seen != compiled.recipe.calibration.end() && seen->second.has_range()) {
      tensor.ori_min = {static_cast<double>(seen->second.lowest)};
      tensor.ori_max = {static_cast<double>(seen->second.highest)};
    }
    if (!value.quant) {
      tensor.min = tensor.ori_min;
      tensor.max = tensor.ori_max;
      continue;
    }
    const double scale = value.quant->scale[0];
    const int64_t zero_point = value.quant->zero_point[0];
    // What the codes reach: a range from which the same scale and zero point follow.
    tensor.scale = {scale};
    tensor.zero_point = {zero_point};
    tensor.min = {static_cast<double>(lowest_code(value.dtype) - zero_point) * scale};
    tensor.max = {static_cast<double>(highest_code(value.dtype) - zero_point) * scale};
  }
  return list;
}

std::vector<CustomLayer> layers_between(const Graph& golden, const ArgumentValue& custom_hybrid) {
  Diagnostics problems;
  std::set<NodeId> chosen;
  for (const auto& [from, to] : pairs_of(custom_hybrid, problems)) {
    const ValueId first = golden.find(from), last = golden.find(to);
    for (const auto& [name, value] : {std::pair(from, first), std::pair(to, last)}) {
      if (value != ValueId::None) continue;
      problems.add(Code::QuantizeUnknownLayer, Location{.tensor = name},
                   fmt::format("custom_hybrid: the model has no tensor '{}' after optimization", name),
                   "take names from the .model file or from quantize_parameters");
    }
    if (first == ValueId::None || last == ValueId::None) continue;
    const std::set<NodeId> after = downstream(golden, first), before = upstream(golden, last);
    std::set<NodeId> between;
    std::set_intersection(after.begin(), after.end(), before.begin(), before.end(),
                          std::inserter(between, between.end()));
    if (between.empty() && first == last && golden[last].producer != NodeId::None) between = {golden[last].producer};
    if (between.empty()) {
      problems.add(Code::ConfigBadValue, Location{.tensor = from},
                   fmt::format("custom_hybrid: no path leads from '{}' to '{}'", from, to),
                   "the first name has to come before the second one");
    }
    chosen.merge(between);
  }
  problems.throw_if_any();
  std::vector<CustomLayer> layers;
  for (const ValueId value : real_results(golden)) {
    if (chosen.contains(golden[value].producer)) layers.push_back({.name = golden[value].name, .dtype = "float16"});
  }
  return layers;
}

std::vector<CustomLayer> proposed_layers(const Compiled& compiled, const Samples& samples, ThreadPool& pool,
                                         const Progress& progress) {
  constexpr double kGoodCosine = 0.999;
  constexpr size_t kShare = 10;
  const Graph &golden = compiled.golden, &built = compiled.model.variants.front();
  const std::vector<LayerRow> rows = layer_rows(golden, built);
  const Analysis analysis = analyze(golden, built, compiled.model.arithmetic, rows, samples, pool, progress);
  std::vector<const AnalyzedLayer*> worst;
  size_t codes = 0;
  std::set<std::string_view> seen;
  for (const AnalyzedLayer& layer : analysis.layers) {
    const ValueId value = golden.find(layer.row.reference);
    const bool is_layer = value != ValueId::None && golden[value].producer != NodeId::None && built[value].quant;
    if (layer.row.is_blank() || !is_layer || !seen.insert(layer.row.reference).second) continue;
    ++codes;
    if (layer.single.cosine < kGoodCosine) worst.push_back(&layer);
  }
  std::stable_sort(worst.begin(), worst.end(),
                   [](const AnalyzedLayer* a, const AnalyzedLayer* b) { return a->single.cosine < b->single.cosine; });
  worst.resize(std::min(worst.size(), (codes + kShare - 1) / kShare));
  std::vector<CustomLayer> layers;
  for (const AnalyzedLayer* layer : worst) {
    layers.push_back({.name = layer->row.reference,
                      .dtype = "float16",
                      .comment = fmt::format("cosine of the layer alone: {:.5f}", layer->single.cosine)});
  }
  return layers;
}

HybridEdits edits_of(const HybridConfig& edited, const HybridConfig& written, const Graph& golden,
                     const std::string& file) {
  return Comparison(golden, file).compare(edited, written);
}

}  // namespace openrknn
