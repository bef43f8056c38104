// Lets an interrupted analysis go on: after every sample, what has been summed up goes into a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/dataset/samples.h"

namespace openrknn {

/// Sums in fixed order, as bytes; little endian.
class StateWriter {
 public:
  void put(int64_t);
  void put(double);
  std::string bytes;
};
/// Throws Error (InvalidArgument) where bytes are missing.
class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : rest_(bytes) {}
  void get(int64_t&);
  void get(double&);
  /// Throws where bytes are left.
  void end() const;

 private:
  template <class T>
  T take();
  std::string_view rest_;
};

class Checkpoint {
 public:
  /// `key` stands for what is analyzed: models, versions, what is collected. A file of another key is not used.
  Checkpoint(std::filesystem::path file, uint64_t key) : file_(std::move(file)), key_(key) {}

  /// Reads the file, if it is there and whole. The samples it knows must still be the same (they are read again);
  /// otherwise nothing is taken and the analysis starts over. Returns the state and how many samples are in it.
  std::pair<std::string, int64_t> restore(const Samples&);
  /// After sample number `samples()`.
  void save(const std::vector<Tensor>& inputs, std::string_view state);
  int64_t samples() const { return static_cast<int64_t>(hashes_.size()); }
  /// Why a file that is there was not used; empty if it was, or there is none.
  const std::string& refusal() const { return refusal_; }

 private:
  std::filesystem::path file_;
  uint64_t key_;
  std::vector<uint64_t> hashes_;  // of the samples that are done
  std::string refusal_;
};

/// An analysis that can go on: the file, and what the caller collects beside the sums.
struct Resumption {
  Checkpoint& checkpoint;
  std::function<void(StateWriter&)> write;
  std::function<void(StateReader&)> read;
};

}  // namespace openrknn
