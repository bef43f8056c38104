#include "toolkit/encrypt_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/rknn_file/rknn_file.h"
#include "core/targets/targets.h"
#include "toolkit/options.h"

namespace openrknn {
namespace {

// The documented list: runtimes of the others open no encrypted models.
constexpr std::array<std::string_view, 5> kEncryptedPlatforms = {"rk3562", "rk3566", "rk3568", "rk3576", "rk3588"};

std::string optional_path(const ArgumentValues& values, const std::string& name) {
  const ArgumentValue& value = values.at(name);
  if (value.is_none()) return "";
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr || text->empty()) {
    fail(Code::ConfigBadValue,
         fmt::format("export_encrypted_rknn_model: {}: got {}, expected a path", name, to_string(value)));
  }
  return *text;
}

void check_platform(const FileDescription& description, Diagnostics& problems) {
  if (!description.ours || description.encryption) return;  // encrypt() has more to say
  const Target* target = find_target(description.runtime_target);
  if (target != nullptr && std::ranges::find(kEncryptedPlatforms, target->name) != kEncryptedPlatforms.end()) return;
  problems.add(Code::ConfigUnsupported, {},
               fmt::format("models for {} cannot be encrypted",
                           target == nullptr ? description.runtime_target : std::string(target->display_name)),
               "platforms whose models can: RK3562, RK3566, RK3568, RK3576, RK3588");
}

}  // namespace

EncryptRequest encrypt_request(const ArgumentValues& given, std::vector<std::string>& warnings) {
  const ArgumentValues values = check_options("export_encrypted_rknn_model", given, warnings);
  EncryptRequest request{.input = optional_path(values, "input_model"),
                         .output = optional_path(values, "output_model")};
  const ArgumentValue& level = values.at("crypt_level");
  const auto* number = std::get_if<int64_t>(&level.data);
  if (number == nullptr) {
    fail(Code::ConfigBadValue,
         fmt::format("export_encrypted_rknn_model: crypt_level: got {}, expected 1, 2 or 3", to_string(level)));
  }
  request.level = *number;
  const std::string key_file = optional_path(values, "key_file");
  if (!key_file.empty()) request.key = read_model_key(key_file);
  return request;
}

std::filesystem::path encrypt_model(const EncryptRequest& request) {
  Diagnostics problems;
  if (request.level < 1 || request.level > 3) {
    problems.add(Code::ConfigBadValue, {}, fmt::format("encryption level: got {}, expected 1, 2 or 3", request.level));
  }
  std::filesystem::path output = request.output;
  if (output.empty()) output = std::filesystem::path(request.input).replace_extension(".crypt.rknn");
  std::error_code ignored;
  if (std::filesystem::equivalent(request.input, output, ignored)) {
    problems.add(Code::ConfigBadValue, Location{.file = output.string()},
                 "the encrypted model would take the place of the one it is made from", "name another output");
  }
  const std::shared_ptr<const MappedFile> plain = MappedFile::open(request.input);
  check_platform(describe(*plain), problems);
  problems.throw_if_any();
  FileSink sink(output);
  encrypt(*plain, {.level = static_cast<EncryptionLevel>(request.level), .key = request.key}, sink);
  sink.commit();
  return output;
}

}  // namespace openrknn
