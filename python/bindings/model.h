#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "core/rknn_file/rknn_file.h"
#include "toolkit/layer_analysis.h"
#include "toolkit/profile.h"
#include "toolkit/simulator.h"

namespace openrknn::python {

/// A compiled or loaded model, its .rknn bytes once they were needed, and its simulator once it ran.
struct PyModel {
  explicit PyModel(Model given) : model(std::move(given)) {}
  PyModel(Compiled compiled, std::vector<bool> swapped)
      : model(std::move(compiled.model)),
        report(std::move(compiled.report)),
        golden(std::move(compiled.golden)),
        recipe(std::move(compiled.recipe)),
        rgb_to_bgr(std::move(swapped)) {}
  const std::string& bytes() {
    if (file_.empty()) {
      MemorySink sink;
      write(model, sink);
      file_ = std::move(sink.data);
    }
    return file_;
  }
  Simulator& simulator() {
    if (!simulator_) simulator_ = std::make_unique<Simulator>(runnable_bytes(), model.inputs, model.variants.size());
    return *simulator_;
  }
  std::vector<std::string> input_names() const {
    std::vector<std::string> names;
    for (const Port& port : model.inputs) names.push_back(port.name);
    return names;
  }
  /// What its report says beside layers, called after the report's file.
  BuildFacts facts(const std::filesystem::path& report_file) const {
    BuildFacts facts{.title = report_file.stem().string()};
    if (recipe) facts.recipe = &*recipe;
    if (recipe) facts.build = &report;
    return facts;
  }
  Model model;
  CompileReport report;
  std::optional<Graph> golden;           ///< of a compile; a loaded model has its own, or none
  std::optional<QuantizeRecipe> recipe;  ///< likewise
  std::vector<bool> rgb_to_bgr;          ///< of a compile: images of samples are read likewise

 private:
  /// The file with its weights, which are at hand even where the file to be saved lacks them.
  std::string runnable_bytes() {
    if (!model.remove_weight) return bytes();
    Model whole = model;
    whole.remove_weight = false;
    MemorySink sink;
    write(whole, sink);
    return std::move(sink.data);
  }
  std::string file_;
  std::unique_ptr<Simulator> simulator_;
};

/// Analyzes and writes the report, whole or not at all. Call without the GIL.
Analysis write_report(FileSink&, const AnalysisRequest&, const BuildFacts&, ThreadPool&);

/// A profile as dicts. Call with the GIL held.
nanobind::list list_of_times(const std::vector<OperationTime>&);

}  // namespace openrknn::python
