// The verbs of the command line. Each takes parsed arguments and returns an exit code:
// 0 done, 1 the input was refused or something failed, 2 wrong usage (CLI11 prints that).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/inspect.h"
#include "compiler/importers/importer.h"
#include "toolkit/argument_value.h"
#include "toolkit/onnx_edit.h"
#include "toolkit/run_model.h"
#include "toolkit/target_view.h"

namespace openrknn {

/// How a model file becomes a Model.
struct BuildArguments {
  std::string model, yaml, preset, dump_after, dask;
  ArgumentValues config, load, build;  ///< only what was given
  ImportOptions source;                ///< what `load` does not say
  bool keep_golden = false, check = false, symmetric_weights = false, quiet = false;
  int threads = 0;
};

struct ConvertArguments {
  BuildArguments building;
  std::string output;
  bool json = false;
};
int convert(const ConvertArguments&);

struct AnalyzeArguments {
  BuildArguments building;      ///< `model` may be a .rknn file, which is not built again
  std::string samples, folder;  ///< empty: the calibration's dataset; no files
  std::string report, resume;   ///< the HTML file to write, the file to go on from; empty: none
  int64_t count = 0;            ///< 0: all samples
  bool json = false, diagnose = false;
};
int analyze(const AnalyzeArguments&);

struct SearchArguments {
  BuildArguments building;
  std::optional<double> target;
  double max_macs = 1;
  std::string output, report, budget = "ops", lift = "float16";  ///< no output, no report: nothing is written
  int64_t count = 4;
  bool json = false;
};
int search(const SearchArguments&);

struct RunArguments {
  RunRequest request;
  std::string save_folder;
  bool json = false;
};
int run(const RunArguments&);

struct ProfileArguments {
  std::string model, csv, trace;  ///< files to write; empty: none
  ImportOptions source;
  int threads = 0, rounds = 5, top = 20;
  bool quiet = false;
};
int profile(const ProfileArguments&);

struct CheckArguments {
  TargetRequest request;
  bool json = false;
};
int check(const CheckArguments&);

struct EstimateArguments {
  TargetRequest request;
  int cores = 1, layers = 20;
  std::string report;  ///< an HTML file; empty: none
  bool json = false;
};
int estimate(const EstimateArguments&);

struct DevicesArguments {
  std::optional<std::string> device;  ///< one; none: all that are known
  bool json = false;
};
int devices(const DevicesArguments&);

struct ExportOnnxArguments {
  std::string model, output;
  ImportOptions source;
};
int export_onnx(const ExportOnnxArguments&);

int edit(const OnnxEdit&);

struct EncryptArguments {
  std::string model, output, key_file;  ///< empty: {stem}.crypt.rknn beside the model; the built-in key
  int64_t level = 1;
  bool json = false;
};
int encrypt(const EncryptArguments&);

/// A .rknn file, or a model file of a framework.
struct InspectArguments {
  std::filesystem::path path;
  ImportOptions source;
  bool json = false;
};
int inspect(const InspectArguments&);

}  // namespace openrknn
