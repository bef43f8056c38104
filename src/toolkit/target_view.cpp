#include "toolkit/target_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/compile.h"
#include "compiler/planned_types.h"
#include "core/base/file.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn {
namespace {

TargetViews view_compiled(const TargetRequest& request) {
  const auto model = std::make_shared<const Model>(read(MappedFile::open(request.model)));
  TargetViews result{.graph = {model, &model->variants.front()}};
  std::vector<std::string> names = request.targets;
  if (names.empty()) names.push_back(model->target);
  for (const Target* target : targets_named(names)) {
    result.views.push_back({target, build_of(*result.graph), types_of_graph(*result.graph, model->sparse)});
  }
  return result;
}

}  // namespace

std::string build_of(const Graph& graph) {
  bool has_codes = false, has_halves = false, has_words = false;
  for (const NodeId id : graph.order()) {
    const DType dtype = computing_type(graph, graph[id]);
    has_codes = has_codes || dtype == DType::Int8;
    has_words = has_words || dtype == DType::Int16;
    has_halves = has_halves || (dtype == DType::Float16 && graph[id].op != "Convert");
  }
  const std::string_view base = has_codes ? "int8" : has_words ? "int16" : "float16";
  return fmt::format("{}{}", base, has_halves && base != "float16" ? " and float16" : "");
}

std::vector<const Target*> targets_named(const std::vector<std::string>& names) {
  std::vector<const Target*> targets;
  Diagnostics problems;
  for (const std::string& name : names) {
    if (name == "all") {
      for (const Target& target : all_targets()) targets.push_back(&target);
    } else if (const Target* found = find_target(name)) {
      targets.push_back(found);
    } else {
      std::string known;
      for (const Target& target : all_targets()) known += fmt::format("{} ", target.name);
      problems.add(Code::ConfigUnknownPlatform, {}, fmt::format("'{}' is not a target", name),
                   fmt::format("choose one of {}or all", known));
    }
  }
  problems.throw_if_any();
  return targets;
}

TargetViews view_targets(const TargetRequest& request) {
  if (request.model.extension() == ".rknn") return view_compiled(request);
  const std::vector<std::string> all = {"all"};
  const std::vector<const Target*> targets = targets_named(request.targets.empty() ? all : request.targets);
  TargetViews result{.graph = std::make_shared<const Graph>(
                         optimize(importer_for(request.model).import(request.model, request.source)))};
  for (const Target* target : targets) {
    const Scheme scheme = request.scheme.value_or(Scheme::W8A8);
    const bool quantize = request.quantize && supports(*target, scheme);
    if (request.quantize && request.scheme && !quantize) {
      if (targets.size() > 1) continue;  // of a table, the SoCs that have it
      fail(Code::ConfigUnsupported, fmt::format("{} has no {}", target->display_name, name(scheme)),
           "leave the scheme out, or choose another target");
    }
    result.views.push_back({target, std::string(quantize ? name(scheme) : "float16"),
                            planned_types(*result.graph, *target, {.scheme = scheme, .quantize = quantize})});
  }
  return result;
}

}  // namespace openrknn
