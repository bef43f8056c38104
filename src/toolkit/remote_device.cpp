#include "toolkit/remote_device.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "core/base/environment.h"
#include "core/base/layout.h"
#include "core/base/version.h"
#include "core/model/ports.h"
#include "runtime/server/client.h"
#include "runtime/session/element_types.h"

namespace openrknn {
namespace {

using server::Client;
using server::ClientOptions;

std::string token() {
  const std::string file = environment_variable("OPENRKNN_SERVER_TOKEN_FILE");
  if (file.empty()) return environment_variable("OPENRKNN_SERVER_TOKEN");
  std::ifstream stream(file);
  std::string text;
  if (!std::getline(stream, text)) {
    fail(Code::FileNotFound, Location{.file = file}, "OPENRKNN_SERVER_TOKEN_FILE names a file without a token",
         "put the token of the server into its first line");
  }
  return text;
}

ClientOptions options_for(const DeviceAddress& address, const std::string& target) {
  return {.address = address.host_and_port,
          .token = token(),
          .tls = address.tls,
          .certificate_authority = environment_variable("OPENRKNN_SERVER_CA"),
          .target = target};
}

/// Names that no other client and no other model of this one has.
std::string fresh_name() {
  static std::atomic<int> count = 0;
  char host[64] = {};
  gethostname(host, sizeof host - 1);
  std::string name = fmt::format("toolkit-{}-{}-{}", host, getpid(), ++count);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') c = '-';
  }
  return name;
}

DType dtype_of_answer(ElementType type) {
  if (const std::optional<DType> dtype = dtype_of(type)) return *dtype;
  fail(Code::ServerMismatch, "the server gave an array of an unknown type", "use the same version on both sides");
}

/// In the layout of the source model, which the server takes: dims there = dims given [order[i]].
Tensor in_source_layout(const SimulatorInput& input, const Port& port) {
  if (input.array.rank() != 4 || input.layout == PortLayout::Source) return input.array;
  const bool source_is_nhwc = port.source_order == std::vector<int>{0, 2, 3, 1};
  if ((input.layout == PortLayout::Nhwc) == source_is_nhwc) return input.array;
  return transpose(input.array, source_is_nhwc ? std::vector<int>{0, 2, 3, 1} : std::vector<int>{0, 3, 1, 2});
}

Tensor tensor_of(DType dtype, const std::vector<int64_t>& shape, std::span<const std::byte> bytes) {
  Tensor tensor(dtype, shape);
  const std::span<std::byte> to = tensor.mutable_bytes();
  if (to.size() != bytes.size()) {
    fail(
        Code::ServerMismatch,
        fmt::format("the server gave {} bytes for {}, expected {}", bytes.size(), to_string(tensor.shape()), to.size()),
        "use the same version on both sides");
  }
  std::copy(bytes.begin(), bytes.end(), to.begin());
  return tensor;
}

DType dtype_named(std::string_view text) {
  if (const std::optional<DType> dtype = dtype_from_name(text)) return *dtype;
  fail(Code::ServerMismatch, fmt::format("the server gave a layer of type '{}'", text),
       "use the same version on both sides");
}

constexpr std::string_view kVersionRule = "==============================================";

std::string versions_text(std::string_view server, std::string_view runtime) {
  return fmt::format("{}\nRKNN VERSION:\n    API: {} (OpenRKNN)\n    DRV: rknn_server: {}\n    DRV: rknnrt: {}\n{}\n",
                     kVersionRule, version(), server, runtime, kVersionRule);
}

}  // namespace

struct RemoteDevice::State {
  DeviceAddress address;
  Client client;
  std::vector<Port> inputs;
  std::string model;
  uint32_t core_mask;

  State(DeviceAddress where, const std::string& target, const Model& built, uint32_t mask)
      : address(std::move(where)),
        client(options_for(address, target)),
        inputs(built.inputs),
        model(fresh_name()),
        core_mask(mask) {}

  /// `held` keeps what was converted.
  server::NamedArrays feed_of(const std::vector<SimulatorInput>& arrays, std::vector<Tensor>& held) const {
    if (arrays.size() != inputs.size()) {
      fail(Code::RuntimeBadInput, fmt::format("got {} inputs, the model has {}", arrays.size(), inputs.size()));
    }
    server::NamedArrays feed;
    for (size_t i = 0; i < arrays.size(); ++i) {
      if (arrays[i].pass_through) {
        fail(Code::RuntimeBadInput, Location{.tensor = inputs[i].name},
             "inputs_pass_through: a device takes arrays by value",
             "give real numbers, or run on the simulator (target=None)");
      }
      held.push_back(in_source_layout(arrays[i], inputs[i]));
      if (!element_type_of(held.back().dtype())) held.back() = cast(held.back(), DType::Float32);
    }
    for (size_t i = 0; i < held.size(); ++i) {
      feed.emplace_back(inputs[i].name, ArrayView{.type = *element_type_of(held[i].dtype()),
                                                  .shape = held[i].shape(),
                                                  .data = held[i].bytes().data()});
    }
    return feed;
  }
};

RemoteDevice::RemoteDevice(const std::string& target, const std::string& device_id, const Model& model,
                           const std::string& file, uint32_t core_mask)
    : state_(std::make_unique<State>(find_device(device_id), target, model, core_mask)) {
  state_->client.upload(state_->model, std::as_bytes(std::span(file.data(), file.size())));
  state_->client.load(state_->model, core_mask == 0 ? std::nullopt : std::optional(core_mask));
}

