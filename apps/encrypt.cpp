#include "toolkit/encrypt_model.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/verbs.h"

namespace openrknn {

int encrypt(const EncryptArguments& arguments) {
  EncryptRequest request{.input = arguments.model, .output = arguments.output, .level = arguments.level};
  if (!arguments.key_file.empty()) request.key = read_model_key(arguments.key_file);
  const std::filesystem::path output = encrypt_model(request);
  const Encryption made{static_cast<EncryptionLevel>(request.level), request.key.has_value()};
  if (arguments.json) {
    const nlohmann::ordered_json json{
        {"output", output.string()}, {"level", request.level}, {"user_key", made.has_user_key}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("{}: encrypted, {}\n", output.string(), to_string(made));
  }
  return 0;
}

}  // namespace openrknn
