#include "compiler/shape_sets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"

namespace openrknn {
namespace {

std::string text_of(const ShapeSet& set) {
  std::vector<std::string> shapes;
  for (const Shape& shape : set) shapes.push_back(to_string(shape));
  return fmt::format("[{}]", fmt::join(shapes, ", "));
}

int64_t elements(const Graph& graph) {
  int64_t total = 0;
  for (const ValueId id : graph.inputs) total += element_count(graph[id].shape);
  return total;
}

/// What a graph of another set of shapes may not differ in.
void compare_interface(const Graph& graph, const Graph& first, const std::string& set, Diagnostics& problems) {
  const auto compare = [&](const std::vector<ValueId>& own, const std::vector<ValueId>& other, const char* side) {
    const bool same =
        own.size() == other.size() && std::equal(own.begin(), own.end(), other.begin(), [&](ValueId a, ValueId b) {
          return graph[a].name == first[b].name && graph[a].shape.size() == first[b].shape.size();
        });
    if (same) return;
    problems.add(Code::ImportShapeMismatch, {},
                 fmt::format("{}: the {} have other names or ranks than in the first set", set, side),
                 "sets differ in extents only");
  };
  compare(graph.inputs, first.inputs, "inputs");
  compare(graph.outputs, first.outputs, "outputs");
}

bool is_same(const Tensor& a, const Tensor& b) { return a.bytes().data() != b.bytes().data() && identical(a, b); }

}  // namespace

std::vector<Graph> import_shape_sets(const Importer& importer, const std::filesystem::path& path,
                                     const ImportOptions& options, const std::vector<ShapeSet>& sets) {
  Diagnostics problems;
  std::vector<Graph> graphs;
  for (size_t i = 0; i < sets.size(); ++i) {
    const std::string set = fmt::format("dynamic_input[{}] = {}", i, text_of(sets[i]));
    const auto same = std::find(sets.begin(), sets.begin() + static_cast<std::ptrdiff_t>(i), sets[i]);
    if (same != sets.begin() + static_cast<std::ptrdiff_t>(i)) {
      problems.add(Code::ConfigBadValue, {}, fmt::format("{} is dynamic_input[{}] again", set, same - sets.begin()),
                   "give every set once");
      continue;
    }
    ImportOptions with_shapes = options;
    with_shapes.input_shapes = sets[i];
    try {
      graphs.push_back(importer.import(path, with_shapes));
      compare_interface(graphs.back(), graphs.front(), set, problems);
    } catch (const Error& error) {
      for (Diagnostic diagnostic : error.diagnostics) {
        diagnostic.problem = fmt::format("{}: {}", set, diagnostic.problem);
        problems.add(diagnostic);
      }
    }
  }
  problems.throw_if_any();
  std::stable_sort(graphs.begin(), graphs.end(),
                   [](const Graph& a, const Graph& b) { return elements(a) > elements(b); });
  return graphs;
}

void add_aliases(const Graph& graph, Calibration& calibration) {
  for (int32_t i = 0; i < graph.value_count(); ++i) {
    const Value& value = graph[ValueId(i)];
    const auto seen = calibration.find(value.name);
    if (seen == calibration.end()) continue;
    const Statistics statistics = seen->second;
    for (const std::string& alias : value.aliases) calibration.emplace(alias, statistics);
  }
}

void share_between_variants(std::vector<Graph>& variants) {
  Diagnostics problems;
  const Graph& first = variants.front();
  for (size_t v = 1; v < variants.size(); ++v) {
    Graph& variant = variants[v];
    for (int32_t i = 0; i < variant.value_count(); ++i) {
      Value& value = variant[ValueId(i)];
      const ValueId other = value.constant ? first.find(value.name) : ValueId::None;
      if (other == ValueId::None || !first[other].constant) continue;
      if (is_same(*value.constant, *first[other].constant)) value.constant = first[other].constant;
    }
    const auto compare = [&](const std::vector<ValueId>& own, const std::vector<ValueId>& others) {
      for (size_t i = 0; i < own.size(); ++i) {
        const Value &a = variant[own[i]], &b = first[others[i]];
        if (a.dtype == b.dtype && a.quant == b.quant) continue;
        problems.add(
            Code::QuantizeUnsupported, Location{.tensor = a.name},
            fmt::format("has another type or scale at shape {} than at {}", to_string(a.shape), to_string(b.shape)),
            "its scale depends on the shape: leave this set of shapes out, or cut the model before it");
      }
    };
    compare(variant.inputs, first.inputs);
    compare(variant.outputs, first.outputs);
  }
  problems.throw_if_any();
}

}  // namespace openrknn
