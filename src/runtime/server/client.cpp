#include "runtime/server/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/version.h"
#include "runtime/server/client_connection.h"
#include "runtime/server/json_body.h"
#include "runtime/server/model_name.h"
#include "runtime/server/service.h"
#include "runtime/server/tensor_type.h"

namespace openrknn::server {
namespace {

using nlohmann::json;
using Pieces = std::vector<std::span<const std::byte>>;

constexpr int kNesting = 12;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

/// The code of "E0804", or ServerMismatch for one this side does not know.
Code code_of(const std::string& identifier) {
  for (const CodeInfo& info : all_codes()) {
    if (fmt::format("E{:04}", static_cast<int>(info.code)) == identifier) return info.code;
  }
  return Code::ServerMismatch;
}

/// "POST /v2/…: E0804 server.unknown-model: there is no …" without what comes before the problem.
std::string problem_of(const std::string& line) {
  size_t first = std::string::npos, problem = 0;
  for (const CodeInfo& info : all_codes()) {
    const std::string mark = to_string(info.code) + ": ";
    const size_t found = line.find(mark);
    if (found >= first) continue;
    first = found;
    problem = found + mark.size();
  }
  return line.substr(problem);
}

template <class T>
T member(const json& object, const char* key, T otherwise) {
  const auto found = object.find(key);
  if (found == object.end()) return otherwise;
  try {
    return found->get<T>();
  } catch (const json::exception&) {
    return otherwise;
  }
}

}  // namespace

/// Requests and what replies mean.
class Client::Conversation {
 public:
  explicit Conversation(ClientOptions options)
      : options_(std::move(options)), place_("device " + options_.address), connection_(options_) {}

  Reply ask(const std::string& method, const std::string& target, const Pieces& body = {},
            std::optional<size_t> json_bytes = {}) {
    Reply reply = connection_.exchange(method, target, json_bytes, body);
    if (reply.status != 200) refuse(reply);
    return reply;
  }

  json ask_json(const std::string& method, const std::string& target, const json& body = nullptr) {
    const std::string text = body.is_null() ? "" : body.dump();
    const Reply reply = ask(method, target, text.empty() ? Pieces{} : Pieces{bytes_of(text)});
    return parse(reply.json());
  }

  void check() {
    json versions;
    try {
      versions = ask_json("GET", "/openrknn/v1/versions");
    } catch (const Error& error) {
      if (error.code() != Code::ServerUnknownPath) throw;
    }
    const int protocol = versions.is_object() ? member(versions, "protocol", 0) : 0;
    if (protocol == 0) mismatch("something else than an OpenRKNN server answers there", "correct the address here");
    if (protocol != kProtocolVersion) {
      const bool newer = protocol > kProtocolVersion;
      mismatch(
          fmt::format("the server there speaks protocol {} (OpenRKNN {}), this side {} (OpenRKNN {})", protocol,
                      member<std::string>(versions, "server", "?"), kProtocolVersion, version()),
          newer ? "install the device's version of OpenRKNN here" : "install this version of OpenRKNN on the device");
    }
    if (options_.target.empty()) return;
    const DeviceDescription found = device();
    if (std::find(found.targets.begin(), found.targets.end(), options_.target) != found.targets.end()) return;
    mismatch(fmt::format("the device runs models for {}, expected {}",
                         found.targets.empty() ? "an unknown SoC" : fmt::format("{}", fmt::join(found.targets, ", ")),
                         options_.target),
             "build the model for that target here, or give the address of another device");
  }

  DeviceDescription device() {
    const json body = ask_json("GET", "/openrknn/v1/device");
    DeviceDescription device;
    device.name = member<std::string>(body, "name", "");
    device.server = member<std::string>(body, "server", "");
    device.runtime = member<std::string>(body, "runtime", "");
    device.driver = member<std::string>(body, "driver", "");
    device.soc = member<std::string>(body, "soc", "");
    device.protocol = member(body, "protocol", 0);
    device.simulator = member(body, "simulator", false);
    device.targets = member(body, "targets", std::vector<std::string>{});
    device.cores = member(body, "cores", std::map<std::string, int>{});
    return device;
  }

