// SPDX-License-Identifier: Apache-2.0
// rknn_app_demo MODEL INPUT[#INPUT...] REPEATS: runs a model, times it, writes its outputs to ./data/outputs/runtime
// and compares them with those in ./data/outputs/golden.
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "path_utils.h"
#include "rknn_app.h"
#include "timer.h"

// One digit an input: 1 where pictures are fed in the order blue, green, red (config(quant_img_RGB2BGR=True)).
#ifndef RKNN_APP_SWAP_RED_BLUE
#define RKNN_APP_SWAP_RED_BLUE ""
#endif

namespace rknn_app {
namespace {

constexpr char kOutputs[] = "./data/outputs", kGolden[] = "./data/outputs/golden/",
               kRuntime[] = "./data/outputs/runtime/";

std::vector<InputData> read_inputs(const RknnApp& app, const std::string& joined) {
  const std::vector<std::string> paths = split_paths(joined);
  if (paths.size() != app.input_count()) {
    throw std::runtime_error("got " + std::to_string(paths.size()) + " input paths, the model has " +
                             std::to_string(app.input_count()) + " inputs: join the paths by '#'");
  }
  const std::string swap = RKNN_APP_SWAP_RED_BLUE;
  std::vector<InputData> inputs;
  for (size_t i = 0; i < paths.size(); ++i) {
    inputs.push_back(app.read_input(i, paths[i], i < swap.size() && swap[i] == '1'));
  }
  return inputs;
}

void time_runs(RknnApp& app, int repeats) {
  double total = 0;
  for (int i = 0; i < repeats; ++i) {
    const Timer timer;
    app.run();
    const double milliseconds = timer.milliseconds();
    std::printf("  loop[%d] time: %f ms\n", i, milliseconds);
    total += milliseconds;
  }
  std::printf("Average time: %f ms\n", total / repeats);
}

// False if a golden output has another shape, which no picture or array can explain but the wrong one.
bool compare_outputs(const RknnApp& app) {
  for (const char* folder : {"./data", kOutputs, kRuntime}) mkdir(folder, 0755);
  std::vector<std::string> names;
  for (size_t i = 0; i < app.output_count(); ++i) names.push_back(app.output_name(i));
  const std::vector<std::string> stems = file_stems(names);
  bool good = true;
  for (size_t i = 0; i < names.size(); ++i) {
    const Array output = app.output(i);
    write_npy(kRuntime + stems[i] + ".npy", output);
    std::printf("  output[%zu] - %s:\n", i, names[i].c_str());
    const std::string golden_path = kGolden + stems[i] + ".npy";
    if (!std::ifstream(golden_path)) {
      std::printf("    no %s to compare with\n", golden_path.c_str());
      continue;
    }
    const Array golden = read_npy(golden_path);
    if (golden.shape != output.shape) {
      std::fprintf(stderr, "%s: the golden output has the shape %s, the runtime's %s: other inputs?\n",
                   golden_path.c_str(), to_string(golden.shape).c_str(), to_string(output.shape).c_str());
      good = false;
      continue;
    }
    std::printf("    cosine similarity: %f\n", cosine_similarity(golden, output));
  }
  return good;
}

int run(const std::string& model, const std::string& inputs, const std::string& repeats) {
  char* end = nullptr;
  const long count = std::strtol(repeats.c_str(), &end, 10);
  if (repeats.empty() || *end != '\0' || count < 1 || count > 1000000) {
    throw std::runtime_error("repeat_times: got '" + repeats + "', expected a whole number from 1 to 1000000");
  }
  RknnApp app(model);
  app.print_info();
  app.set_inputs(read_inputs(app, inputs));
  time_runs(app, static_cast<int>(count));
  return compare_outputs(app) ? 0 : 1;
}

}  // namespace
}  // namespace rknn_app

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s model_path image_path repeat_times\n  several inputs: a.jpg#b.npy\n", argv[0]);
    return 2;
  }
  try {
    return rknn_app::run(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
