// Provider options of a session: as values (SessionOptions) and as a dynamic language gives them
// (parse_provider_options). C++20, Apache-2.0.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "openrknn/session_types.hpp"

namespace openrknn {

/// How 4-D inputs are presented. Nchw: the source model's order, converted by the runtime; NchwSoftware: converted
/// here; Nhwc; Any: as the runtime reports them.
enum class InputLayout : uint8_t { Nchw, NchwSoftware, Nhwc, Any };
enum class ZeroCopyLayout : uint8_t { Nhwc, Native };
/// Static: task i runs on core schedule[i % n]. Dynamic: on whichever scheduled core is free first.
enum class Dispatch : uint8_t { Static, Dynamic };
/// What happens to run_async and submit when the queue is full.
enum class Overflow : uint8_t { Block, Raise, DropOldest, DropNewest };
enum class OutputType : uint8_t { Float32, Native };
enum class Priority : uint8_t { High, Medium, Low };

struct SessionOptions {
  InputLayout layout = InputLayout::Nchw;
  ZeroCopyLayout zero_copy_layout = ZeroCopyLayout::Nhwc;
  int64_t max_queue_size = 3;  ///< tasks that wait for a core; running and undelivered ones come on top
  int64_t threads_per_core = 1;
  int64_t submit_timeout_ms = 10000;
  bool sequential_callbacks = true;
  std::vector<int64_t> schedule;  ///< cores in the order tasks take them; empty: core_mask
  uint32_t core_mask = 0;         ///< of tp_mode: 0 AUTO, 1, 2, 4, 3, 7, 0xffff
  bool enable_pacing = false;
  bool disable_dup_context = false;
  std::vector<std::string> custom_op_paths;
  bool custom_op_default_path = false;

  Dispatch dispatch = Dispatch::Static;
  Overflow overflow = Overflow::Block;
  int64_t callback_threads = 1;  ///< more than one only without sequential_callbacks
  OutputType output_type = OutputType::Float32;
  std::map<std::string, OutputType> output_types;  ///< by output name; the others have output_type
  bool strict_cores = true;                        ///< false: cores the platform lacks are left out with a warning
  int64_t warmup = 0;                              ///< runs of zeros on every context before the first task
  Priority priority = Priority::High;
  bool enable_sram = false;
  bool collect_perf = false;    ///< time every layer (perf_detail)
  std::string runtime_library;  ///< path of librknnrt; empty: OPENRKNN_RUNTIME, packaged, system
  std::string model_key_file;   ///< of an encrypted model; empty: OPENRKNN_MODEL_KEY_FILE, OPENRKNN_MODEL_KEY
  /// Told sentences while the session opens, also if it then fails; afterwards they are Session::warnings().
  std::function<void(const std::string&)> on_warning;
};

/// A provider option as a dynamic language gives it.
struct OptionValue {
  enum class Kind : uint8_t { None, Bool, Int, String, Path, List, Map, Other };
  Kind kind = Kind::None;
  int64_t number = 0;                                    ///< Bool and Int
  std::string text;                                      ///< String and Path
  std::vector<OptionValue> list;                         ///< List
  std::vector<std::pair<std::string, OptionValue>> map;  ///< Map

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

/// The documented provider options and ours. Throws OptionError with the documented texts; unset (None) values keep the
/// default.
SessionOptions parse_provider_options(const OptionList&);

/// Keys of parse_provider_options in the order messages list them.
std::vector<std::string> provider_option_names();

}  // namespace openrknn