RemoteDevice::~RemoteDevice() {
  try {
    state_->client.remove(state_->model);
  } catch (const std::exception&) {  // the server may be gone, and what it keeps is bounded there
  }
}

std::vector<Tensor> RemoteDevice::run(const std::vector<SimulatorInput>& arrays) {
  std::vector<Tensor> held, outputs;
  const server::NamedArrays feed = state_->feed_of(arrays, held);
  for (const server::RemoteArray& array : state_->client.infer(state_->model, feed)) {
    Tensor tensor = tensor_of(dtype_of_answer(array.type), array.shape, array.bytes);
    // As inference() gives them: halves as float32, integers as they are.
    outputs.push_back(tensor.dtype() == DType::Float16 ? cast(tensor, DType::Float32) : std::move(tensor));
  }
  return outputs;
}

std::string RemoteDevice::performance(bool by_layer) {
  const server::PerformanceReport report = state_->client.perf(state_->model);
  if (by_layer) return report.layers;
  const double microseconds = report.runs > 0 ? report.total_microseconds / static_cast<double>(report.runs) : 0;
  return performance_text(std::max(microseconds, 1e-3));
}

MemoryReport RemoteDevice::memory(int64_t model_bytes) {
  const MemoryInfo info = state_->client.memory(state_->model);
  const auto weight = static_cast<int64_t>(info.weights), internal = static_cast<int64_t>(info.internal);
  const auto total = static_cast<int64_t>(info.total);
  return {.weight = weight,
          .internal = internal,
          .other = std::max<int64_t>(0, total - weight - internal),
          .model = model_bytes};
}

std::string RemoteDevice::versions() {
  const server::DeviceDescription device = state_->client.device();
  return versions_text(device.server, device.runtime);
}

std::string versions_here() { return versions_text("none, simulator", runtime_info().version); }

DeviceFinding examine_device(const std::string& device_id) {
  DeviceFinding finding{.device = device_id.empty() ? "the default device" : device_id};
  try {
    const DeviceAddress address = find_device(device_id);
    const server::DeviceDescription device = Client(options_for(address, "")).device();
    std::string targets;
    for (const std::string& target : device.targets)
      targets += fmt::format("{}{}", targets.empty() ? "" : ", ", target);
    finding.text = fmt::format("{}: {}{}, server {}, runtime {}, driver {}; runs models for {}", device.name,
                               device.simulator ? "simulator" : "hardware",
                               device.soc.empty() ? "" : fmt::format(" ({})", device.soc), device.server,
                               device.runtime, device.driver.empty() ? "none" : device.driver, targets);
    finding.good = true;
  } catch (const Error& error) {
    const Diagnostic& diagnostic = error.diagnostics.front();
    finding.text = diagnostic.problem;
    finding.fix = diagnostic.fix;
  } catch (const std::exception& error) {
    finding.text = error.what();
  }
  return finding;
}

std::vector<DeviceFinding> examine_devices() {
  std::vector<DeviceFinding> findings;
  for (const AdbDevice& device : adb_devices()) findings.push_back(examine_device(device.serial));
  for (const std::string& server : known_servers()) findings.push_back(examine_device(server));
  return findings;
}

std::map<std::string, Tensor> RemoteDevice::layers(const std::vector<SimulatorInput>& arrays,
                                                   const std::vector<std::string>& names) {
  std::vector<Tensor> held;
  const server::NamedArrays feed = state_->feed_of(arrays, held);
  std::map<std::string, Tensor> values;
  for (const LayerValue& value : state_->client.values(state_->model, feed, names)) {
    values.emplace(value.name, tensor_of(dtype_named(value.dtype), value.shape, value.bytes));
  }
  return values;
}

DeviceStream::DeviceStream(RemoteDevice& device, const Graph& built, std::vector<std::string> layers,
                           std::vector<Tensor> sample)
    : device_(device), built_(built), layers_(std::move(layers)), sample_(std::move(sample)) {}

void DeviceStream::start(std::span<const Tensor>) {
  if (!values_.empty()) return;
  std::vector<SimulatorInput> arrays;
  for (const Tensor& input : sample_) arrays.push_back({input, PortLayout::Nchw, false});
  for (auto& [layer, tensor] : device_.layers(arrays, layers_)) values_.emplace(layer, std::move(tensor));
}

void DeviceStream::advance(std::string_view) {}

LayerValues DeviceStream::values(std::string_view layer) const {
  const auto found = values_.find(layer);
  if (found == values_.end()) {
    fail(Code::ServerMismatch, Location{.tensor = std::string(layer)}, "the device gave no values of this layer",
         "use the same version on both sides");
  }
  const Tensor& tensor = found->second;
  const ValueId id = built_.find(layer);
  const std::optional<QuantParams>& quant = built_[id].quant;
  return {.dtype = tensor.dtype(),
          .quant = quant ? &*quant : nullptr,
          .shape = tensor.shape(),
          .form = {Layout::Logical, tensor.rank()},
          .bytes = tensor.bytes()};
}

void DeviceStream::replace(std::string_view layer, const LayerValues&) {
  fail(Code::Internal, Location{.tensor = std::string(layer)}, "a device takes no numbers in place of its own");
}

}  // namespace openrknn
