// openrknn._core.Session: what openrknn.InferenceSession (session.py) stands on.
#include "openrknn/session.hpp"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/gil.h"
#include "bindings/python_session.h"
#include "bindings/session_arguments.h"
#include "bindings/session_errors.h"
#include "bindings/subjects.h"

namespace openrknn::python {
namespace {

/// A callable of the user with what it is given, held until it was called. The session calls it exactly once, so it
/// frees itself then: a plain pointer fits into a std::function without an allocation.
class HeldCallback {
 public:
  enum class Form : uint8_t { Text, Exception };  // of the error: "" and text, or None and an exception

  HeldCallback(nb::handle callback, nb::handle user_data, Form form)
      : callback_(nb::borrow(callback)), user_data_(nb::borrow(user_data)), form_(form) {}

  /// On a thread of the session, without the GIL.
  void call(Completion&& completion) {
    const TakenGil gil;
    if (!gil.entered()) return;  // the interpreter ends, and what this holds with it
    try {
      nb::object results = nb::none(), error = form_ == Form::Text ? nb::object(nb::str("")) : nb::object(nb::none());
      if (completion.failure) {
        error = form_ == Form::Text ? text_of(completion.error) : exception_of(completion.failure);
      } else {
        results = arrays_of(completion.outputs);
      }
      callback_(results, user_data_, error);
    } catch (nb::python_error& raised) {
      raised.restore();
      PyErr_WriteUnraisable(callback_.ptr());  // sys.unraisablehook, with the traceback
    } catch (const std::exception& failure) {
      PyErr_SetString(PyExc_RuntimeError, failure.what());
      PyErr_WriteUnraisable(callback_.ptr());
    }
    delete this;  // under the GIL
  }

