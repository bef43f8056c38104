#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/verbs.h"
#include "toolkit/remote_device.h"

namespace openrknn {

int devices(const DevicesArguments& arguments) {
  std::vector<DeviceFinding> findings =
      arguments.device ? std::vector{examine_device(*arguments.device)} : examine_devices();
  if (arguments.json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const DeviceFinding& finding : findings) {
      rows.push_back(
          {{"device", finding.device}, {"good", finding.good}, {"text", finding.text}, {"fix", finding.fix}});
    }
    fmt::print("{}\n", rows.dump(2));
  } else if (findings.empty()) {
    fmt::print("no devices: adb {}, and OPENRKNN_DEVICES names no server\n",
               has_adb() ? "lists none" : "is not installed");
  }
  for (const DeviceFinding& finding : arguments.json ? std::vector<DeviceFinding>{} : findings) {
    fmt::print("{} {}: {}\n", finding.good ? "ok  " : "FAIL", finding.device, finding.text);
    if (!finding.fix.empty()) fmt::print("     {}\n", finding.fix);
  }
  return std::ranges::all_of(findings, &DeviceFinding::good) ? 0 : 1;
}

}  // namespace openrknn
