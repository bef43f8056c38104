#include "toolkit/hybrid_data.h"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/version.h"
#include "core/rknn_file/rknn_file.h"

namespace openrknn {
namespace {

using SortedJson = nlohmann::json;

constexpr int kVersion = 1;
constexpr const char *kHead = "hybrid", *kParameters = "hybrid_parameters", *kCalibration = "hybrid_calibration";
constexpr int kDeepestArgument = 16;

SortedJson json_of(const ArgumentValue& value) {
  struct Visitor {
    SortedJson operator()(std::monostate) const { return nullptr; }
    SortedJson operator()(bool b) const { return b; }
    SortedJson operator()(int64_t i) const { return i; }
    SortedJson operator()(double d) const { return d; }
    SortedJson operator()(const std::string& text) const { return text; }
    SortedJson operator()(const std::vector<ArgumentValue>& list) const {
      SortedJson json = SortedJson::array();
      for (const ArgumentValue& item : list) json.push_back(json_of(item));
      return json;
    }
    SortedJson operator()(const std::map<std::string, ArgumentValue>& map) const {
      SortedJson json = SortedJson::object();
      for (const auto& [key, item] : map) json[key] = json_of(item);
      return json;
    }
  };
  return std::visit(Visitor{}, value.data);
}

ArgumentValue value_of(const SortedJson& json, int depth = 0) {
  if (depth > kDeepestArgument) fail(Code::RknnDamaged, "an argument of config is nested too deeply");
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_array()) {
    std::vector<ArgumentValue> list;
    for (const SortedJson& item : json) list.push_back(value_of(item, depth + 1));
    return list;
  }
  if (json.is_object()) {
    std::map<std::string, ArgumentValue> map;
    for (const auto& [key, item] : json.items()) map[key] = value_of(item, depth + 1);
    return map;
  }
  return {};
}

Tensor section_of(std::string_view text) {
  Tensor bytes(DType::UInt8, {static_cast<int64_t>(text.size())});
  if (!text.empty()) std::memcpy(bytes.mutable_bytes().data(), text.data(), text.size());
  return bytes;
}

std::string_view section(const Model& model, const char* name) {
  const auto found = model.sections.find(name);
  if (found == model.sections.end()) {
    fail(Code::RknnInvalid, fmt::format("it has no section '{}', so it is no .data file of hybrid quantization", name));
  }
  const std::span<const std::byte> bytes = found->second.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[noreturn]] void refuse_data(Code code, const std::filesystem::path& path, const std::string& why) {
  fail(code, Location{.file = path.string()},
       fmt::format("the .data file of hybrid quantization cannot be read: {}", why),
       "run hybrid_quantization_step1 again and pass the .data file it writes");
}

HybridData data_of(Model model) {
  const SortedJson head = SortedJson::parse(section(model, kHead));
  if (const int version = head.at("version").get<int>(); version != kVersion) {
    fail(Code::RknnNewerVersion, fmt::format("it has version {}, this build reads version {}", version, kVersion));
  }
  HybridData data;
  data.name = head.at("name").get<std::string>();
  data.model_hash = head.at("model_hash").get<std::string>();
  const ArgumentValue config = value_of(head.at("config"));
  if (const auto* map = std::get_if<ArgumentValues>(&config.data)) data.config = *map;
  data.parameters = section(model, kParameters);
  data.calibration = calibration_from_bytes(section(model, kCalibration));
  data.goldens = std::move(model.variants);
  data.inputs = std::move(model.inputs);
  data.outputs = std::move(model.outputs);
  data.target = std::move(model.target);
  data.framework = std::move(model.source_framework);
  data.batch = model.batch;
  return data;
}

}  // namespace

void write_hybrid_data(const HybridData& data, Sink& sink) {
  SortedJson config = SortedJson::object();
  for (const auto& [key, value] : data.config) config[key] = json_of(value);
  const SortedJson head = {
      {"version", kVersion}, {"name", data.name}, {"model_hash", data.model_hash}, {"config", std::move(config)}};
  Model model;
  model.variants = data.goldens;
  model.inputs = data.inputs;
  model.outputs = data.outputs;
  model.target = data.target;
  model.source_framework = data.framework;
  model.batch = data.batch;
  model.tool_version = version();
  model.sections[kHead] = section_of(head.dump(-1, ' ', false, SortedJson::error_handler_t::replace));
  model.sections[kParameters] = section_of(data.parameters);
  model.sections[kCalibration] = section_of(to_bytes(data.calibration));
  write(model, sink);
}

HybridData read_hybrid_data(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  try {
    return data_of(read(file));
  } catch (const Error& error) {
    refuse_data(error.code(), path, error.diagnostics.front().problem);
  } catch (const SortedJson::exception& error) {
    refuse_data(Code::RknnDamaged, path, error.what());
  }
}

}  // namespace openrknn
