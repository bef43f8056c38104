// The body of an inference request taken apart: JSON, and behind it the tensors in binary (Open Inference Protocol v2
// with the binary tensor data extension). Pure functions on bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "openrknn/session_types.hpp"
#include "runtime/server/byte_buffer.h"

namespace openrknn::server {

struct InferInput {
  std::string name;
  ElementType type = ElementType::Float32;
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;  ///< dense, aligned for the type: in the body, or in InferRequest::storage
};

struct RequestedOutput {
  std::string name;
  bool binary = false;
};

struct InferRequest {
  std::string id;
  std::vector<InferInput> inputs;
  std::vector<RequestedOutput> outputs;  ///< empty: all
  bool binary_by_default = false;        ///< binary_data_output
  std::optional<uint32_t> core_mask;
  std::vector<ByteBuffer> storage;  ///< what could not be used where it lay

  Feed feed() const;  ///< borrows the inputs' bytes
};

struct RequestLimits {
  size_t json_bytes = size_t{16} << 20;  ///< larger tensors go as binary data
  size_t tensor_bytes = size_t{1} << 30;
};

/// `json_bytes`: the Inference-Header-Content-Length; nothing: all of the body is JSON. The result looks into `body`.
/// Throws Error (ServerBadRequest, ServerTooLarge) with everything that is wrong.
InferRequest parse_infer_request(std::span<const std::byte> body, std::optional<size_t> json_bytes,
                                 const RequestLimits& = {});

/// A result as it is written back.
struct WireTensor {
  std::string name, datatype;  ///< "FP32"
  std::vector<int64_t> shape;
  ElementType type = ElementType::Float32;  ///< what JSON numbers are made of; not read for binary ones
  std::span<const std::byte> bytes;
  bool binary = true;
};
/// The JSON of a response; the bytes of the binary tensors follow it in order. Throws Error (ServerBadRequest) for
/// numbers that JSON has no words for (infinities, NaN).
std::string infer_response_json(const std::string& model, const std::string& id, std::span<const WireTensor>);

}  // namespace openrknn::server
