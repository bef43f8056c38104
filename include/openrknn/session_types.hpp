// The values a session takes and gives: arrays, feeds, descriptions of inputs and outputs, errors. C++20, Apache-2.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace openrknn {

namespace session {
class Block;
}

/// Element types a session takes and gives. Values are those of rknn_tensor_type.
enum class ElementType : uint8_t {
  Float32 = 0,
  Float16 = 1,
  Int8 = 2,
  UInt8 = 3,
  Int16 = 4,
  UInt16 = 5,
  Int32 = 6,
  UInt32 = 7,
  Int64 = 8,
  Bool = 9,
};
size_t element_bytes(ElementType);
/// "tensor(float16)", as ONNX Runtime writes it.
const char* type_name(ElementType);

/// An array of the caller, borrowed for the call.
struct ArrayView {
  ElementType type = ElementType::Float32;
  std::vector<int64_t> shape;
  const void* data = nullptr;
  std::vector<int64_t> strides = {};  ///< bytes per dimension, any sign; empty: dense, row-major
};

/// A result: dense, row-major. Copies share the elements, whose memory goes back to the session's pool with the last
/// copy and may outlive the session. Distinct copies may be used from distinct threads.
class Array {
 public:
  Array() = default;
  Array(const Array&) noexcept;
  Array(Array&&) noexcept;
  Array& operator=(Array) noexcept;
  ~Array();

  ElementType type() const;
  std::span<const int64_t> shape() const;
  size_t size() const;  ///< elements
  void* data() const;
  /// The elements as float32. Throws std::logic_error for another type.
  std::span<float> floats() const;

  Array(session::Block* block, size_t index) noexcept;  ///< of the session

 private:
  session::Block* block_ = nullptr;
  size_t index_ = 0;
};

/// What a run is given: one array, arrays by position, or arrays by name.
struct Feed {
  enum class Kind : uint8_t { Single, List, Dict };
  Kind kind = Kind::Dict;
  std::vector<std::pair<std::string, ArrayView>> arrays;  ///< names are read for Dict only

  static Feed single(ArrayView array) { return {Kind::Single, {{"", std::move(array)}}}; }
  static Feed list(const std::vector<ArrayView>& arrays);
  static Feed dict(std::vector<std::pair<std::string, ArrayView>> arrays) { return {Kind::Dict, std::move(arrays)}; }
};

/// real = (code - zero_point) * scale
struct Quantization {
  double scale = 1;
  int32_t zero_point = 0;
};

/// One input or output as the session presents it.
struct NodeArg {
  std::string name;
  std::vector<int64_t> shape;                     ///< of models with several shape sets: the largest
  std::string type;                               ///< "tensor(float16)": the model's own type; run() takes others too
  std::string layout;                             ///< "NCHW", "NHWC", "NC1HWC2" or "UNDEFINED": the order of `shape`
  std::vector<int64_t> strides = {};              ///< bytes per dimension of the model's own type in that layout
  std::optional<Quantization> quantization = {};  ///< of integer tensors that stand for real numbers
  std::vector<std::vector<int64_t>> shapes = {};  ///< all sets of a model with dynamic shapes; else empty
  /// What run() subtracts from an input and divides it by, one a channel; empty: nothing, or the runtime does not tell.
  std::vector<float> mean = {}, std = {};
};

/// Every failure of a session. `code` and `api` tell which call of the C API failed (0 and "" if none did).
struct SessionError : std::runtime_error {
  explicit SessionError(const std::string& text, int failed_code = 0, std::string failed_api = {})
      : std::runtime_error(text), code(failed_code), api(std::move(failed_api)) {}
  int code;
  std::string api;
};
/// A provider option that is not what it may be.
struct OptionError : SessionError {
  using SessionError::SessionError;
};
/// Something took longer than the caller allowed: a place in the queue, or a run with a time limit.
struct TimeoutError : SessionError {
  using SessionError::SessionError;
};
/// The task was taken back before it ran: the session was closed, the task cancelled or pushed out by newer ones.
struct CancelledError : SessionError {
  using SessionError::SessionError;
};

}  // namespace openrknn