  /// Sends arrays in binary; asks for `outputs` in binary.
  Reply send(const std::string& target, const NamedArrays& feed, const std::vector<std::string>& outputs,
             std::optional<uint32_t> core_mask) {
    json request;
    request["inputs"] = json::array();
    std::vector<std::vector<std::byte>> copies;
    Pieces pieces(1);
    for (const auto& [name, array] : feed) {
      size_t bytes = element_bytes(array.type);
      for (const int64_t extent : array.shape) bytes *= static_cast<size_t>(extent);
      request["inputs"].push_back({{"name", name},
                                   {"datatype", wire_name(array.type)},
                                   {"shape", array.shape},
                                   {"parameters", {{"binary_data_size", bytes}}}});
      if (array.strides.empty()) {
        pieces.push_back({static_cast<const std::byte*>(array.data), bytes});
      } else {
        copies.push_back(dense(array, bytes));
        pieces.push_back(copies.back());
      }
    }
    for (const std::string& name : outputs) {
      request["outputs"].push_back({{"name", name}, {"parameters", {{"binary_data", true}}}});
    }
    request["parameters"]["binary_data_output"] = true;
    if (core_mask) request["parameters"]["core_mask"] = *core_mask;
    const std::string text = request.dump();
    pieces.front() = bytes_of(text);
    return ask("POST", target, pieces, text.size());
  }

  /// Calls `take(name, datatype, shape, bytes)` for each tensor of a reply.
  template <class Take>
  void read(const Reply& reply, const Take& take) {
    const json body = parse(reply.json());
    std::span<const std::byte> binary = reply.binary();
    const auto outputs = body.find("outputs");
    if (outputs == body.end() || !outputs->is_array()) not_understood();
    for (const json& output : *outputs) {
      if (!output.is_object()) not_understood();
      const json parameters = member(output, "parameters", json::object());
      const auto size = member<size_t>(parameters, "binary_data_size", binary.size() + 1);
      if (size > binary.size()) not_understood();
      take(member<std::string>(output, "name", ""), member<std::string>(output, "datatype", ""),
           member(output, "shape", std::vector<int64_t>{}), binary.first(size));
      binary = binary.subspan(size);
    }
  }

  [[noreturn]] void not_understood() const {
    mismatch("the server's answer is not what its protocol says", "install the same version of OpenRKNN on both sides");
  }

 private:
  [[noreturn]] void mismatch(std::string problem, std::string fix) const {
    fail(Code::ServerMismatch, Location{.file = place_}, std::move(problem), std::move(fix));
  }

  json parse(std::span<const std::byte> text) const {
    try {
      return parse_json(text, kNesting);
    } catch (const Error&) {
      not_understood();
    }
  }

  /// Throws what the server said, in its words and under its code.
  [[noreturn]] void refuse(const Reply& reply) const {
    std::string text, code;
    try {
      const json body = parse_json(reply.json(), kNesting);
      if (body.is_object()) {
        text = member<std::string>(body, "error", "");
        code = member<std::string>(body, "code", "");
      }
    } catch (const Error&) {  // said below
    }
    if (code.empty()) {
      mismatch(fmt::format("the answer is HTTP status {} without a reason: this is no OpenRKNN server", reply.status),
               "correct the address here");
    }
    std::vector<Diagnostic> diagnostics;
    while (!text.empty() || diagnostics.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      const std::string problem = problem_of(text.substr(0, end));
      diagnostics.push_back({code_of(code), Severity::Error, Location{.file = place_}, problem, {}});
      text.erase(0, end + 1);
    }
    if (reply.status == 401) diagnostics.front().fix = "give this side the token that the device has";
    throw Error(std::move(diagnostics));
  }

  static std::vector<std::byte> dense(const ArrayView& array, size_t bytes) {
    std::vector<std::byte> result(bytes);
    const size_t element = element_bytes(array.type);
    std::vector<int64_t> at(array.shape.size());
    for (size_t out = 0; out < bytes; out += element) {
      int64_t offset = 0;
      for (size_t i = 0; i < at.size(); ++i) offset += at[i] * array.strides[i];
      std::memcpy(result.data() + out, static_cast<const std::byte*>(array.data) + offset, element);
      for (size_t i = at.size(); i-- > 0 && ++at[i] == array.shape[i];) at[i] = 0;
    }
    return result;
  }

