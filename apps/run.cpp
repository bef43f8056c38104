#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "apps/results.h"
#include "apps/verbs.h"

namespace openrknn {
int run(const RunArguments& arguments) {
  if (arguments.request.threads > 0)  // the runtime reads it when it is opened; no other thread runs yet
    setenv("OPENRKNN_THREADS", std::to_string(arguments.request.threads).c_str(), 1);
  const RunResult result = run_model(arguments.request);
  for (size_t i = 0; i < result.outputs.size() && !arguments.save_folder.empty(); ++i)
    save_output(arguments.save_folder, result.names[i], result.outputs[i]);
  if (arguments.json) {
    nlohmann::ordered_json json{{"milliseconds", result.milliseconds}};
    for (size_t i = 0; i < result.outputs.size(); ++i) {
      const Range range = range_of(result.outputs[i]);
      nlohmann::ordered_json output{{"name", result.names[i]},
                                    {"dtype", std::string(numpy_name(result.outputs[i].dtype()))},
                                    {"shape", result.outputs[i].shape()},
                                    {"min", range.low},
                                    {"max", range.high},
                                    {"mean", range.mean}};
      if (!result.errors.empty()) {
        const OutputError& error = result.errors[i];
        output["cosine"] = error.cosine;
        if (std::isfinite(error.sqnr_db)) output["sqnr_db"] = error.sqnr_db;  // absent: equal
        output["max_absolute"] = error.max_absolute;
        output["identical"] = error.identical;
      }
      json["outputs"].push_back(std::move(output));
    }
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  for (size_t i = 0; i < result.outputs.size(); ++i) print_output(result.names[i], result.outputs[i]);
  for (const OutputError& error : result.errors) {
    fmt::print("{:<32} against {}: cosine {:.6f}  SQNR {:.1f} dB  max error {:.5g}{}\n", error.name,
               arguments.request.against, error.cosine, error.sqnr_db, error.max_absolute,
               error.identical ? "  (same bits)" : "");
  }
  fmt::print("{:.2f} ms\n", result.milliseconds);
  return 0;
}

}  // namespace openrknn
