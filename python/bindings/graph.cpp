// openrknn.Graph: an imported model in real numbers.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/graph.h"
#include "bindings/interrupt.h"
#include "bindings/model.h"
#include "bindings/subjects.h"
#include "core/graph/text.h"
#include "toolkit/export_onnx.h"
#include "toolkit/profile.h"

namespace openrknn::python {
namespace {

/// As the source has them: names, shapes, dtypes.
nb::list describe_ports(const Graph& graph, const std::vector<ValueId>& ids, const std::vector<Port>& ports) {
  nb::list list;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Shape shape = expected_shape(ports[i], graph[ids[i]].shape, PortLayout::Source);
    list.append(nb::make_tuple(ports[i].name, nb::cast(shape), std::string(numpy_name(ports[i].dtype))));
  }
  return list;
}

nb::list describe_nodes(const Graph& graph) {
  nb::list list;
  const auto names = [&](const std::vector<ValueId>& ids) {
    nb::list out;
    for (const ValueId id : ids) out.append(id == ValueId::None ? std::string() : graph[id].name);
    return out;
  };
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    nb::dict entry;
    entry["name"] = node.name;
    entry["op"] = node.op;
    entry["inputs"] = names(node.inputs);
    entry["outputs"] = names(node.outputs);
    nb::list origins;
    for (const int32_t origin : node.origins) origins.append(graph.origins[static_cast<size_t>(origin)].node);
    entry["origins"] = origins;
    list.append(entry);
  }
  return list;
}

}  // namespace

std::vector<Tensor> tensors_from_feeds(nb::handle feeds, const std::vector<std::string>& names) {
  std::vector<Tensor> tensors;
  if (nb::isinstance<nb::dict>(feeds)) {
    const nb::dict dict = nb::borrow<nb::dict>(feeds);
    Diagnostics problems;
    for (const auto [key, value] : dict) {
      const std::string name = nb::cast<std::string>(nb::str(key));
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        problems.add(Code::RuntimeBadInput, Location{.tensor = name}, "the model has no such input",
                     fmt::format("inputs: {}", fmt::join(names, ", ")));
      }
    }
    for (const std::string& name : names) {
      if (!dict.contains(name.c_str()))
        problems.add(Code::RuntimeBadInput, Location{.tensor = name}, "this input is not fed");
    }
    problems.throw_if_any();
    for (const std::string& name : names)
      tensors.push_back(tensor_from_array(dict[name.c_str()], "input '" + name + "'"));
    return tensors;
  }
  if (nb::isinstance<nb::list>(feeds) || nb::isinstance<nb::tuple>(feeds)) {
    for (const nb::handle item : feeds)
      tensors.push_back(tensor_from_array(item, fmt::format("input {}", tensors.size())));
    return tensors;
  }
  tensors.push_back(tensor_from_array(feeds, "input 0"));  // one array for one input
  return tensors;
}

void bind_graph(nb::module_& module) {
  nb::class_<PyGraph>(module, "Graph",
                      "What a model computes, in float32. Not thread-safe: one run at a time per object.")
      .def_prop_ro(
          "inputs",
          [](const PyGraph& self) { return describe_ports(self.graph, self.graph.inputs, source_inputs(self.graph)); },
          "list of (name, shape, dtype)")
      .def_prop_ro(
          "outputs",
          [](const PyGraph& self) {
            return describe_ports(self.graph, self.graph.outputs, source_outputs(self.graph));
          },
          "list of (name, shape, dtype)")
      .def_prop_ro(
          "nodes", [](const PyGraph& self) { return describe_nodes(self.graph); },
          "list of dicts: name, op, inputs, outputs, origins")
      .def_prop_ro(
          "metadata", [](const PyGraph& self) { return self.graph.metadata; }, "the source file's own properties")
      .def(
          "profile",
          [](const PyGraph& self, int threads) {
            std::vector<OperationTime> times;
            {
              const nb::gil_scoped_release release;
              times = profile(optimize(self.graph), {}, threads, 5, until_interrupted());
            }
            return list_of_times(times);
          },
          nb::arg("threads") = 0, "Like Model.profile, of the graph in float32.")
      .def(
          "export_onnx",
          [](const PyGraph& self, const nb::object& path, bool optimized) {
            const std::string target = nb::cast<std::string>(nb::str(path));
            const nb::gil_scoped_release release;
            export_onnx(optimized ? optimize(self.graph) : self.graph, target);
          },
          nb::arg("path"), nb::kw_only(), nb::arg("optimize") = true,
          "Writes the graph as ONNX, as it computes: golden, or with optimize=False every node as it was imported.")
      .def("__str__", [](const PyGraph& self) { return to_text(self.graph); })
      .def(
          "run",
          [](PyGraph& self, nb::handle feeds, bool optimized) {
            const std::vector<Tensor> inputs = tensors_from_feeds(feeds, self.input_names());
            std::vector<Tensor> outputs;
            {
              const nb::gil_scoped_release release;
              GraphRunner& runner = self.runner(optimized);
              runner.set_checkpoint(
                  [calls = std::make_shared<int64_t>(0)] {  // a loop may go on for ever: let Ctrl-C in
                    if (++*calls % 64 != 0) return;
                    const nb::gil_scoped_acquire held;
                    if (PyErr_CheckSignals() != 0) throw nb::python_error();
                  });
              outputs = runner.run(inputs);
            }
            return arrays_from_tensors(std::move(outputs));
          },
          nb::arg("feeds"), nb::kw_only(), nb::arg("optimize") = true,
          "run(feeds: dict | list | array, *, optimize=True) -> list of arrays\n\nRuns the graph in float32. Arrays "
          "are "
          "in the model's own layout; numeric types are converted. optimize=True computes golden, the graph a compile "
          "quantizes; False computes every node as it was imported. Raises openrknn.Error for wrong names, counts and "
          "shapes.");
  module.def(
      "import_model",
      [](const std::string& path, std::vector<std::string> inputs, std::vector<std::string> outputs,
         std::vector<Shape> input_shapes, std::map<std::string, int64_t> dimensions, nb::dict constants,
         const std::string& weights) {
        ImportOptions options;
        options.inputs = std::move(inputs);
        options.outputs = std::move(outputs);
        options.input_shapes = std::move(input_shapes);
        options.dimensions = std::move(dimensions);
        options.weights = weights;
        for (const auto [key, value] : constants) {
          const std::string name = nb::cast<std::string>(key);
          options.constants.emplace(name, tensor_from_array(value, "initial_values['" + name + "']"));
        }
        const nb::gil_scoped_release release;
        return PyGraph(path, options);
      },
      nb::arg("path"), nb::arg("inputs"), nb::arg("outputs"), nb::arg("input_shapes"), nb::arg("dimensions"),
      nb::arg("constants"), nb::arg("weights"));
}

}  // namespace openrknn::python
