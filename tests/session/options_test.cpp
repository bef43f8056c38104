// Every documented provider option: what it takes, and the text it is refused with.
#include <gtest/gtest.h>

#include "openrknn/session.hpp"

namespace openrknn {
namespace {

using List = std::vector<OptionValue>;

std::string refusal(const OptionList& options) {
  try {
    parse_provider_options(options);
  } catch (const OptionError& error) {
    return error.what();
  }
  return "accepted";
}

struct Refused {
  const char* key;
  OptionValue value;
  std::string text;
};

TEST(SessionOptions, DefaultsAreTheDocumentedOnes) {
  const SessionOptions options = parse_provider_options({});
  EXPECT_EQ(options.layout, InputLayout::Nchw);
  EXPECT_EQ(options.max_queue_size, 3);
  EXPECT_EQ(options.threads_per_core, 1);
  EXPECT_EQ(options.submit_timeout_ms, 10000);
  EXPECT_TRUE(options.sequential_callbacks);
  EXPECT_TRUE(options.schedule.empty());
  EXPECT_EQ(options.core_mask, 0u);
  EXPECT_FALSE(options.enable_pacing);
  EXPECT_FALSE(options.disable_dup_context);
}

TEST(SessionOptions, RefusalsHaveTheDocumentedTexts) {
  const OptionValue other = OptionValue::other();
  const std::vector<Refused> cases = {
      {"layout", "NCWH", "Unknown layout: NCWH"},
      {"layout", 3, "layout must be a string"},
      {"zero_copy_layout", "Nchw", "Unknown zero_copy_layout: Nchw, expected 'nhwc' or 'native'"},
      {"max_queue_size", "", "max_queue_size must be an integer"},
      {"max_queue_size", "0x4", "max_queue_size must be an integer"},
      {"max_queue_size", other, "max_queue_size must be an integer"},
      {"max_queue_size", 0, "max_queue_size must be > 0"},
      {"threads_per_core", -1, "threads_per_core must be > 0"},
      {"submit_timeout_ms", "x", "submit_timeout_ms must be an integer"},
      {"sequential_callbacks", "maybe", "sequential_callbacks must be a boolean"},
      {"enable_pacing", other, "enable_pacing must be a boolean"},
      {"disable_dup_context", List{}, "disable_dup_context must be a boolean"},
      {"schedule", -1, "schedule values must be >= 0"},
      {"schedule", "[0, x]", "schedule must contain integers"},
      {"schedule", "0 -1", "schedule values must be >= 0"},
      {"schedule", " [ ] ", "schedule must not be empty"},
      {"schedule", List{}, "schedule must not be empty"},
      {"schedule", List{OptionValue("a")}, "schedule must be an integer"},
      {"schedule", other, "schedule must be an integer, string, or sequence"},
      {"schedule", 3, "schedule values must be <= 2, got 3"},
      {"tp_mode", 0, "tp_mode must be a string"},
      {"tp_mode", "0, 1", "invalid tp_mode: '0, 1', expected one of: auto, all, 0, 1, 2, 0,1, 0,1,2"},
      {"custom_op_paths", 1, "custom_op_paths must be a path-like object or sequence of path-like objects"},
      {"custom_op_path", List{OptionValue(1)}, "custom_op_path must be a path-like object or string"},
      {"custom_op_default_path", "si", "custom_op_default_path must be a boolean"},
  };
  for (const Refused& c : cases) EXPECT_EQ(refusal({{c.key, c.value}}), c.text) << c.key;
  EXPECT_EQ(
      refusal({{"colour", 1}}),
      "Unknown provider_options key: colour. Supported keys: layout, zero_copy_layout, max_queue_size, "
      "threads_per_core, submit_timeout_ms, sequential_callbacks, schedule, tp_mode, enable_pacing, "
      "disable_dup_context, custom_op_path, custom_op_paths, custom_op_default_path, "
      "load_custom_ops_from_default_path, dispatch, overflow, callback_threads, output_type, strict_cores, warmup, "
      "priority, enable_sram, collect_perf, runtime_library, model_key_file");
  EXPECT_EQ(refusal({{"tp_mode", "all"}, {"schedule", 0}}),
            "provider_options 'tp_mode' conflicts with 'schedule'; set only one.");
}

TEST(SessionOptions, LooseSpellingsAreUnderstood) {
  const SessionOptions options = parse_provider_options({{"layout", "NHWC"},
                                                         {"max_queue_size", "  4 "},
                                                         {"threads_per_core", true},
                                                         {"sequential_callbacks", " Off "},
                                                         {"schedule", "[0, 1 2]"},
                                                         {"tp_mode", {}},
                                                         {"custom_op_path", "a.so"},
                                                         {"custom_op_paths", List{OptionValue::path("b.so")}}});
  EXPECT_EQ(options.layout, InputLayout::Nhwc);
  EXPECT_EQ(options.max_queue_size, 4);
  EXPECT_EQ(options.threads_per_core, 1);
  EXPECT_FALSE(options.sequential_callbacks);
  EXPECT_EQ(options.schedule, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(options.custom_op_paths, (std::vector<std::string>{"a.so", "b.so"}));
  EXPECT_EQ(parse_provider_options({{"tp_mode", " ALL "}}).core_mask, 0xffffu);
  EXPECT_EQ(parse_provider_options({{"tp_mode", "0,1"}}).core_mask, 3u);
  EXPECT_EQ(parse_provider_options({{"schedule", List{OptionValue("1"), OptionValue(0)}}}).schedule,
            (std::vector<int64_t>{1, 0}));
}

}  // namespace
}  // namespace openrknn
