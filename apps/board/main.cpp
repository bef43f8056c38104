// openrknn VERB on a board: what needs no model's source. Argument parsing only.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "apps/board/run.h"
#include "apps/inspect.h"
#include "apps/serve.h"
#include "core/base/version.h"

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): only when memory ends
  using namespace openrknn;
  CLI::App app{"OpenRKNN on a board: run, serve and look at .rknn models"};
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("openrknn {}", version()));
  app.footer("Exit codes: 0 done, 1 refused or failed, 2 wrong usage. Models are converted on a PC.");

  BoardRun request;
  CLI::App* run_verb = app.add_subcommand("run", "run a .rknn file over the librknnrt.so of this machine");
  run_verb->add_option("model", request.model, ".rknn file")->required();
  run_verb->add_option("-i,--input", request.inputs, "FILE or NAME=FILE per input, npy; default: random numbers");
  run_verb->add_option("--seed", request.seed, "of random inputs");
  run_verb->add_option("--save", request.save_folder, "write outputs as npy into this folder");
  run_verb->add_option("--cores", request.cores, "a worker for each of these cores")->delimiter(',');
  run_verb->add_option("--count", request.count, "timed runs")->check(CLI::PositiveNumber);

  CLI::App* serve_verb = app.add_subcommand("serve", "serve .rknn models to other programs over HTTP");
  const std::shared_ptr<ServeArguments> serving = add_serve_options(*serve_verb);

  std::string file;
  bool json = false;
  CLI::App* inspect_verb = app.add_subcommand("inspect", "print what a .rknn file holds");
  inspect_verb->add_option("file", file, ".rknn file, ours or vendor-made")->required();
  inspect_verb->add_flag("--json", json, "as JSON");
  CLI::App* doctor_verb = app.add_subcommand("doctor", "look at this machine and installation");
  doctor_verb->add_flag("--json", json, "as JSON");

  try {
    app.parse(argc, argv);
    if (*run_verb) return run(request);
    if (*serve_verb) return serve(*serving);
    if (*inspect_verb) return inspect_rknn(file, json);
    return doctor(json);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
