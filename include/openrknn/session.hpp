// InferenceSession for C++: a .rknn model behind the calls ONNX Runtime users know. Speaks only the public RKNN C API,
// through dlopen, so it drives OpenRKNN's librknnrt (simulator or board) and any other one alike. C++20, Apache-2.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace openrknn {

/// Element types a session takes. Values are those of rknn_tensor_type.
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

/// A dense row-major array of the caller, borrowed for the call.
struct ArrayView {
  ElementType type = ElementType::Float32;
  std::vector<int64_t> shape;
  const void* data = nullptr;
};

/// A result: dense row-major float32. Copies share the elements.
struct Array {
  std::vector<int64_t> shape;
  std::shared_ptr<float[]> data;
  size_t size() const;  ///< elements
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

/// One input or output as the session presents it.
struct NodeArg {
  std::string name;
  std::vector<int64_t> shape;
  std::string type;    ///< "tensor(float16)": the model's own type; run() takes others too and returns float32
  std::string layout;  ///< "NCHW", "NHWC" or "UNDEFINED": the order of `shape`
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

/// A provider option as a dynamic language gives it.
struct OptionValue {
  enum class Kind : uint8_t { None, Bool, Int, String, Path, List, Other };
  Kind kind = Kind::None;
  int64_t number = 0;             ///< Bool and Int
  std::string text;               ///< String and Path
  std::vector<OptionValue> list;  ///< List

  OptionValue() = default;
  OptionValue(bool value) : kind(Kind::Bool), number(value ? 1 : 0) {}
  OptionValue(int value) : kind(Kind::Int), number(value) {}
  OptionValue(int64_t value) : kind(Kind::Int), number(value) {}
  OptionValue(const char* value) : kind(Kind::String), text(value) {}
  OptionValue(std::string value) : kind(Kind::String), text(std::move(value)) {}
  OptionValue(std::vector<OptionValue> value) : kind(Kind::List), list(std::move(value)) {}
  static OptionValue path(std::string value);
  static OptionValue other();  ///< of a type no option takes
};
using OptionList = std::vector<std::pair<std::string, OptionValue>>;  ///< in the order they were given

enum class InputLayout : uint8_t { Nchw, NchwSoftware, Nhwc, Any };
enum class ZeroCopyLayout : uint8_t { Nhwc, Native };

struct SessionOptions {
  InputLayout layout = InputLayout::Nchw;
  ZeroCopyLayout zero_copy_layout = ZeroCopyLayout::Nhwc;
  int64_t max_queue_size = 3;
  int64_t threads_per_core = 1;
  int64_t submit_timeout_ms = 10000;
  bool sequential_callbacks = true;
  std::vector<int64_t> schedule;  ///< cores in the order tasks take them; empty: core_mask
  uint32_t core_mask = 0;         ///< of tp_mode: 0 AUTO, 1, 2, 4, 3, 7, 0xffff
  bool enable_pacing = false;
  bool disable_dup_context = false;
  std::vector<std::string> custom_op_paths;
  bool custom_op_default_path = false;
  std::string runtime_library;  ///< path of librknnrt; empty: OPENRKNN_RUNTIME, packaged, system
};

/// The documented provider options. Throws OptionError with the documented texts; unset (None) values keep the default.
SessionOptions parse_provider_options(const OptionList&);

struct RunOptions {
  bool dispatch_batch = false;  ///< ztu_modelrt_dispatch_batch
};

/// Thread-safe. Runs from several threads use as many contexts as the options ask for.
class Session {
 public:
  /// Throws SessionError: no runtime, unreadable model, unsupported options.
  explicit Session(const std::filesystem::path& model, SessionOptions options = {});
  explicit Session(std::span<const std::byte> model, SessionOptions options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  const std::vector<NodeArg>& inputs() const;
  const std::vector<NodeArg>& outputs() const;

  /// The source model's properties and the custom string ("rknn_custom_string"), where the runtime knows them.
  const std::map<std::string, std::string>& custom_metadata_map() const;

  /// Blocks. `output_names`: nothing = all, an empty list = none; names may repeat. Throws SessionError with the
  /// documented texts.
  std::vector<Array> run(const std::optional<std::vector<std::string>>& output_names, const Feed&,
                         const RunOptions& = {});

  /// Refuses further runs and frees the contexts once running ones have ended. Called by the destructor.
  void close();

  /// What the runtime calls itself, "2.4.1-openrknn-0.1.0 (…)", and where it was found.
  const std::string& api_version() const;
  const std::string& driver_version() const;
  const std::string& runtime_path() const;
  /// Sentences a caller should be told once (old runtime, ignored core mask).
  const std::vector<std::string>& warnings() const;

 private:
  struct Engine;
  std::shared_ptr<Engine> engine_;
};

}  // namespace openrknn
