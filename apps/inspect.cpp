#include "apps/inspect.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "toolkit/doctor.h"
#include "toolkit/inspect.h"

namespace openrknn {

int inspect_rknn(const std::filesystem::path& path, bool json) {
  fmt::print("{}\n", json ? inspect_json(path) : inspect_text(path));
  return 0;
}

int doctor(bool json) {
  bool good = true;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : examine()) {
    good = good && finding.good;
    list.push_back(
        {{"subject", finding.subject}, {"good", finding.good}, {"text", finding.text}, {"fix", finding.fix}});
    if (!json)
      fmt::print("{:<4} {:<14} {}{}{}\n", finding.good ? "ok" : "BAD", finding.subject, finding.text,
                 finding.fix.empty() ? "" : "; ", finding.fix);
  }
  if (json) fmt::print("{}\n", list.dump(2));
  return good ? 0 : 1;
}

}  // namespace openrknn
