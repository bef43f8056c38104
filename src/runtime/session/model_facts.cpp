#include "runtime/session/model_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "runtime/session/door.h"

namespace openrknn::session {
namespace {

template <size_t N>
std::string text_of(const char (&buffer)[N]) {
  return {buffer, strnlen(buffer, N)};
}

void read_version(const ModelContext& context, ModelFacts& facts) {
  rknn_sdk_version version{};
  if (context.runtime().query(context.handle(), RKNN_QUERY_SDK_VERSION, &version, sizeof version) < 0) return;
  facts.api_version = text_of(version.api_version);
  facts.driver_version = text_of(version.drv_version);
}

void read_metadata(const ModelContext& context, ModelFacts& facts) {
  if (const openrknn_functions* door = open_door(context.runtime(), context.handle())) {
    facts.is_openrknn = true;
    const auto keep = [](void* user, const char* key, size_t key_bytes, const char* value, size_t value_bytes) {
      (*static_cast<std::map<std::string, std::string>*>(user))[{key, key_bytes}] = {value, value_bytes};
    };
    context.check(door->metadata(context.handle(), keep, &facts.metadata), "metadata");
  }
  rknn_custom_string custom{};
  if (context.runtime().query(context.handle(), RKNN_QUERY_CUSTOM_STRING, &custom, sizeof custom) < 0) return;
  const std::string text = text_of(custom.string);
  if (!text.empty()) facts.metadata["rknn_custom_string"] = text;
}

/// What the C API cannot tell, or rounds to float32, of how arrays become a model's numbers.
void read_normalization(const ModelContext& context, ModelFacts& facts) {
  const openrknn_functions* door = open_door(context.runtime(), context.handle());
  if (door == nullptr || door->version < 3) return;
  const auto take_scale = [&](NodeArg& arg, bool is_output, uint32_t index) {
    double scale = 0;
    context.check(door->scale(context.handle(), is_output ? 1 : 0, index, &scale), "scale");
    if (arg.quantization && scale != 0) arg.quantization->scale = scale;
  };
  for (uint32_t i = 0; i < facts.outputs.size(); ++i) take_scale(facts.outputs[i], true, i);
  for (uint32_t i = 0; i < facts.input_specs.size(); ++i) {
    NodeArg& arg = facts.input_specs[i].arg;
    take_scale(arg, false, i);
    uint32_t channels = 0;
    context.check(door->normalization(context.handle(), i, nullptr, nullptr, 0, &channels), "normalization");
    arg.mean.resize(channels);
    arg.std.resize(channels);
    context.check(door->normalization(context.handle(), i, arg.mean.data(), arg.std.data(), channels, &channels),
                  "normalization");
  }
}

/// Every load asks for ranges; a static model answers with an error code, which says so.
void read_shape_sets(const ModelContext& context, ModelFacts& facts) {
  const auto range = std::make_unique<rknn_input_range>();  // 33 kB
  for (size_t i = 0; i < facts.input_specs.size(); ++i) {
    *range = {};
    range->index = static_cast<uint32_t>(i);
    const int code =
        context.runtime().query(context.handle(), RKNN_QUERY_INPUT_DYNAMIC_RANGE, range.get(), sizeof *range);
    if (code < 0 || range->shape_number == 0) return;
    add_shape_sets(facts.input_specs[i], *range);
    if (facts.input_specs[i].arg.shapes.size() != facts.input_specs[0].arg.shapes.size()) {
      throw SessionError(fmt::format("The runtime reports {} shapes for input '{}' and {} for '{}'; they must pair",
                                     facts.input_specs[0].arg.shapes.size(), facts.input_specs[0].arg.name,
                                     facts.input_specs[i].arg.shapes.size(), facts.input_specs[i].arg.name));
    }
  }
}

}  // namespace

bool is_outdated(const std::string& version) {
  int numbers[3] = {};
  const size_t digit = version.find_first_of("0123456789");
  if (digit == std::string::npos) return false;
  if (std::sscanf(version.c_str() + digit, "%d.%d.%d", &numbers[0], &numbers[1], &numbers[2]) != 3) return false;
  constexpr int kLeast[3] = {2, 4, 1};
  return std::lexicographical_compare(numbers, numbers + 3, kLeast, kLeast + 3);
}

ModelFacts read_facts(const ModelContext& context, const SessionOptions& options) {
  ModelFacts facts;
  for (const rknn_tensor_attr& attr : context.attributes(true)) {
    facts.input_specs.push_back(input_spec(attr, options.layout));
  }
  facts.output_attrs = context.attributes(false);
  for (const rknn_tensor_attr& attr : facts.output_attrs) facts.outputs.push_back(output_arg(attr));
  read_shape_sets(context, facts);
  read_normalization(context, facts);
  for (const InputSpec& spec : facts.input_specs) facts.inputs.push_back(spec.arg);
  read_version(context, facts);
  read_metadata(context, facts);
  return facts;
}

OutputSpecs::OutputSpecs(const ModelFacts& facts, const SessionOptions& options) : facts_(facts) {
  for (const auto& [name, type] : options.output_types) {
    const auto named = [&name = name](const NodeArg& arg) { return arg.name == name; };
    if (std::none_of(facts.outputs.begin(), facts.outputs.end(), named)) {
      throw OptionError(fmt::format("output_type names '{}', which is no output of the model", name));
    }
  }
  for (size_t i = 0; i < facts.outputs.size(); ++i) {
    const auto own = options.output_types.find(facts.outputs[i].name);
    wanted_.push_back(own == options.output_types.end() ? options.output_type : own->second);
    if (wanted_.back() == OutputType::Native && facts.output_attrs[i].type > RKNN_TENSOR_BOOL) {
      throw OptionError(fmt::format("output_type 'native' cannot give output '{}', which is {}", facts.outputs[i].name,
                                    get_type_string(facts.output_attrs[i].type)));
    }
  }
  static_ = specs(facts.output_attrs);
}

std::vector<OutputSpec> OutputSpecs::specs(const std::vector<rknn_tensor_attr>& attrs) const {
  std::vector<OutputSpec> result;
  for (size_t i = 0; i < attrs.size(); ++i) {
    OutputSpec spec;
    spec.want_float = wanted_[i] == OutputType::Float32;
    if (!spec.want_float) spec.type = static_cast<ElementType>(attrs[i].type);
    spec.shape.assign(attrs[i].dims, attrs[i].dims + std::min<uint32_t>(attrs[i].n_dims, RKNN_MAX_DIMS));
    result.push_back(std::move(spec));
  }
  return result;
}

const std::vector<OutputSpec>& OutputSpecs::of(const ModelContext& context, size_t shape_set) {
  if (!facts_.is_dynamic()) return static_;
  const std::lock_guard lock(mutex_);
  const auto known = by_set_.find(shape_set);
  if (known != by_set_.end()) return known->second;
  std::vector<rknn_tensor_attr> attrs = facts_.output_attrs;
  for (uint32_t i = 0; i < attrs.size(); ++i) {
    rknn_tensor_attr current{};
    if (context.find_attribute(RKNN_QUERY_CURRENT_OUTPUT_ATTR, i, current)) attrs[i] = current;
  }
  return by_set_.emplace(shape_set, specs(attrs)).first->second;
}

}  // namespace openrknn::session
