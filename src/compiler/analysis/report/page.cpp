#include "compiler/analysis/report/page.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "compiler/analysis/report/report.h"
#include "compiler/analysis/report/roofline_script.h"
#include "compiler/analysis/report/template.h"
#include "core/base/version.h"

namespace openrknn {
namespace {

/// Nothing in a name can end the element the data stands in, or begin a comment there.
std::string safe_in_script(const std::string& json) {
  std::string safe;
  for (const char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

void put(std::string& page, std::string_view place, std::string_view text) {
  page.replace(page.find(place), place.size(), text);
}

std::string_view place_word(Place place) { return place == Place::Npu ? "NPU" : place == Place::Cpu ? "CPU" : "none"; }

}  // namespace

Json number(double value) {
  if (!std::isfinite(value)) return nullptr;
  const std::string text = fmt::format("{:.6g}", value);
  double rounded = 0;
  std::from_chars(text.data(), text.data() + text.size(), rounded);
  return rounded;
}

Json json_of(const Roofline& roofline) {
  Json roofs = Json::array(), layers = Json::array();
  for (const ComputeRoof& roof : roofline.roofs) {
    roofs.push_back({{"dtype", numpy_name(roof.dtype)},
                     {"sparse", roof.sparse},
                     {"macs_per_second", number(roof.products_per_second)}});
  }
  for (const RooflineLayer& layer : roofline.layers) {
    layers.push_back({{"name", layer.name},
                      {"op", layer.op},
                      {"dtype", numpy_name(layer.dtype)},
                      {"sparse", layer.sparse},
                      {"place", place_word(layer.place)},
                      {"macs", layer.products},
                      {"bytes", layer.bytes},
                      {"microseconds", number(layer.microseconds)},
                      {"roof", number(roofline.roof_over(layer))},
                      {"bottleneck", name(layer.bottleneck)},
                      {"limit", layer.limit}});
  }
  return {{"target", roofline.target->display_name},
          {"build", roofline.build},
          {"cores", roofline.cores},
          {"calibrated", roofline.calibrated},
          {"microseconds", number(roofline.microseconds)},
          {"run_microseconds", number(roofline.run_microseconds)},
          {"bytes_per_second", number(roofline.bytes_per_second)},
          {"roofs", roofs},
          {"layers", layers}};
}

std::string fill_page(const Json& data) {
  std::string page(kReportTemplate);
  put(page, "/*ROOFLINE*/", kRooflineScript);
  // Names are bytes of somebody else's file: what is not UTF-8 is shown as such.
  put(page, "/*DATA*/null", safe_in_script(data.dump(-1, ' ', false, Json::error_handler_t::replace)));
  return page;
}

std::string speed_html(const std::string& model, const std::vector<Roofline>& speed) {
  Json rooflines = Json::array();
  for (const Roofline& roofline : speed) rooflines.push_back(json_of(roofline));
  return fill_page({{"model", model}, {"version", version()}, {"speed", rooflines}});
}

}  // namespace openrknn
