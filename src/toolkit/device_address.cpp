#include "toolkit/device_address.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "core/base/environment.h"
#include "core/base/error.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX declares it nowhere

namespace openrknn {
namespace {

constexpr int kServerPort = 8000;

std::string adb_program() {
  const std::string chosen = environment_variable("OPENRKNN_ADB");
  return chosen.empty() ? "adb" : chosen;
}

struct ProgramResult {
  int code = -1;     ///< 127: there is no such program
  std::string text;  ///< what it wrote, errors included
};

/// Runs adb without a shell: arguments are what they are.
ProgramResult run_adb(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), adb_program());
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  ProgramResult result;
  if (failed != 0) {
    close(ends[0]);
    result.code = 127;
    return result;
  }
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    if (result.text.size() < 1 << 20) result.text.append(buffer, static_cast<size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// What to do about a device that adb sees and cannot talk to.
std::string cure_of(const std::string& state) {
  if (state == "unauthorized") return "allow this computer on the device's screen, then run 'adb devices' again";
  if (state.starts_with("no permissions"))
    return "add a udev rule for the device, or run 'adb kill-server; sudo adb start-server'";
  if (state == "offline") return "plug the device in again, or run 'adb reconnect'";
  return "see 'adb devices'";
}

DeviceAddress forwarded(const AdbDevice& device) {
  if (device.state != "device") {
    fail(Code::ServerUnreachable, fmt::format("device '{}': adb says it is {}", device.serial, device.state),
         cure_of(device.state));
  }
  auto forward = std::make_shared<AdbForward>(device.serial, kServerPort);
  return {.host_and_port = fmt::format("127.0.0.1:{}", forward->local_port()), .forward = forward};
}

DeviceAddress network_address(std::string text) {
  DeviceAddress address;
  constexpr std::string_view kTls = "https://", kPlain = "http://";
  if (text.starts_with(kTls)) {
    address.tls = true;
    text.erase(0, kTls.size());
  } else if (text.starts_with(kPlain)) {
    text.erase(0, kPlain.size());
  }
  while (text.ends_with('/')) text.pop_back();
  address.host_and_port = text;
  return address;
}

bool looks_like_host(const std::string& text) {
  return text.find('.') != std::string::npos || text.find(':') != std::string::npos || text == "localhost";
}

}  // namespace

bool has_adb() { return run_adb({"version"}).code == 0; }

std::vector<AdbDevice> adb_devices() {
  const ProgramResult listed = run_adb({"devices"});
  std::vector<AdbDevice> devices;
  if (listed.code != 0) return devices;
  for (size_t at = 0; at < listed.text.size();) {
    size_t end = listed.text.find('\n', at);
    if (end == std::string::npos) end = listed.text.size();
    std::string line = listed.text.substr(at, end - at);
    at = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    // "SERIAL<tab>STATE"; the heading and notes of the daemon have no tab.
    const size_t tab = line.find('\t');
    if (tab == std::string::npos || tab == 0) continue;
    devices.push_back({line.substr(0, tab), line.substr(tab + 1)});
  }
  return devices;
}

AdbForward::AdbForward(std::string serial, int device_port) : serial_(std::move(serial)) {
  const ProgramResult result = run_adb({"-s", serial_, "forward", "tcp:0", fmt::format("tcp:{}", device_port)});
  const char* end = result.text.data() + result.text.size();
  const auto [at, error] = std::from_chars(result.text.data(), end, port_);
  if (result.code != 0 || error != std::errc() || port_ <= 0 || port_ > 65535) {
    fail(Code::ServerUnreachable, fmt::format("device '{}': adb forward failed: {}", serial_, first_line(result.text)),
         "see 'adb devices', and that 'openrknn serve' runs on the device");
  }
}

AdbForward::~AdbForward() { run_adb({"-s", serial_, "forward", "--remove", fmt::format("tcp:{}", port_)}); }

DeviceAddress find_device(const std::string& device_id) {
  const std::string wanted = device_id.empty() ? environment_variable("OPENRKNN_DEVICE") : device_id;
  const bool is_url = looks_like_host(wanted) && wanted.starts_with("http");
  const std::vector<AdbDevice> devices = is_url ? std::vector<AdbDevice>{} : adb_devices();
  // A serial of `adb connect` is an address too, of adbd: what adb lists is adb's.
  const auto listed = std::ranges::find(devices, wanted, &AdbDevice::serial);
  if (!wanted.empty() && listed != devices.end()) return forwarded(*listed);
  if (wanted.empty()) {
    if (devices.size() == 1) return forwarded(devices.front());
    if (devices.size() > 1) {
      std::string serials;
      for (const AdbDevice& device : devices)
        serials += fmt::format("{}{}", serials.empty() ? "" : ", ", device.serial);
      fail(Code::ConfigBadValue, fmt::format("adb lists {} devices: {}", devices.size(), serials),
           "choose one by device_id");
    }
    return network_address(fmt::format("127.0.0.1:{}", kServerPort));
  }
  if (looks_like_host(wanted)) return network_address(wanted);
  fail(Code::ServerUnreachable,
       fmt::format("device '{}' is neither an address (host[:port]) nor listed by adb", wanted),
       has_adb() ? "see 'adb devices' and 'openrknn devices'"
                 : "install adb to reach devices by their serial, or give an address");
}

std::vector<std::string> known_servers() {
  std::vector<std::string> servers;
  std::string text = environment_variable("OPENRKNN_DEVICES");
  for (size_t at = 0; at <= text.size();) {
    size_t end = text.find(',', at);
    if (end == std::string::npos) end = text.size();
    if (end > at) servers.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return servers;
}

}  // namespace openrknn
