// What a Toolkit holds: for the files that implement it.
#pragma once

#include <fmt/format.h>

#include "toolkit/custom_operators.h"
#include "toolkit/remote_device.h"
#include "toolkit/settings.h"
#include "toolkit/simulator.h"
#include "toolkit/toolkit.h"

namespace openrknn {

enum class Stage : uint8_t { New, Configured, Loaded, Built, Deployed };

/// What init_runtime was given.
struct RuntimeOptions {
  bool perf_debug = false, eval_mem = false;
  uint32_t core_mask = 0;
  int cores = 1;  ///< that core_mask names
};

struct Toolkit::State {
  MessageSink sink;
  Progress progress;
  ThreadPool pool;

  Stage stage = Stage::New;
  Settings settings;
  std::vector<CustomOperatorCode> custom_operators;
  ArgumentValues config;         // what `settings` were made of
  std::filesystem::path source;  // the model file
  std::vector<Graph> imported;   // one for each set of input shapes, largest first
  std::optional<Compiled> compiled;
  std::string file;                      // the model as .rknn bytes, once it exists; encrypted if it was loaded so
  std::filesystem::path key_file;        // of that file
  std::filesystem::path exported;        // where export_rknn wrote it; empty: not yet
  Model deployed;                        // after load_rknn: ports and target
  std::unique_ptr<Simulator> simulator;  ///< of the two one at most, after init_runtime
  std::unique_ptr<RemoteDevice> device;
  RuntimeOptions runtime;

  State(MessageSink s, Progress p, int threads) : sink(std::move(s)), progress(std::move(p)), pool(threads) {}

  void say(LogLevel level, std::string_view method, std::string_view text) const {
    if (sink) sink(level, method, text);
  }
  void warn(std::string_view method, const std::vector<std::string>& lines) const {
    for (const std::string& line : lines) say(LogLevel::Warning, method, line);
  }
  void require(bool condition, std::string_view method, std::string_view problem, std::string_view fix) const {
    if (!condition) fail(Code::ConfigWrongState, fmt::format("{}: {}", method, problem), std::string(fix));
  }
  void require_loaded(std::string_view method) const {
    require(stage >= Stage::Loaded && stage != Stage::Deployed && !imported.empty(), method, "no model has been loaded",
            "please load a model first, for example with load_onnx");
  }
  void require_runtime(std::string_view method) const {
    require(simulator || device, method, "the runtime has not been initialized", "please call init_runtime first");
  }
  void forget_runtime() {
    simulator.reset();
    device.reset();
    file.clear();
  }
  /// The model as .rknn bytes.
  void make_file();
  /// The model on the device that `target` and `device_id` of the arguments name. Throws Error.
  std::unique_ptr<RemoteDevice> open_device(const ArgumentValues&, std::string_view method, uint32_t core_mask);
  void take_built(Compiled, std::string_view method);
  const Model& model() const { return stage == Stage::Deployed ? deployed : compiled->model; }
};

}  // namespace openrknn
