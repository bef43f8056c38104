#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/verbs.h"
#include "core/base/file.h"
#include "core/base/npy.h"

namespace openrknn {
namespace {

void save_outputs(const RunResult& result, const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (size_t i = 0; i < result.outputs.size(); ++i) {
    std::string name = result.names[i];
    for (char& c : name) {
      if (c == '/' || c == ':') c = '_';
    }
    write_file(std::filesystem::path(folder) / (name + ".npy"), to_npy(result.outputs[i]));
  }
}

struct Range {
  double low = 0, high = 0, mean = 0;
};
Range range_of(const Tensor& tensor) {
  const std::vector<double> values = to_doubles(tensor);
  Range range;
  if (values.empty()) return range;
  range.low = range.high = values[0];
  for (const double value : values) {
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
    range.mean += value / static_cast<double>(values.size());
  }
  return range;
}

}  // namespace

int run(const RunArguments& arguments) {
  if (arguments.request.threads > 0)  // the runtime reads it when it is opened; no other thread runs yet
    setenv("OPENRKNN_THREADS", std::to_string(arguments.request.threads).c_str(), 1);
  const RunResult result = run_model(arguments.request);
  if (!arguments.save_folder.empty()) save_outputs(result, arguments.save_folder);
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
  for (size_t i = 0; i < result.outputs.size(); ++i) {
    const Range range = range_of(result.outputs[i]);
    fmt::print("{:<32} {:<8} {:<20} min {:.5g} max {:.5g} mean {:.5g}\n", result.names[i],
               numpy_name(result.outputs[i].dtype()), to_string(result.outputs[i].shape()), range.low, range.high,
               range.mean);
  }
  for (const OutputError& error : result.errors) {
    fmt::print("{:<32} against {}: cosine {:.6f}  SQNR {:.1f} dB  max error {:.5g}{}\n", error.name,
               arguments.request.against, error.cosine, error.sqnr_db, error.max_absolute,
               error.identical ? "  (same bits)" : "");
  }
  fmt::print("{:.2f} ms\n", result.milliseconds);
  return 0;
}

}  // namespace openrknn
