// A device server as seen from the other side: what a toolkit does with a board. Blocking.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "openrknn/session.hpp"

namespace openrknn::server {

struct ClientOptions {
  std::string address;                          ///< "192.168.1.5:8000", "[::1]:8000"; without a port: 8000
  std::string token;                            ///< empty: none is sent
  bool tls = false;                             ///< encrypted; the server's certificate is checked
  std::filesystem::path certificate_authority;  ///< PEM that the certificate is checked with; empty: the system's
  std::string target;                           ///< the SoC whose models are to be run ("rk3588"); empty: any
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);
  /// Of one call, and a second for each 256 KiB it sends.
  std::chrono::milliseconds call_timeout = std::chrono::seconds(120);
};

struct DeviceDescription {
  std::string name, server, runtime, driver, soc;
  int protocol = 0;
  bool simulator = false;
  std::vector<std::string> targets;  ///< SoCs whose models it runs
  std::map<std::string, int> cores;  ///< by SoC, of those with a loaded model
};

/// An array of a reply: dense, row-major.
struct RemoteArray {
  std::string name;
  ElementType type = ElementType::Float32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};
using NamedArrays = std::vector<std::pair<std::string, ArrayView>>;

struct PerformanceReport {
  int64_t runs = 0;
  double total_microseconds = 0, least_microseconds = 0;
  std::string layers;  ///< the runtime's own table
};

/// Calls one after another, from one thread at a time; the connection is made again where it ended in between. Every
/// failure is an Error whose sentence says which side has to change: ServerUnreachable, ServerUnauthorized,
/// ServerMismatch (another protocol, a device that does not run the target), ServerTimeout, or what the server
/// answered.
class Client {
 public:
  /// Connects, and checks the protocol and the target.
  explicit Client(ClientOptions);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  DeviceDescription device();
  void upload(const std::string& name, std::span<const std::byte> model);
  void upload(const std::string& name, const std::filesystem::path& model);
  /// Loads an uploaded model, anew if it is loaded. `core_mask` as in rknn_api.h; nothing: a worker on each core.
  void load(const std::string& name, std::optional<uint32_t> core_mask = {}, bool native_outputs = false);
  void unload(const std::string& name);
  /// What Session::run gives there. `outputs`: their names; empty: all.
  std::vector<RemoteArray> infer(const std::string& name, const NamedArrays& feed,
                                 const std::vector<std::string>& outputs = {}, std::optional<uint32_t> core_mask = {});
  PerformanceReport perf(const std::string& name, int64_t runs = 10, std::optional<uint32_t> core_mask = {});
  MemoryInfo memory(const std::string& name);
  /// What Session::values gives there.
  std::vector<LayerValue> values(const std::string& name, const NamedArrays& feed,
                                 const std::vector<std::string>& values);
  /// Unloads a model and deletes its file.
  void remove(const std::string& name);

 private:
  class Conversation;
  std::unique_ptr<Conversation> conversation_;
};

}  // namespace openrknn::server