 private:
  nb::object callback_, user_data_;
  Form form_;
};

template <class Submit>
uint64_t submit_callback(nb::handle callback, nb::handle user_data, HeldCallback::Form form, const Submit& submit) {
  if (PyCallable_Check(callback.ptr()) == 0) throw nb::type_error("callback must be callable");
  auto held = std::make_unique<HeldCallback>(callback, user_data, form);
  HeldCallback* const raw = held.get();
  const ReleasedGil release;
  try {
    const uint64_t task = submit([raw](Completion&& completion) { raw->call(std::move(completion)); });
    held.release();  // the session has it, and may have called it already
    return task;
  } catch (...) {
    const nb::gil_scoped_acquire gil;
    held.reset();
    throw;
  }
}

void construct_session(PythonSession* self, nb::handle model, nb::handle provider_options, nb::handle warn,
                       const PythonSession* weights) {
  if (traffic_has_ended()) throw SessionError("the interpreter is ending: no session can be opened any more");
  SessionOptions options = parse_provider_options(options_of(provider_options));
  options.on_warning = [&](const std::string& text) {
    const nb::gil_scoped_acquire gil;
    warn(text_of(text));
  };
  if (PyObject_CheckBuffer(model.ptr()) != 0) {
    Py_buffer buffer{};
    if (PyObject_GetBuffer(model.ptr(), &buffer, PyBUF_SIMPLE) != 0) nb::raise_python_error();
    const auto release_buffer = [](Py_buffer* held) { PyBuffer_Release(held); };
    const std::unique_ptr<Py_buffer, decltype(release_buffer)> owner(&buffer, release_buffer);
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(buffer.buf), static_cast<size_t>(buffer.len));
    const ReleasedGil release;
    new (self) PythonSession(bytes, std::move(options), weights);
    return;
  }
  const std::string path = nb::cast<std::string>(nb::str(nb::module_::import_("os").attr("fsdecode")(model)));
  const ReleasedGil release;
  new (self) PythonSession(std::filesystem::path(path), std::move(options), weights);
}

nb::list run(PythonSession& self, nb::handle output_names, nb::handle input_feed, nb::handle run_options) {
  const RunOptions options = run_options_of(run_options);
  const OutputNames names = names_of(output_names);
  const HeldFeed held(input_feed, self.inputs().size());
  std::vector<Array> arrays;
  {
    const ReleasedGil release;
    arrays = self.run(names, held.feed(), options);
  }
  return arrays_of(arrays);
}

void run_async(PythonSession& self, nb::handle output_names, nb::handle input_feed, nb::handle callback,
               nb::handle user_data, nb::handle run_options) {
  const RunOptions options = run_options_of(run_options);
  const OutputNames names = names_of(output_names);
  const HeldFeed held(input_feed, self.inputs().size());
  submit_callback(callback, user_data, HeldCallback::Form::Text,
                  [&](Callback call) { return self.run_async(names, held.feed(), std::move(call), options); });
}

uint64_t run_unordered(PythonSession& self, nb::handle output_names, nb::handle input_feed, nb::handle callback,
                       bool wait) {
  const OutputNames names = names_of(output_names);
  const HeldFeed held(input_feed, self.inputs().size());
  return submit_callback(callback, nb::none(), HeldCallback::Form::Exception,
                         [&](Callback call) { return self.run_unordered(names, held.feed(), std::move(call), wait); });
}

nb::object run_pipeline(PythonSession& self, nb::handle input_feed, int64_t depth, bool reset) {
  const HeldFeed held(input_feed, self.inputs().size());
  std::optional<std::vector<Array>> arrays;
  {
    const ReleasedGil release;
    arrays = self.run_pipeline(held.feed(), depth, reset);
  }
  return arrays ? nb::object(arrays_of(*arrays)) : nb::none();
}

nb::list pipeline_drain(PythonSession& self) {
  std::vector<std::vector<Array>> results;
  {
    const ReleasedGil release;
    results = self.pipeline_drain();
  }
  nb::list list;
  for (const std::vector<Array>& arrays : results) list.append(arrays_of(arrays));
  return list;
}

bool close(PythonSession& self, bool drain, std::optional<double> timeout) {
  std::optional<std::chrono::milliseconds> limit;
  if (timeout) limit = std::chrono::milliseconds(static_cast<int64_t>(*timeout * 1000));
  const ReleasedGil release;
  return self.close(drain, limit);
}

nb::dict stats(const PythonSession& self) {
  const SessionStatistics statistics = self.stats();
  nb::dict result;
  result["submitted"] = statistics.submitted;
  result["completed"] = statistics.completed;
  result["failed"] = statistics.failed;
  result["cancelled"] = statistics.cancelled;
  result["waiting"] = statistics.waiting;
  result["running"] = statistics.running;
  result["undelivered"] = statistics.undelivered;
  result["tasks_per_worker"] = statistics.tasks_per_worker;
  const auto add = [&](const char* name, const Percentiles& percentiles) {
    nb::dict entry;
    entry["p50"] = percentiles.p50;
    entry["p95"] = percentiles.p95;
    result[name] = entry;
  };
  add("queue_us", statistics.queue);
  add("set_inputs_us", statistics.set_inputs);
  add("run_us", statistics.run);
  add("get_outputs_us", statistics.get_outputs);
  add("callback_us", statistics.callback);
  return result;
}

nb::dict session_memory_info(const PythonSession& self) {
  MemoryInfo info;
  {
    const ReleasedGil release;
    info = self.memory_info();
  }
  nb::dict result;
  result["weights"] = info.weights;
  result["internal"] = info.internal;
  result["total"] = info.total;
  result["sram_total"] = info.sram_total;
  result["sram_free"] = info.sram_free;
  return result;
}

std::vector<std::string> names_in(const std::vector<NodeArg>& args) {
  std::vector<std::string> names;
  for (const NodeArg& arg : args) names.push_back(arg.name);
  return names;
}

struct ModelMetadata {
  std::map<std::string, std::string> custom_metadata_map;
};

void bind_node_arg(nb::module_& module) {
  nb::class_<NodeArg>(
      module, "NodeArg",
      "One input or output: name, shape, type ('tensor(float16)': the model's own), layout of the shape, "
      "strides in bytes.")
      .def_ro("name", &NodeArg::name)
      .def_ro("shape", &NodeArg::shape)
      .def_ro("type", &NodeArg::type)
      .def_ro("layout", &NodeArg::layout)
      .def_ro("strides", &NodeArg::strides)
      .def("__repr__",
           [](nb::handle self) {
             return nb::str("NodeArg(name={!r}, shape={}, type={!r}, layout={!r})")
                 .attr("format")(self.attr("name"), self.attr("shape"), self.attr("type"), self.attr("layout"));
           })
      .def_prop_ro("scale",
                   [](const NodeArg& self) -> nb::object {
                     return self.quantization ? nb::cast(self.quantization->scale) : nb::none();
                   })
      .def_prop_ro("zero_point",
                   [](const NodeArg& self) -> nb::object {
                     return self.quantization ? nb::cast(self.quantization->zero_point) : nb::none();
                   })
      .def_ro("mean", &NodeArg::mean, "What run() subtracts from an input, one a channel; empty: nothing, or unknown.")
      .def_ro("std", &NodeArg::std, "What run() then divides it by.")
      .def_ro("shapes", &NodeArg::shapes, "All shapes of a model with dynamic shapes, else empty.")
      .def_prop_ro("dynamic_shape", [](const NodeArg& self) {
        nb::list shape;
        for (size_t i = 0; i < self.shape.size(); ++i) {
          bool varies = false;
          for (const std::vector<int64_t>& other : self.shapes) varies = varies || other[i] != self.shape[i];
          shape.append(varies ? nb::none() : nb::cast(self.shape[i]));
        }
        return shape;
      });
}

}  // namespace

