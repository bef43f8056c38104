// The endpoints of ours: what device this is, models in and out, profiles, memory; and the counters.
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "core/base/error.h"
#include "core/base/version.h"
#include "runtime/server/call.h"
#include "runtime/server/json_body.h"

namespace openrknn::server {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr int64_t kMostRuns = 10000;

std::string host_name_of_machine() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

/// "rk3588" of a board: its device tree says "vendor,board\0rockchip,rk3588\0".
std::string soc_of_board() {
  std::ifstream file("/proc/device-tree/compatible", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  constexpr std::string_view kVendor = "rockchip,";
  const size_t last = text.rfind(kVendor);
  if (last == std::string::npos) return {};
  const size_t begin = last + kVendor.size();
  return text.substr(begin, text.find('\0', begin) - begin);
}

std::string kernel_driver() {
  std::ifstream file("/sys/kernel/debug/rknpu/version");
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

void Service::device(const std::shared_ptr<Call>& call) {
  respond_later(call, [this] {
    OrderedJson body{{"name", options_.device_name.empty() ? host_name_of_machine() : options_.device_name},
                     {"server", version()},
                     {"protocol", kProtocolVersion},
                     {"runtime", runtime_.version},
                     {"driver", kernel_driver()},
                     {"simulator", runtime_.is_openrknn}};
    const std::string soc = soc_of_board();
    body["soc"] = soc;
    // A simulator runs what it is asked to, a board its own.
    body["targets"] = runtime_.is_openrknn ? OrderedJson(options_.targets)
                      : soc.empty()        ? OrderedJson::array()
                                           : OrderedJson::array({soc});
    OrderedJson cores = OrderedJson::object();  // of the SoCs whose models are loaded
    for (const std::shared_ptr<ServedModel>& model : loaded_models()) {
      if (body["runtime"].get<std::string>().empty()) body["runtime"] = model->session().api_version();
      if (!model->session().driver_version().empty()) body["driver"] = model->session().driver_version();
      const DeviceInfo info = model->session().device_info();
      if (!info.target.empty()) cores[info.target] = info.cores.size();
    }
    body["cores"] = cores;
    return Response{.text = json_text(body)};
  });
}

void Service::versions(const std::shared_ptr<Call>& call) {
  call->answer(OrderedJson{{"server", version()}, {"protocol", kProtocolVersion}, {"runtime", runtime_.version}});
}

void Service::remove(const std::shared_ptr<Call>& call) {
  respond_later(call, [this, call] {
    store_->remove(call->name());
    const std::shared_ptr<ServedModel> model = take(call->name());
    if (model) model->close(true);
    metrics_.forget(call->name());
    say(fmt::format("{}: deleted", call->name()));
    return Response{.text = "{}"};
  });
}

void Service::performance(const std::shared_ptr<Call>& call) {
  call->model = loaded(call->name());
  const nlohmann::json options = call->options();
  int64_t runs = 10;
  std::optional<uint32_t> core_mask;
  for (const auto& [key, value] : options.items()) {
    if (key == "runs" && value.is_number_unsigned() && value >= 1 && value <= kMostRuns) {
      runs = value.get<int64_t>();
    } else if (key == "core_mask" && value.is_number_unsigned() && value <= 0xffff) {
      core_mask = value.get<uint32_t>();
    } else {
      fail(Code::ServerBadRequest, fmt::format("'{}' with {}", excerpt(key), excerpt(value.dump(-1, ' ', true))),
           fmt::format("expected are runs (1 to {}) and core_mask (a number as in rknn_api.h)", kMostRuns));
    }
  }
  respond_later(call, [this, call, runs, core_mask] {
    const ServedModel::Performance performance =
        call->model->measure(runs, core_mask, [this] { return stopping_.load(); });
    const OrderedJson body{{"runs", performance.runs},
                           {"total_microseconds", performance.total_microseconds},
                           {"least_microseconds", performance.least_microseconds},
                           {"layers", performance.layers}};
    return Response{.text = json_text(body)};
  });
}

void Service::memory(const std::shared_ptr<Call>& call) {
  call->model = loaded(call->name());
  respond_later(call, [call] {
    const MemoryInfo memory = call->model->session().memory_info();
    return Response{.text = OrderedJson{{"weights", memory.weights},
                                        {"internal", memory.internal},
                                        {"total", memory.total},
                                        {"sram_total", memory.sram_total},
                                        {"sram_free", memory.sram_free}}
                                .dump()};
  });
}

void Service::show_metrics(const std::shared_ptr<Call>& call) {
  respond_later(call, [this] {
    MetricsPicture picture;
    for (const std::shared_ptr<ServedModel>& model : loaded_models()) {
      const auto [waiting, running] = model->load();
      picture.models.push_back({model->name(), waiting, running});
      // Models for one SoC share its cores.
      const DeviceInfo info = model->session().device_info();
      const auto known = std::find_if(picture.devices.begin(), picture.devices.end(),
                                      [&](const auto& device) { return device.target == info.target; });
      if (known == picture.devices.end() && !info.cores.empty()) picture.devices.push_back({info.target, info.cores});
    }
    picture.jobs_waiting = jobs_.waiting();
    picture.bytes_in_flight = budget_->used();
    picture.uptime_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    return Response{.content_type = "text/plain; version=0.0.4; charset=utf-8", .text = metrics_.text(picture)};
  });
}

}  // namespace openrknn::server