  const ClientOptions options_;
  const std::string place_;
  ClientConnection connection_;
};

Client::Client(ClientOptions options) : conversation_(std::make_unique<Conversation>(std::move(options))) {
  conversation_->check();
}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

DeviceDescription Client::device() { return conversation_->device(); }

void Client::upload(const std::string& name, std::span<const std::byte> model) {
  require_model_name(name);
  conversation_->ask("PUT", "/openrknn/v1/models/" + name, {model});
}
void Client::upload(const std::string& name, const std::filesystem::path& model) {
  upload(name, MappedFile::open(model)->bytes());
}

void Client::load(const std::string& name, std::optional<uint32_t> core_mask, bool native_outputs) {
  require_model_name(name);
  json parameters = json::object();
  if (core_mask) parameters["core_mask"] = *core_mask;
  if (native_outputs) parameters["output_type"] = "native";
  conversation_->ask_json("POST", "/v2/repository/models/" + name + "/load", json{{"parameters", parameters}});
}

void Client::unload(const std::string& name) {
  require_model_name(name);
  conversation_->ask_json("POST", "/v2/repository/models/" + name + "/unload");
}

std::vector<RemoteArray> Client::infer(const std::string& name, const NamedArrays& feed,
                                       const std::vector<std::string>& outputs, std::optional<uint32_t> core_mask) {
  require_model_name(name);
  const Reply reply = conversation_->send("/v2/models/" + name + "/infer", feed, outputs, core_mask);
  std::vector<RemoteArray> arrays;
  conversation_->read(reply, [&](std::string output, const std::string& datatype, std::vector<int64_t> shape,
                                 std::span<const std::byte> bytes) {
    const std::optional<ElementType> type = wire_type(datatype);
    if (!type) conversation_->not_understood();
    arrays.push_back({std::move(output), *type, std::move(shape), {bytes.begin(), bytes.end()}});
  });
  return arrays;
}

PerformanceReport Client::perf(const std::string& name, int64_t runs, std::optional<uint32_t> core_mask) {
  require_model_name(name);
  json request{{"runs", runs}};
  if (core_mask) request["core_mask"] = *core_mask;
  const json body = conversation_->ask_json("POST", "/openrknn/v1/models/" + name + "/perf", request);
  return {member<int64_t>(body, "runs", 0), member(body, "total_microseconds", 0.0),
          member(body, "least_microseconds", 0.0), member<std::string>(body, "layers", "")};
}

MemoryInfo Client::memory(const std::string& name) {
  require_model_name(name);
  const json body = conversation_->ask_json("GET", "/openrknn/v1/models/" + name + "/memory");
  MemoryInfo memory;
  memory.weights = member<uint64_t>(body, "weights", 0);
  memory.internal = member<uint64_t>(body, "internal", 0);
  memory.total = member<uint64_t>(body, "total", 0);
  memory.sram_total = member<uint64_t>(body, "sram_total", 0);
  memory.sram_free = member<uint64_t>(body, "sram_free", 0);
  return memory;
}

std::vector<LayerValue> Client::values(const std::string& name, const NamedArrays& feed,
                                       const std::vector<std::string>& wanted) {
  require_model_name(name);
  const Reply reply = conversation_->send("/openrknn/v1/models/" + name + "/values", feed, wanted, std::nullopt);
  std::vector<LayerValue> values;
  conversation_->read(reply, [&](std::string value, const std::string& datatype, std::vector<int64_t> shape,
                                 std::span<const std::byte> bytes) {
    values.push_back({std::move(value), dtype_of_wire_name(datatype), std::move(shape), {bytes.begin(), bytes.end()}});
  });
  return values;
}

void Client::remove(const std::string& name) {
  require_model_name(name);
  conversation_->ask_json("DELETE", "/openrknn/v1/models/" + name);
}

}  // namespace openrknn::server
