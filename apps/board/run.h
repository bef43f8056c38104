// `openrknn run` on a board: a .rknn file over the librknnrt.so that is there, ours or the vendor's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace openrknn {

struct BoardRun {
  std::string model, save_folder;
  std::vector<std::string> inputs;  ///< FILE by position or NAME=FILE, npy; none: random numbers
  std::vector<int64_t> cores;       ///< a worker each; empty: the runtime chooses
  int64_t count = 1;                ///< timed runs
  uint64_t seed = 1;
};
/// Returns an exit code. Throws Error and SessionError.
int run(const BoardRun&);

}  // namespace openrknn
