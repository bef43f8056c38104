// SPDX-License-Identifier: Apache-2.0
// One model on the RKNN C API, zero copy: inputs and outputs live in memory that the NPU reads and writes.
#pragma once

#include <string>
#include <vector>

#include "data_utils.h"
#include "rknn_api.h"

namespace rknn_app {

/// What one model input is fed: an array (4-D ones in NCHW order, or in NHWC order if only that fits), or a picture.
struct InputData {
  std::string path;
  bool is_image = false;
  Array array;
  Image image;
};

/// Every failing call of the C API throws std::runtime_error with its name and code. One thread at a time.
class RknnApp {
 public:
  explicit RknnApp(const std::string& model_path);
  ~RknnApp();
  RknnApp(const RknnApp&) = delete;
  RknnApp& operator=(const RknnApp&) = delete;

  size_t input_count() const { return inputs_.size(); }
  size_t output_count() const { return outputs_.size(); }
  std::string output_name(size_t index) const { return outputs_[index].name; }
  /// Prints versions and tensors.
  void print_info() const;

  /// Reads a file for an input: an array, or a picture in as many channels as the input has.
  InputData read_input(size_t index, const std::string& path, bool swap_red_blue) const;
  /// Puts these into the model's inputs, one each. A model with several sets of shapes takes the first set that all
  /// arrays have, with the pictures' own size if there is one; pictures of other sizes are letterboxed.
  void set_inputs(const std::vector<InputData>&);
  /// One inference.
  void run();
  /// What the last run wrote: float32, or the model's own integers; NCHW.
  Array output(size_t index) const;

 private:
  void query_attributes();
  void choose_shapes(const std::vector<InputData>&);
  void bind_input(size_t index, const InputData&);
  void bind_outputs();
  rknn_tensor_mem* bind(rknn_tensor_attr&, size_t bytes);

  rknn_context context_ = 0;
  std::vector<rknn_tensor_attr> inputs_, outputs_;          // of the shapes that are active
  std::vector<std::vector<rknn_tensor_attr>> shape_sets_;   // the inputs of each; empty: the model has one
  std::vector<rknn_tensor_mem*> memories_, output_memory_;  // all there are; those of outputs
};

}  // namespace rknn_app
