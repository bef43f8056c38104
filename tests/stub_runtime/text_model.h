// The stub's models: a few lines of text (stub_runtime.h) as the attributes rknn_query answers with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rknn_api.h"

namespace openrknn::stub {

using Dims = std::vector<uint32_t>;

struct TextModel {
  struct Tensor {
    rknn_tensor_attr attr{};    ///< of the largest group, logical
    rknn_tensor_attr native{};  ///< what RKNN_QUERY_NATIVE_* answers
    std::vector<Dims> groups;   ///< dynamic shapes; empty: static
  };
  std::vector<Tensor> inputs, outputs;
  std::string custom_string, version = "2.3.2 (stub)", driver = "0.9.8 (stub)";
  int cores = 3;
  uint32_t weight_bytes = 0, internal_bytes = 0;
  bool may_dup = true;

  bool dynamic() const;
  /// How many shape groups, 0 for a static model.
  size_t groups() const;
};

/// Bytes of one element; int4 has none of its own.
uint32_t element_bytes(rknn_tensor_type type);
/// Sets n_dims, dims, n_elems, size and the strides that follow.
void set_dims(rknn_tensor_attr& attr, const Dims& dims);

/// Throws std::invalid_argument naming the line.
std::shared_ptr<const TextModel> parse_model(std::string_view text);

}  // namespace openrknn::stub
