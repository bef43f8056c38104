// What is alive: contexts and memories, found by handle.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "rknn_api.h"
#include "text_model.h"

namespace openrknn::stub {

/// An input as it was given.
struct Given {
  std::vector<std::byte> bytes;
  rknn_tensor_type type = RKNN_TENSOR_FLOAT32;
  rknn_tensor_format fmt = RKNN_TENSOR_UNDEFINED;
  bool set = false;
};

/// Memory bound by rknn_set_io_mem, and how its elements lie.
struct Bound {
  rknn_tensor_mem* mem = nullptr;
  rknn_tensor_attr attr{};
};

struct Context {
  uint64_t handle = 0;
  std::shared_ptr<const TextModel> model;
  uint64_t original = 0;  ///< of the context this one duplicates, 0 if none
  std::atomic<int> users = 0;
  std::mutex data;                                ///< guards what follows: misuse is counted, not suffered
  std::vector<rknn_tensor_attr> inputs, outputs;  ///< of the current shapes
  uint32_t core_mask = 0;
  std::vector<Given> given, ran;  ///< `ran`: what the last run saw, if outputs are to echo it
  std::vector<Bound> bound_inputs, bound_outputs;
  double tag = 0;  ///< element 0 of input 0 at the last run
  int64_t last_run_us = 0;
  bool has_run = false;
  uint64_t frames = 0;

  Context(uint64_t number, std::shared_ptr<const TextModel> text, uint64_t duplicate_of);
};

class Registry {
 public:
  std::shared_ptr<Context> add(std::shared_ptr<const TextModel> model, uint64_t duplicate_of);
  std::shared_ptr<Context> find(uint64_t handle) const;
  /// False if it is not alive. Sets `early` if duplicates of it live.
  bool remove(uint64_t handle, bool& early);
  int contexts() const;

  /// NULL if there is no memory. The element owns its bytes if `data` is NULL.
  rknn_tensor_mem* add_mem(uint64_t size, void* data, uint32_t flags, int32_t fd, int32_t offset, uint64_t physical);
  bool has_mem(const rknn_tensor_mem* mem) const;
  bool remove_mem(rknn_tensor_mem* mem);
  int mems() const;

  void* add_output(uint32_t size);
  /// False if it is none of ours.
  bool remove_output(void* buffer);
  int outputs() const;

 private:
  struct FreeBytes {
    void operator()(void* bytes) const;
  };
  struct Memory {
    rknn_tensor_mem mem{};
    std::unique_ptr<void, FreeBytes> bytes;
  };
  mutable std::mutex mutex_;
  uint64_t next_ = 0x1001;
  std::unordered_map<uint64_t, std::shared_ptr<Context>> contexts_;
  std::unordered_map<const rknn_tensor_mem*, std::unique_ptr<Memory>> mems_;
  std::unordered_set<void*> outputs_;
};
Registry& registry();

}  // namespace openrknn::stub
