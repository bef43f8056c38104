// init_runtime(target=…, device_id=…): which server a device is reached by (docs/devices.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace openrknn {

struct AdbDevice {
  std::string serial, state;  ///< "device", "unauthorized", "no permissions", "offline"
};

/// `adb devices`. Empty if there is no adb. $OPENRKNN_ADB: the program; otherwise adb of the PATH.
std::vector<AdbDevice> adb_devices();
bool has_adb();

/// A local port that adb forwards to the device's server for as long as this lives.
class AdbForward {
 public:
  /// Throws Error (ServerUnreachable) saying what adb says.
  AdbForward(std::string serial, int device_port);
  ~AdbForward();
  AdbForward(const AdbForward&) = delete;
  AdbForward& operator=(const AdbForward&) = delete;
  int local_port() const { return port_; }

 private:
  std::string serial_;
  int port_ = 0;
};

struct DeviceAddress {
  std::string host_and_port;  ///< "127.0.0.1:40123"
  bool tls = false;
  std::shared_ptr<AdbForward> forward;  ///< keeps the tunnel
};

/// `device_id`: "host[:port]" (with https:// in front: TLS), or a serial that adb lists. Empty: $OPENRKNN_DEVICE, else
/// the only device of adb, else this machine (127.0.0.1:8000). Throws Error (ConfigBadValue, ServerUnreachable).
DeviceAddress find_device(const std::string& device_id);

/// Servers that $OPENRKNN_DEVICES names, parted by commas.
std::vector<std::string> known_servers();

}  // namespace openrknn