void bind_session(nb::module_& module) {
  bind_node_arg(module);
  nb::class_<ModelMetadata>(module, "ModelMetadata").def_ro("custom_metadata_map", &ModelMetadata::custom_metadata_map);
  module.def("provider_option_names", &provider_option_names);
  module.def(
      "parse_provider_options", [](nb::handle options) { parse_provider_options(options_of(options)); },
      nb::arg("options").none());
  module.def(
      "end_sessions", [](double seconds) { return end_traffic(std::chrono::milliseconds(int64_t(seconds * 1000))); },
      nb::arg("seconds"),
      "Called once, by the exit hook, after all sessions were closed: from now on no callback is called.");
  nb::class_<PythonSession>(module, "Session", nb::is_weak_referenceable())
      .def("__init__", &construct_session, nb::arg("model").none(), nb::arg("provider_options").none(), nb::arg("warn"),
           nb::arg("use_weight_from").none())
      .def("run", &run, nb::arg("output_names") = nb::none(), nb::arg("input_feed").none(),
           nb::arg("run_options") = nb::none(),
           // A default before an argument without one is Python's to call, not to write.
           nb::sig("def run(self, output_names: collections.abc.Sequence[str] | None = None, input_feed: object = ..., "
                   "run_options: object | None = None) -> list"),
           "run(output_names, input_feed, run_options=None) -> list of arrays, one per requested output\n\n"
           "output_names: None or [] = all. input_feed: dict by name, list by position, or one array; raw values, mean "
           "and std are applied by the runtime; read-only and non-contiguous arrays are fine. run_options: "
           "'ztu_modelrt_dispatch_batch' splits dimension 0 over the cores, 'timeout_ms' limits the wait. Raises "
           "RuntimeError.")
      .def(
          "run_async", &run_async, nb::arg("output_names").none(), nb::arg("input_feed").none(),
          nb::arg("callback").none(), nb::arg("user_data") = nb::none(), nb::arg("run_options") = nb::none(),
          "run_async(output_names, input_feed, callback, user_data=None, run_options=None)\n\n"
          "Returns once the task has a place in the queue. callback(results, user_data, err) is called exactly once on "
          "a thread of the session: err is '' on success, else results is None.")
      .def("_run_unordered", &run_unordered, nb::arg("output_names").none(), nb::arg("input_feed").none(),
           nb::arg("callback"), nb::arg("wait") = true)
      .def("run_pipeline", &run_pipeline, nb::arg("input_feed").none(), nb::arg("depth") = 3, nb::arg("reset") = false,
           "run_pipeline(input_feed, depth=3, reset=False) -> list or None\n\n"
           "Submits, and once `depth` tasks are on their way returns the oldest result: the first `depth` calls give "
           "None. pipeline_drain() gives the rest.")
      .def("pipeline_drain", &pipeline_drain, "The results still on their way, oldest first.")
      .def_prop_ro("pipeline_pending", [](const PythonSession& self) { return self.pipeline_pending(); })
      .def(
          "_cancel", [](PythonSession& self, uint64_t task) { return self.cancel(task); }, nb::arg("task"),
          nb::call_guard<ReleasedGil>())
      .def(
          "cancel", [](PythonSession& self) { return self.cancel(); }, nb::call_guard<ReleasedGil>(),
          "Takes back all tasks that have not begun and returns their number; their callbacks are told 'task "
          "cancelled'.")
      .def("get_inputs", [](const PythonSession& self) { return self.inputs(); })
      .def("get_outputs", [](const PythonSession& self) { return self.outputs(); })
      .def(
          "get_native_inputs", [](const PythonSession& self) { return self.native_inputs(); },
          nb::call_guard<ReleasedGil>(), "As io_binding lays memory out.")
      .def(
          "get_native_outputs", [](const PythonSession& self) { return self.native_outputs(); },
          nb::call_guard<ReleasedGil>())
      .def_prop_ro("input_names", [](const PythonSession& self) { return names_in(self.inputs()); })
      .def_prop_ro("output_names", [](const PythonSession& self) { return names_in(self.outputs()); })
      .def("get_modelmeta", [](const PythonSession& self) { return ModelMetadata{self.custom_metadata_map()}; })
      .def("stats", &stats, "Counts, queue depths and percentiles (microseconds) of the last 1024 tasks.")
      .def("start_profiling", [](PythonSession& self) { self.start_profiling(); })
      .def(
          "_end_profiling", [](PythonSession& self) { return self.end_profiling(); }, nb::call_guard<ReleasedGil>())
      .def(
          "perf_detail", [](const PythonSession& self) { return self.perf_detail(); }, nb::call_guard<ReleasedGil>(),
          "The runtime's table of layers of the first worker's last run; needs the option collect_perf.")
      .def("memory_info", &session_memory_info, "Bytes of one context: weights, internal, total, SRAM.")
      .def(
          "_set_core_mask", [](PythonSession& self, uint32_t mask) { self.set_core_mask(mask); },
          nb::call_guard<ReleasedGil>())
      .def_prop_ro("runtime_info",
                   [](const PythonSession& self) {
                     nb::dict info;
                     info["api_version"] = text_of(self.api_version());
                     info["driver_version"] = text_of(self.driver_version());
                     info["path"] = text_of(self.runtime_path());
                     return info;
                   })
      .def(
          "close", &close, nb::arg("drain") = true, nb::arg("timeout") = nb::none(),
          "close(drain=True, timeout=None) -> bool\n\nRefuses new work, runs (drain) or cancels what waits, returns "
          "when every callback was called. False: `timeout` seconds passed, or it was called from a callback; the rest "
          "is done in the background.");
}

}  // namespace openrknn::python
