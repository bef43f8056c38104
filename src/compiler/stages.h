// Runs the stages of a compile: times them, dumps graphs and checks them. Everything about running the pipeline that is
// not the pipeline.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "compiler/compile.h"
#include "compiler/passes/pass.h"

namespace openrknn {

class Stages {
 public:
  /// `progress` is told of every stage and pass, so that whoever wants to stop can.
  Stages(const CompileOptions& options, CompileReport& report, const Progress& progress = {})
      : options_(options), report_(report), progress_(progress) {}

  template <class Function>
  void run(std::string_view stage, Graph& graph, const Function& function) {
    begin(stage);
    const auto start = std::chrono::steady_clock::now();
    function();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    add_time(stage, seconds.count());
    finished(stage, graph);
  }

  /// Repeats a group of passes until none changes the graph. Every pass removes or simplifies something, so this ends;
  /// a bound turns a pass that breaks that promise into an error instead of a hang.
  void run_passes(std::string_view stage, std::span<const Pass>, Graph&);

  /// The model brings parameters of its own: they describe the numbers as they are.
  void keep_numbers() { keeps_numbers_ = true; }

  /// Corrections that are wanted and of use to this build; each once.
  void run_corrections(std::span<const Correction>, Graph&, const CorrectionContext&);

 private:
  bool is_left_out(const Pass&) const;
  void add_time(std::string_view stage, double seconds);
  void begin(std::string_view stage) const {
    if (progress_) progress_(stage, 0, 0);
  }
  void finished(std::string_view stage, const Graph&);

  const CompileOptions& options_;
  CompileReport& report_;
  Progress progress_;
  bool keeps_numbers_ = false;
};

}  // namespace openrknn
